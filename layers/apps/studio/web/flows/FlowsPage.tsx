/** The flows of the project. */
import type { Project } from "../../Api.ts"
import { href, Link } from "../app/Router.tsx"
import { counted } from "../data/format.ts"
import { shownSchema } from "../data/JsonSchema.ts"
import { PageHead } from "../ui/Page.tsx"
import { Empty } from "../ui/States.tsx"

const fieldsOf = (schema: { readonly [key: string]: unknown }): string => {
  const properties = schema["properties"]
  if (typeof properties === "object" && properties !== null) return Object.keys(properties).join(", ")
  if (typeof shownSchema(schema) === "string") return String(shownSchema(schema))
  return typeof schema["type"] === "string" ? schema["type"] : "any value"
}

/** How a flow is called in addresses: two versions of one name differ. */
export const flowPath = (flow: { readonly name: string; readonly version?: string | undefined }): string =>
  flow.version === undefined ? flow.name : `${flow.name}@${flow.version}`

export const FlowsPage = ({ project }: { readonly project: Project }) => (
  <>
    <PageHead title="Flows">{counted(project.flows.length, "flow")} of this project</PageHead>
    {project.flows.length === 0 ? (
      <Empty title="The project has no flows">
        Name them in <code>effigent.config.ts</code>: <code>defineConfig(&#123; flows: [review] &#125;)</code>, and
        start the studio again.
      </Empty>
    ) : (
      <ul className="cards">
        {project.flows.map((flow) => (
          <li key={flowPath(flow)}>
            <Link className="card" to={href(["flows", flowPath(flow)])}>
              <span className="card-title">
                {flow.name} {flow.version === undefined ? null : <span className="tag">{flow.version}</span>}
              </span>
              <dl className="card-facts">
                <div>
                  <dt>Input</dt>
                  <dd>{fieldsOf(flow.contract.input)}</dd>
                </div>
                {Object.keys(flow.contract.interrupts).length === 0 ? null : (
                  <div>
                    <dt>Asks</dt>
                    <dd>{Object.keys(flow.contract.interrupts).join(", ")}</dd>
                  </div>
                )}
                {Object.keys(flow.contract.signals).length === 0 ? null : (
                  <div>
                    <dt>Signals</dt>
                    <dd>{Object.keys(flow.contract.signals).join(", ")}</dd>
                  </div>
                )}
                <div>
                  <dt>Fingerprint</dt>
                  <dd className="mono">{flow.fingerprint.slice(0, 12)}</dd>
                </div>
              </dl>
            </Link>
          </li>
        ))}
      </ul>
    )}
  </>
)
