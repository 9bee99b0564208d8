/**
 * The libraries that are measured beside this one, from `test/bench/node_modules`. They are installed when they are
 * missing and are no part of this package, so that their types are described here, as far as they are used.
 */
import { execFileSync } from "node:child_process"
import { statSync } from "node:fs"
import { join } from "node:path"

const folder = import.meta.dirname

const changed = (path: string): number => statSync(join(folder, path), { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Installs the peers by their lock file, when it has changed since the last time. */
export const install = (): void => {
  if (changed("node_modules/.package-lock.json") > changed("package-lock.json")) return
  console.error("Installing the peers into test/bench/node_modules ...")
  execFileSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32"
  })
}

/** The address of the file that Node loads for a peer. */
export const addressOf = (name: string): string => import.meta.resolve(name)

const load = <Module>(name: string): Promise<Module> => import(name)

/** As much of `jsonriver` as is measured. */
export interface JsonRiver {
  readonly parse: (
    chunks: AsyncIterable<string>,
    options: { completeCallback: (value: unknown, path: { segments(): ReadonlyArray<string | number> }) => void }
  ) => AsyncIterable<unknown>
}

/** As much of `@streamparser/json` as is measured. */
export interface StreamParser {
  readonly JSONParser: new () => {
    onValue: (info: { readonly value: unknown; readonly key: unknown }) => void
    write(chunk: string): void
  }
}

/** As much of the AI SDK as is measured. */
export interface AiSdk {
  readonly parsePartialJson: (text: string) => Promise<{ readonly value: unknown }>
  readonly generateText: (settings: object) => Promise<{ readonly text: string }>
  readonly tool: (settings: object) => unknown
  readonly stepCountIs: (count: number) => unknown
  readonly ToolLoopAgent: new (settings: object) => object
  readonly streamText: (settings: object) => {
    readonly partialOutputStream: AsyncIterable<unknown>
    readonly textStream: AsyncIterable<string>
  }
  readonly jsonSchema: (schema: object) => unknown
  readonly Output: { readonly object: (options: { readonly schema: unknown }) => unknown }
}

/** Its test helpers. */
export interface AiSdkTest {
  readonly MockLanguageModelV4: new (options: object) => object
}

/** As much of XState as is measured. */
export interface XState {
  readonly assign: (changes: object) => unknown
  readonly sendTo: <Self>(target: (of: { readonly self: Self }) => Self, event: XStateEvent) => unknown
  readonly createMachine: (definition: object) => object
  readonly createActor: (machine: object, options?: { readonly input: unknown }) => XStateActor
}
/** An event of one of its machines. */
export interface XStateEvent {
  readonly type: string
}
/** A running machine. */
export interface XStateActor {
  start(): XStateActor
  send(event: XStateEvent): void
  stop(): void
  getSnapshot(): { readonly status: string; readonly context: { readonly count: number } }
}

/** As much of LlamaIndex's `workflow-core` as is measured. */
export interface LlamaIndex {
  readonly workflowEvent: <Data = void>() => LlamaIndexEvent<Data>
  readonly createWorkflow: () => {
    handle<Data>(
      events: readonly [LlamaIndexEvent<Data>],
      handler: (context: unknown, event: { readonly data: Data }) => Promise<unknown>
    ): void
    createContext(): { readonly stream: AsyncIterable<unknown>; readonly sendEvent: (event: unknown) => void }
  }
}
/** A kind of event. */
export interface LlamaIndexEvent<Data> {
  with(data: Data): unknown
  include(event: unknown): event is { readonly data: Data }
}

/** As much of Mastra as is measured: its workflows, and their store in memory. */
export interface Mastra {
  readonly createStep: <Input, Resume = never>(settings: {
    readonly [setting: string]: unknown
    readonly execute: (of: {
      readonly inputData: Input
      readonly resumeData?: Resume
      readonly suspend: (payload: unknown) => Promise<never>
    }) => Promise<unknown>
  }) => unknown
  readonly createWorkflow: (settings: object) => MastraBuilder
  readonly Mastra: new (settings: object) => { getWorkflow(id: string): MastraWorkflow }
  readonly InMemoryStore: new () => object
}
/** A workflow while it is written. */
export interface MastraBuilder {
  then(step: unknown): MastraBuilder
  foreach(step: unknown, options: { readonly concurrency: number }): MastraBuilder
  dountil<Output>(step: unknown, done: (of: { readonly inputData: Output }) => Promise<boolean>): MastraBuilder
  commit(): MastraWorkflow
}
/** A workflow that runs. */
export interface MastraWorkflow {
  createRun(): Promise<{
    start(of: { readonly inputData: unknown }): Promise<{ readonly status: string; readonly result?: unknown }>
  }>
}

/** As much of LangGraph as is measured. */
export interface LangGraph {
  readonly Annotation: {
    (of?: { readonly reducer: (sum: number, change: number) => number; readonly default: () => number }): unknown
    readonly Root: (fields: object) => object
  }
  readonly StateGraph: new <State>(fields: object) => LangGraphBuilder<State>
  readonly Send: new (node: string, input: unknown) => unknown
  readonly MemorySaver: new () => object
  readonly interrupt: (question: unknown) => unknown
  readonly START: string
  readonly END: string
}
/** A graph while it is written. */
export interface LangGraphBuilder<State> {
  addNode(name: string, run: (state: State) => Promise<Partial<State>>): LangGraphBuilder<State>
  addEdge(from: string, to: string): LangGraphBuilder<State>
  addConditionalEdges(from: string, choose: (state: State) => unknown): LangGraphBuilder<State>
  compile(options?: { readonly checkpointer: object }): {
    invoke(input: Partial<State>, options?: object): Promise<State & { readonly __interrupt__?: unknown }>
  }
}

/** As much of DBOS as is measured. */
export interface Dbos {
  readonly DBOS: {
    readonly registerWorkflow: <A, B>(run: (of: A) => Promise<B>, settings: object) => (of: A) => Promise<B>
    readonly runStep: <A>(run: () => Promise<A>, settings: object) => Promise<A>
    readonly setConfig: (config: object) => void
    readonly launch: () => Promise<void>
    readonly shutdown: () => Promise<void>
    readonly startWorkflow: <A, B>(
      workflow: (of: A) => Promise<B>,
      settings: object
    ) => (of: A) => Promise<{ readonly getResult: () => Promise<B> }>
  }
}

/** As much of zod as the peers need. */
export interface Zod {
  readonly number: () => object
  readonly array: (item: object) => object
}

/** Loads a peer. */
export const jsonRiver = (): Promise<JsonRiver> => load("jsonriver")
/** Loads a peer. */
export const streamParser = (): Promise<StreamParser> => load("@streamparser/json")
/** Loads a peer. */
export const aiSdk = (): Promise<AiSdk> => load("ai")
/** Loads a peer's test helpers. */
export const aiSdkTest = (): Promise<AiSdkTest> => load("ai/test")
/** Loads a peer. */
export const xState = (): Promise<XState> => load("xstate")
/** Loads a peer. */
export const llamaIndex = (): Promise<LlamaIndex> => load("@llamaindex/workflow-core")
/** Loads a peer. */
export const mastra = async (): Promise<Mastra> => ({
  ...(await load<Pick<Mastra, "createStep" | "createWorkflow">>("@mastra/core/workflows")),
  ...(await load<Pick<Mastra, "Mastra">>("@mastra/core/mastra")),
  ...(await load<Pick<Mastra, "InMemoryStore">>("@mastra/core/storage"))
})
/** Loads a peer. */
export const langGraph = (): Promise<LangGraph> => load("@langchain/langgraph")
/** Loads a peer. */
export const dbos = (): Promise<Dbos> => load("@dbos-inc/dbos-sdk")
/** Loads what peers describe their data with. */
export const zod = async (): Promise<Zod> => (await load<{ readonly z: Zod }>("zod")).z
