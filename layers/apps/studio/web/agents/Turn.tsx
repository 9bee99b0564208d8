/** One question and its answer, while it comes and afterwards. */
import { useEffect, useState, useSyncExternalStore } from "react"
import type { RunRow } from "../../Api.ts"
import { announce } from "../app/Announcer.tsx"
import { href, Link } from "../app/Router.tsx"
import { cancelRun, run as loadRun } from "../data/Client.ts"
import { cost, counted, duration, timeFull, tokens } from "../data/format.ts"
import type { Json as JsonValue, JsonSchema } from "../data/JsonSchema.ts"
import { Button } from "../ui/Controls.tsx"
import { Copy } from "../ui/Copy.tsx"
import { Growing } from "../ui/Growing.tsx"
import { Json } from "../ui/Json.tsx"
import { Status } from "../ui/Status.tsx"
import { CallCard } from "./CallCard.tsx"
import { FieldTree } from "./FieldTree.tsx"
import type { RunStore } from "./RunStore.ts"

const endings: Readonly<Record<string, string>> = {
  completed: "The answer is complete",
  failed: "The run failed",
  cancelled: "The run was stopped"
}

// A run of a session tells the session beside what was said.
const saidOf = (input: JsonValue | undefined): JsonValue | undefined =>
  typeof input === "object" && input !== null && "session" in input && "input" in input ? input.input : input

const long = 2000

/** What was said; a very long text is shown by its begin. */
const Said = ({ text }: { readonly text: string }) => {
  const [isWhole, setWhole] = useState(false)
  const isCut = text.length > long && !isWhole
  return (
    <p className="turn-text">
      {isCut ? `${text.slice(0, long)}\u2026 ` : text}
      {isCut ? (
        <button className="json-more" onClick={() => setWhole(true)} type="button">
          show all {counted(text.length, "character")}
        </button>
      ) : null}
    </p>
  )
}

/** What a run has used, from its events, and from the server once it has ended. */
const Measures = ({ isOver, store }: { readonly store: RunStore; readonly isOver: boolean }) => {
  const [row, setRow] = useState<RunRow | undefined>(undefined)
  useEffect(() => {
    if (!isOver) return
    const controller = new AbortController()
    loadRun(store.run, controller.signal).then(setRow, () => undefined)
    return () => controller.abort()
  }, [store, isOver])
  const { state } = store
  const answered = store.requests.flatMap((one) => one.answered ?? [])
  const sum = (part: "inputTokens" | "outputTokens") =>
    row?.usage[part] ?? answered.reduce((all, one) => all + (one.usage[part] ?? 0), 0)
  const first = row?.timeToFirstToken ?? answered[0]?.timeToFirstToken
  const took =
    state?.startedAt === undefined || state.endedAt === undefined ? undefined : state.endedAt - state.startedAt
  return (
    <dl className="measures">
      {took === undefined ? null : (
        <div>
          <dt>Time</dt>
          <dd title={timeFull(state?.startedAt)}>{duration(took)}</dd>
        </div>
      )}
      {first === undefined ? null : (
        <div>
          <dt>First token</dt>
          <dd>{duration(first)}</dd>
        </div>
      )}
      {answered.length === 0 && row === undefined ? null : (
        <div>
          <dt>Tokens</dt>
          <dd>
            {tokens(sum("inputTokens"))} in, {tokens(sum("outputTokens"))} out
          </dd>
        </div>
      )}
      {row?.cost === undefined ? null : (
        <div>
          <dt>Cost</dt>
          <dd>{cost(row.cost)}</dd>
        </div>
      )}
      {store.requests.length < 2 ? null : (
        <div>
          <dt>Requests</dt>
          <dd>{store.requests.length}</dd>
        </div>
      )}
      {row?.trace === undefined ? null : (
        <div>
          <dt className="sr-only">Trace</dt>
          <dd>
            <Link to={href(["traces", row.trace])}>Open the trace</Link>
          </dd>
        </div>
      )}
    </dl>
  )
}

interface TurnProps {
  readonly store: RunStore
  readonly agent: string
  readonly schema: JsonSchema | undefined
}

export const Turn = ({ agent, schema, store }: TurnProps) => {
  useSyncExternalStore(store.subscribe, store.read)
  const { state } = store
  const status = state?.status ?? "pending"
  const isOver = store.isOver || status === "completed" || status === "failed" || status === "cancelled"
  const isStructured = schema !== undefined
  const hasText = store.text.length > 0
  useEffect(() => {
    if (isOver) announce(endings[status] ?? "The run has ended")
  }, [isOver, status])
  const pieces = store.fields.size
  useEffect(() => {
    if (!isOver && pieces > 0) announce(`${counted(pieces, "field")} so far`)
  }, [isOver, pieces])
  const answer = (): string =>
    state?.value === undefined
      ? store.text.toString()
      : typeof state.value === "string"
        ? state.value
        : JSON.stringify(state.value, null, 2)
  const input = saidOf(state?.input)
  return (
    <article aria-label={`Run ${store.run}`} className="turn" data-status={status}>
      {input === undefined ? null : (
        <div className="turn-input">
          <span className="turn-who">You</span>
          {typeof input === "string" ? <Said text={input} /> : <Json value={input} />}
        </div>
      )}
      <div className="turn-output">
        <div className="turn-head">
          <span className="turn-who">{agent}</span>
          <Status status={isOver || status !== "running" ? status : hasText ? "streaming" : "running"} />
          <span className="spacer" />
          {isOver ? (
            <Copy label="Copy the answer" text={answer} />
          ) : (
            <Button icon="stop" kind="quiet" onPress={() => void cancelRun(store.run).catch(() => undefined)}>
              Stop
            </Button>
          )}
        </div>
        {store.reasoning.length === 0 ? null : (
          <details className="reasoning">
            <summary>
              Reasoning <span className="hint">{counted(store.reasoning.length, "character")}</span>
            </summary>
            <Growing isLive={!isOver} length={store.reasoning.length} text={store.reasoning} />
          </details>
        )}
        {store.calls.size === 0 ? null : (
          <div className="calls">
            {Array.from(store.calls, ([key, one]) => (
              <CallCard isOver={isOver} key={key} one={one} />
            ))}
          </div>
        )}
        {store.corrections.map(({ attempt, reason }) => (
          <p className="correction" key={attempt}>
            <span className="tag tag-wait">attempt {attempt}</span> {reason}
          </p>
        ))}
        {isStructured ? (
          <FieldTree fields={store.fields} isOver={isOver} schema={schema} />
        ) : hasText || (!isOver && store.calls.size === 0) ? (
          <div className="answer">
            {hasText ? (
              <Growing isLive={!isOver} length={store.text.length} text={store.text} />
            ) : (
              <span className="hint">Waiting for the first words</span>
            )}
          </div>
        ) : null}
        {isStructured && hasText ? (
          <details className="reasoning">
            <summary>
              As the model wrote it <span className="hint">{counted(store.text.length, "character")}</span>
            </summary>
            <div className="mono">
              <Growing isLive={!isOver} length={store.text.length} text={store.text} />
            </div>
          </details>
        ) : null}
        {state?.failure === undefined ? null : (
          <div className="notice notice-bad" role="alert">
            <strong>{state.failure.tag}</strong> {state.failure.message}
          </div>
        )}
        {status === "cancelled" ? (
          <p className="hint">Stopped{state?.reason === undefined ? "" : `: ${state.reason}`}.</p>
        ) : null}
        {store.trouble === undefined ? null : <div className="notice notice-wait">{store.trouble}</div>}
        <Measures isOver={isOver} store={store} />
      </div>
    </article>
  )
}
