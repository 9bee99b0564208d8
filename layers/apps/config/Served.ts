/** A project as an HTTP server serves it: its agents with their sessions, and its flows by their names. */
import * as Agent from "../../../src/agent/Agent.ts"
import * as Session from "../../../src/agent/Session.ts"
import * as Http from "../../http/Http.ts"
import type * as Flow from "../../../src/triggerflow/Flow.ts"
import type { Spec } from "../../../src/triggerflow/Spec.ts"
import type { AnyAgent, AnyFlow, Project } from "./Project.ts"

/** An agent under the name that it has in the project, unless it has one of its own. @category conversions */
export const named = (agent: AnyAgent, name: string): AnyAgent =>
  agent.pipe(Agent.settings({ name: agent.config.name ?? name }))

/** The names of flows in paths: where several versions have one name, `name@version`. @category conversions */
export const flowNames = (flows: ReadonlyArray<AnyFlow>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const { name } of flows) counts.set(name, (counts.get(name) ?? 0) + 1)
  return flows.map(({ data, name }) => {
    const { version } = data.contract
    return (counts.get(name) ?? 0) > 1 && version !== undefined ? `${name}@${version}` : name
  })
}

/** A flow without its types. @category conversions */
// What is done with a flow as a value needs none of them.
export const typed = (flow: AnyFlow) => flow as Flow.Flow<Spec, unknown, unknown>

/** What `effigent/layers/http` serves of a project. @category conversions */
export const definitionOf = (project: Project, about: { readonly title: string; readonly version?: string }) => {
  const sessions = Session.make()
  const names = flowNames(project.flows)
  return {
    ...about,
    agents: Object.fromEntries(
      Object.entries(project.agents).map(([name, agent]) => [
        name,
        Http.agent(named(agent, name), {
          prepare: (agent, { session }) =>
            session === undefined ? agent : agent.pipe(Session.attach(sessions, session))
        })
      ])
    ),
    flows: Object.fromEntries(project.flows.map((flow, at) => [names[at] ?? flow.name, typed(flow)]))
  }
}
