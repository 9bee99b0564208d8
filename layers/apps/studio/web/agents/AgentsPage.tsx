/** The agents of the project. */
import type { Project } from "../../Api.ts"
import { href, Link } from "../app/Router.tsx"
import { counted } from "../data/format.ts"
import { Empty } from "../ui/States.tsx"
import { PageHead } from "../ui/Page.tsx"

const outputOf = (agent: Project["agents"][number]): string => {
  const properties = agent.output?.["properties"]
  if (typeof properties !== "object" || properties === null) return agent.output === undefined ? "free text" : "a value"
  return Object.keys(properties).join(", ")
}

export const AgentsPage = ({ project }: { readonly project: Project }) => (
  <>
    <PageHead title="Agents">{counted(project.agents.length, "agent")} of this project</PageHead>
    {project.agents.length === 0 ? (
      <Empty title="The project has no agents">
        Name them in <code>effigent.config.ts</code>:{" "}
        <code>defineConfig(&#123; agents: &#123; triage &#125; &#125;)</code>, and start the studio again.
      </Empty>
    ) : (
      <ul className="cards">
        {project.agents.map((agent) => (
          <li key={agent.name}>
            <Link className="card" to={href(["agents", agent.name])}>
              <span className="card-title">{agent.name}</span>
              <span className="card-text">{agent.description ?? "No instructions"}</span>
              <dl className="card-facts">
                <div>
                  <dt>Answer</dt>
                  <dd>{outputOf(agent)}</dd>
                </div>
                <div>
                  <dt>Model</dt>
                  <dd>{agent.model ?? "the provider's default"}</dd>
                </div>
                {agent.actions.length === 0 ? null : (
                  <div>
                    <dt>Actions</dt>
                    <dd>{agent.actions.map(({ name }) => name).join(", ")}</dd>
                  </div>
                )}
              </dl>
            </Link>
          </li>
        ))}
      </ul>
    )}
  </>
)
