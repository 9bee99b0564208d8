/** All calls that wait for a decision, those of flows too, which no conversation shows. */
import { href, Link } from "../app/Router.tsx"
import { counted, time, timeFull } from "../data/format.ts"
import { useWaiting } from "../data/News.ts"
import { Json } from "../ui/Json.tsx"
import { PageHead } from "../ui/Page.tsx"
import { Empty } from "../ui/States.tsx"
import { Approval } from "./CallCard.tsx"

export const ApprovalsPage = () => {
  const waiting = useWaiting()
  return (
    <>
      <PageHead title="Approvals">{counted(waiting.length, "call")} waiting, oldest first</PageHead>
      {waiting.length === 0 ? (
        <Empty title="Nothing waits for you">
          Calls of actions that need approval are listed here while they wait, and in the conversation that they belong
          to.
        </Empty>
      ) : (
        <ul className="waiting">
          {waiting.map((one) => (
            <li className="waiting-one" key={one.id}>
              <p className="waiting-head">
                {one.agent === undefined ? (
                  <span className="strong">A flow</span>
                ) : (
                  <Link className="strong" to={href(["agents", one.agent])}>
                    {one.agent}
                  </Link>
                )}
                <span className="hint">
                  since <time title={timeFull(one.at)}>{time(one.at)}</time>
                </span>
              </p>
              {one.request.description === undefined ? null : <p className="hint">{one.request.description}</p>}
              <Json value={one.request.call.input} />
              <Approval waiting={one} />
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
