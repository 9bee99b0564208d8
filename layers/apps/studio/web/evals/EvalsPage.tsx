/** The reports of evals that stand in the project. */
import { href, Link } from "../app/Router.tsx"
import { evals } from "../data/Client.ts"
import { counted, time } from "../data/format.ts"
import { useLoaded } from "../data/useLoaded.ts"
import { PageHead, Panel } from "../ui/Page.tsx"
import { Empty, Failed, Loading } from "../ui/States.tsx"
import { Status } from "../ui/Status.tsx"
import { numberAt } from "./report.ts"

// As far as the report says it: one that was stopped early may have run nothing.
const cameTo = (head: unknown): string => {
  const rate = numberAt(head, "summary", "passRate", "mean")
  const cases = numberAt(head, "summary", "cases")
  return [
    ...(rate === undefined ? [] : [`${(rate * 100).toFixed(1)} % passed`]),
    ...(cases === undefined ? [] : [counted(cases, "case")])
  ].join(", ")
}

const startOf = (at: number | string | undefined): string =>
  at === undefined ? "\u2013" : time(typeof at === "number" ? at : Date.parse(at))

export const EvalsPage = () => {
  const { error, reload, value } = useLoaded("evals", evals)
  return (
    <>
      <PageHead title="Evals">
        {value === undefined ? "Reports" : counted(value.reports.length, "report")}, newest first
      </PageHead>
      {value === undefined ? (
        error === undefined ? (
          <Loading what="reports" />
        ) : (
          <Failed again={reload} message={error} what="The reports" />
        )
      ) : value.reports.length === 0 && value.broken.length === 0 ? (
        <Empty title="There are no reports yet">
          Run <code>effigent eval</code>: it writes its reports into the folder <code>.effigent/evals</code> of the
          project.
        </Empty>
      ) : (
        <>
          <Panel title="Reports">
            <ul className="rows">
              {value.reports.map((one) => (
                <li key={one.id}>
                  <Link className="row row-wide" to={href(["evals", one.id])}>
                    <span className="row-main strong">{one.name}</span>
                    <Status quiet status={typeof one.head["status"] === "string" ? one.head["status"] : "completed"} />
                    <span className="row-about">{cameTo(one.head)}</span>
                    <span className="row-end">{startOf(one.startedAt)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </Panel>
          {value.broken.map((one) => (
            <p className="notice notice-bad" key={one.file}>
              <span className="mono">{one.file}</span> {one.detail}
            </p>
          ))}
        </>
      )}
    </>
  )
}
