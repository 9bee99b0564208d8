/** One flow: its picture, a form to start it, and what was started last. */
import { Fragment, useState } from "react"
import type { Project } from "../../Api.ts"
import { announce } from "../app/Announcer.tsx"
import { go, href, Link } from "../app/Router.tsx"
import { executions, graph as loadGraph, startFlow } from "../data/Client.ts"
import { duration, time, timeFull } from "../data/format.ts"
import { type Json as JsonValue, shownParts, shownSchema } from "../data/JsonSchema.ts"
import { useNews } from "../data/News.ts"
import { useLoaded, wordsOf } from "../data/useLoaded.ts"
import { Json } from "../ui/Json.tsx"
import { PageHead, Panel } from "../ui/Page.tsx"
import { SchemaForm } from "../ui/SchemaForm.tsx"
import { Empty, Failed, Loading } from "../ui/States.tsx"
import { Status } from "../ui/Status.tsx"
import { FlowGraph } from "./LazyGraph.tsx"
import { flowPath } from "./FlowsPage.tsx"

type Flow = Project["flows"][number]

const Recent = ({ flow }: { readonly flow: string }) => {
  const { error, reload, value } = useLoaded(`recent ${flow}`, (signal) => executions({ flow, limit: 30 }, signal))
  useNews("execution", 1000, reload)
  if (error !== undefined && value === undefined) return <Failed again={reload} message={error} what="The executions" />
  if (value === undefined) return <Loading what="executions" />
  if (value.executions.length === 0) return <p className="hint pad">Start the flow: its executions are listed here.</p>
  return (
    <ul className="rows">
      {value.executions.map((one) => (
        <li key={one.id}>
          <Link className="row" to={href(["executions", one.id])}>
            <span className="row-main mono">{one.id}</span>
            <Status quiet status={one.dead === undefined ? one.status : "dead"} />
            <span className="row-about">
              {one.closedAt === undefined ? "" : duration(one.closedAt - one.startedAt)}
            </span>
            <time className="row-end" title={timeFull(one.startedAt)}>
              {time(one.startedAt)}
            </time>
          </Link>
        </li>
      ))}
    </ul>
  )
}

const Start = ({ flow, path }: { readonly flow: Flow; readonly path: string }) => {
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string | undefined>(undefined)
  const start = (input: JsonValue): void => {
    setBusy(true)
    setError(undefined)
    startFlow(path, input).then(
      ({ execution }) => {
        announce(`${flow.name} was started`)
        go(href(["executions", execution]))
      },
      (error: unknown) => {
        setBusy(false)
        setError(wordsOf(error))
      }
    )
  }
  return (
    <>
      <SchemaForm
        isBusy={isBusy}
        label="Input"
        onSend={start}
        schema={flow.contract.input}
        send={`Start ${flow.name}`}
      />
      {error === undefined ? null : (
        <div className="notice notice-bad" role="alert">
          {error}
        </div>
      )}
    </>
  )
}

const Contract = ({ flow: { contract } }: { readonly flow: Flow }) => (
  <>
    {(
      [
        ["Signals", contract.signals],
        ["Questions", contract.interrupts]
      ] as const
    ).map(([title, parts]) =>
      Object.keys(parts).length === 0 ? null : (
        <Fragment key={title}>
          <h3 className="sub">{title}</h3>
          <Json open={1} value={shownParts(parts)} />
        </Fragment>
      )
    )}
    <h3 className="sub">State</h3>
    <Json open={1} value={shownSchema(contract.state)} />
    {contract.result === null ? null : (
      <>
        <h3 className="sub">Result</h3>
        <Json open={1} value={shownSchema(contract.result)} />
      </>
    )}
  </>
)

export const FlowPage = ({ path, project }: { readonly path: string; readonly project: Project }) => {
  const flow = project.flows.find((one) => flowPath(one) === path) ?? project.flows.find((one) => one.name === path)
  const { error, reload, value } = useLoaded(`graph ${path}`, (signal) =>
    loadGraph(flow?.name ?? path, flow?.version, signal)
  )
  if (flow === undefined)
    return (
      <>
        <PageHead title={path} up={{ name: "Flows", to: href(["flows"]) }} />
        <Empty title={`There is no flow ${path}`}>
          <Link to={href(["flows"])}>All flows</Link>
        </Empty>
      </>
    )
  const isOnly = project.flows.filter(({ name }) => name === flow.name).length === 1
  return (
    <>
      <PageHead
        actions={
          <Link className="button button-plain" to={href(["executions"], { flow: flow.name })}>
            All executions
          </Link>
        }
        title={flow.name}
        up={{ name: "Flows", to: href(["flows"]) }}
      >
        {flow.version === undefined ? null : <span className="tag">{flow.version}</span>} fingerprint{" "}
        <span className="mono" title={flow.fingerprint}>
          {flow.fingerprint.slice(0, 12)}
        </span>
      </PageHead>
      <div className="flow">
        <Panel className="flow-graph" title="Graph">
          {value !== undefined ? (
            <FlowGraph graph={value} label={`Graph of ${flow.name}`} />
          ) : error === undefined ? (
            <Loading what="the graph" />
          ) : (
            <Failed again={reload} message={error} what="The graph" />
          )}
        </Panel>
        <Panel className="flow-start padded" title="Start">
          <Start flow={flow} path={isOnly ? flow.name : path} />
        </Panel>
        <Panel className="flow-recent" title="Latest executions">
          <Recent flow={flow.name} />
        </Panel>
        <Panel className="flow-contract padded" title="Contract">
          <Contract flow={flow} />
        </Panel>
      </div>
    </>
  )
}
