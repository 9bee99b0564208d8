/** One execution, live: its graph with the state of every step, its questions, its timeline, its state and stream. */
import { useEffect, useMemo, useState, useSyncExternalStore } from "react"
import { type Key, Tab, TabList, TabPanel, Tabs } from "react-aria-components"
import type { ExecutionDetail, Project } from "../../Api.ts"
import { announce } from "../app/Announcer.tsx"
import { href, Link, setQuery, useRoute } from "../app/Router.tsx"
import { deadLetter, end, execution as loadExecution, graph as loadGraph } from "../data/Client.ts"
import { count, counted, duration, time, timeFull } from "../data/format.ts"
import { useEvery, useLoaded, wordsOf } from "../data/useLoaded.ts"
import { FlowGraph } from "../flows/LazyGraph.tsx"
import { Button } from "../ui/Controls.tsx"
import { Json } from "../ui/Json.tsx"
import { PageHead, Panel } from "../ui/Page.tsx"
import { Pending } from "../ui/Pending.tsx"
import { Failed, Loading } from "../ui/States.tsx"
import { Status } from "../ui/Status.tsx"
import { ExecutionStore } from "./ExecutionStore.ts"
import { Questions } from "./Questions.tsx"
import { Signals } from "./Signals.tsx"
import { StreamView } from "./StreamView.tsx"
import { Timeline } from "./Timeline.tsx"

const useExecution = (id: string) => {
  const store = useMemo(() => new ExecutionStore(id), [id])
  useSyncExternalStore(store.subscribe, store.read)
  useEffect(() => {
    store.open()
    return () => store.close()
  }, [store])
  const detail = useLoaded(`execution ${id}`, (signal) => loadExecution(id, signal))
  // What is not told live, as the state, is read anew as the execution goes on: at most twice a second.
  const { reload } = detail
  const { turn } = store
  useEffect(() => {
    if (turn === 0) return
    const timer = window.setTimeout(reload, 400)
    return () => window.clearTimeout(timer)
  }, [turn, reload])
  return { store, ...detail }
}

const Actions = ({ detail, onDone }: { readonly detail: ExecutionDetail; readonly onDone: () => void }) => {
  const [error, setError] = useState<string | undefined>(undefined)
  const act = (what: Promise<unknown>, said: string): void => {
    setError(undefined)
    what.then(
      () => {
        announce(said)
        onDone()
      },
      (error: unknown) => setError(wordsOf(error))
    )
  }
  return (
    <>
      {error === undefined ? null : (
        <span className="field-error" role="alert">
          {error}
        </span>
      )}
      {detail.trace === undefined ? null : (
        <Link className="button button-plain" to={href(["traces", detail.trace])}>
          Trace
        </Link>
      )}
      {detail.dead === undefined ? null : (
        <>
          <Button onPress={() => act(deadLetter(detail.id, "retry"), "It goes on")}>Try again</Button>
          <Button kind="danger" onPress={() => act(deadLetter(detail.id, "discard"), "Discarded")}>
            Discard
          </Button>
        </>
      )}
      {detail.lifecycle === "closed" ? null : (
        <>
          <Button onPress={() => act(end(detail.id, "close"), "Closed")}>Close</Button>
          <Button icon="stop" kind="danger" onPress={() => act(end(detail.id, "cancel"), "Cancelled")}>
            Cancel
          </Button>
        </>
      )}
    </>
  )
}

// Before something was chosen: what it came to, or while it has not ended its state.
const openTab = ({ failure, lifecycle, result }: ExecutionDetail): Key =>
  lifecycle === "closed" && (result !== undefined || failure !== undefined) ? "result" : "state"

const Values = ({ detail, store }: { readonly detail: ExecutionDetail; readonly store: ExecutionStore }) => {
  const [chosen, setChosen] = useState<Key | undefined>(undefined)
  return (
    <Tabs className="tabs" onSelectionChange={setChosen} selectedKey={chosen ?? openTab(detail)}>
      <TabList aria-label="What is in it" className="tab-list">
        <Tab className="tab" id="state">
          State
        </Tab>
        <Tab className="tab" id="stream">
          Stream {store.entries.length > 0 ? <span className="tab-count">{count(store.entries.length)}</span> : null}
        </Tab>
        <Tab className="tab" id="input">
          Input
        </Tab>
        <Tab className="tab" id="result">
          Result
        </Tab>
      </TabList>
      <TabPanel className="tab-panel" id="state">
        {Object.keys(detail.state).length === 0 ? (
          <p className="hint">The state is empty.</p>
        ) : (
          <Json open={3} value={detail.state} />
        )}
      </TabPanel>
      <TabPanel className="tab-panel tab-panel-flush" id="stream">
        <StreamView store={store} />
      </TabPanel>
      <TabPanel className="tab-panel" id="input">
        {detail.input === undefined ? <p className="hint">It is not known.</p> : <Json open={3} value={detail.input} />}
      </TabPanel>
      <TabPanel className="tab-panel" id="result">
        {detail.result !== undefined ? (
          <Json open={3} value={detail.result} />
        ) : detail.failure !== undefined ? (
          <Json open={3} value={detail.failure} />
        ) : (
          <p className="hint">{detail.lifecycle === "closed" ? "It gave no result." : "There is none yet."}</p>
        )}
      </TabPanel>
    </Tabs>
  )
}

const Took = ({ detail, isOver }: { readonly detail: ExecutionDetail; readonly isOver: boolean }) => {
  const [now, setNow] = useState(Date.now)
  useEvery(isOver || detail.closedAt !== undefined ? undefined : 1000, () => setNow(Date.now()))
  return <>{duration(Math.max(0, (detail.closedAt ?? now) - detail.startedAt))}</>
}

export const ExecutionPage = ({ id, project }: { readonly id: string; readonly project: Project }) => {
  const { query } = useRoute()
  const step = query.get("step") ?? undefined
  const { error, reload, store, value: detail } = useExecution(id)
  const flow = project.flows.find(({ name, version }) => name === detail?.flow && version === detail.version)
  const graph = useLoaded(`graph ${detail?.flow ?? ""} ${detail?.version ?? ""}`, async (signal) =>
    detail === undefined ? undefined : loadGraph(detail.flow, detail.version, signal)
  )
  // A group has the name of its operator; a step of the same key is more exact.
  const names = useMemo(() => {
    const nodes = graph.value?.nodes.toSorted(
      (one, other) => Number(other.shape === "group") - Number(one.shape === "group")
    )
    return new Map(nodes?.flatMap(({ key, label }) => (key === undefined ? [] : [[key, label] as const])) ?? [])
  }, [graph.value])
  const status = detail?.dead !== undefined ? "dead" : (store.standing?.status ?? detail?.status ?? "created")
  const questions = store.standing?.questions ?? detail?.questions ?? []
  useEffect(() => {
    if (store.standing !== undefined) announce(`The execution is ${status}`)
  }, [store, status])
  useEffect(() => {
    if (questions.length > 0) announce(`${counted(questions.length, "question")} to answer`)
  }, [questions.length])
  if (detail === undefined)
    return (
      <Pending
        again={reload}
        error={error}
        title={id}
        up={{ name: "Executions", to: href(["executions"]) }}
        what="the execution"
      />
    )
  const choose = (next: string | undefined): void => setQuery({ step: next })
  return (
    <>
      <PageHead
        actions={<Actions detail={detail} onDone={reload} />}
        isCode
        title={detail.id}
        up={{ name: "Executions", to: href(["executions"]) }}
      >
        <Status status={status} />
        <Link to={href(["flows", detail.flow])}>{detail.flow}</Link>
        {detail.version === undefined ? null : <span className="tag">{detail.version}</span>}
        <span>
          <Took detail={detail} isOver={store.isOver} />, since{" "}
          <time title={timeFull(detail.startedAt)}>{time(detail.startedAt)}</time>
        </span>
        {detail.tags.map((tag) => (
          <span className="tag" key={tag}>
            {tag}
          </span>
        ))}
      </PageHead>
      {detail.dead === undefined ? null : (
        <p className="notice notice-bad">
          It was put aside after {counted(detail.dead.tries, "try", "tries")}: {detail.dead.reason}
        </p>
      )}
      {detail.failure === undefined ? null : (
        <p className="notice notice-bad" role="alert">
          {detail.failure.message}
        </p>
      )}
      {store.trouble === undefined ? null : <p className="notice notice-wait">{store.trouble}</p>}
      <Questions execution={id} flow={flow} questions={questions} />
      <div className="execution">
        <Panel className="execution-graph" title="Graph">
          {graph.value !== undefined ? (
            <FlowGraph
              chosen={step}
              graph={graph.value}
              label={`Graph of ${detail.flow}`}
              onChoose={choose}
              steps={store.steps}
            />
          ) : graph.error === undefined ? (
            <Loading what="the graph" />
          ) : (
            <Failed again={graph.reload} message={graph.error} what="The graph" />
          )}
        </Panel>
        <Panel
          aside={detail.lifecycle === "open" && flow !== undefined ? <Signals execution={id} flow={flow} /> : undefined}
          className="execution-values"
          title="Values"
        >
          <Values detail={detail} store={store} />
        </Panel>
        <Timeline
          canFork={project.capabilities.history}
          execution={id}
          names={names}
          onStep={choose}
          step={step}
          turn={store.turn}
        />
      </div>
    </>
  )
}
