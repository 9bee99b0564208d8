/** Everything of one span: the prompt as it was rendered and the answer, or what went in and out; attributes and events. */
import type { RenderedRequest, SpanDetail } from "../../Api.ts"
import { span as loadSpan } from "../data/Client.ts"
import { cost, counted, duration, tokens } from "../data/format.ts"
import { useLoaded } from "../data/useLoaded.ts"
import { Copy } from "../ui/Copy.tsx"
import { Json } from "../ui/Json.tsx"
import { Panel } from "../ui/Page.tsx"
import { Failed, Loading } from "../ui/States.tsx"
import { Status } from "../ui/Status.tsx"

type Part = RenderedRequest["messages"][number]["parts"][number]

const partText = (part: Part): string =>
  part.text ??
  `${part.type}${part.name === undefined ? "" : ` ${part.name}`}${part.value === undefined ? "" : ` ${JSON.stringify(part.value, null, 2)}`}`

const promptText = (request: RenderedRequest): string =>
  request.messages.map(({ parts, role }) => `${role}:\n${parts.map(partText).join("\n")}`).join("\n\n")

const MessagePart = ({ part }: { readonly part: Part }) => (
  <div className="part" data-type={part.type}>
    {part.type === "text" ? null : (
      <span className="part-type">
        {part.type.replace("-", " ")} {part.name === undefined ? null : <span className="mono">{part.name}</span>}
      </span>
    )}
    {part.text === undefined ? null : <pre className="prompt-text">{part.text}</pre>}
    {part.value === undefined ? null : <Json value={part.value} />}
    {part.mediaType === undefined ? null : <span className="tag">{part.mediaType}</span>}
  </div>
)

const Prompt = ({ request }: { readonly request: RenderedRequest }) => (
  <Panel
    aside={<Copy label="Copy the prompt" text={() => promptText(request)} />}
    className="padded"
    title="Prompt as rendered"
  >
    <ol className="messages">
      {request.messages.map((message, index) => (
        // A prompt that was sent does not change: the place is the identity.
        <li className="message" data-role={message.role} key={index}>
          <h3 className="message-role">{message.role}</h3>
          {message.parts.map((part, at) => (
            <MessagePart key={at} part={part} />
          ))}
        </li>
      ))}
    </ol>
    {request.tools.length === 0 ? null : (
      <details>
        <summary>{counted(request.tools.length, "tool")} offered</summary>
        <Json open={1} value={request.tools} />
      </details>
    )}
    <details>
      <summary>
        Output {request.output.format}
        {request.output.native ? ", by the provider" : ""}
      </summary>
      <Json open={1} value={request.output.jsonSchema ?? request.output.name} />
    </details>
    {Object.keys(request.options).length === 0 ? null : (
      <details>
        <summary>Options</summary>
        <Json value={request.options} />
      </details>
    )}
  </Panel>
)

const Answer = ({ response }: { readonly response: NonNullable<SpanDetail["response"]> }) => (
  <Panel aside={<Copy label="Copy the answer" text={() => response.text} />} className="padded" title="Answer">
    {response.refusal === undefined ? null : <p className="notice notice-bad">{response.refusal}</p>}
    {response.reasoning === "" ? null : (
      <details>
        <summary>Reasoning, {counted(response.reasoning.length, "character")}</summary>
        <pre className="prompt-text">{response.reasoning}</pre>
      </details>
    )}
    {response.text === "" ? null : <pre className="prompt-text">{response.text}</pre>}
    {response.calls.map((call) => (
      <div className="part" key={call.id}>
        <span className="part-type">
          calls <span className="mono">{call.name}</span>
        </span>
        <pre className="prompt-text">{call.arguments}</pre>
      </div>
    ))}
    {response.text === "" && response.calls.length === 0 ? <p className="hint">The answer is empty.</p> : null}
  </Panel>
)

const Head = ({ detail: { request, response, span } }: { readonly detail: SpanDetail }) => {
  const facts: ReadonlyArray<readonly [string, string | undefined]> = [
    ["Model", span.model ?? request?.model],
    ["Provider", request?.provider],
    ["Time", span.duration === undefined ? "running" : duration(span.duration)],
    ["Began after", duration(span.start)],
    ["First token", span.timeToFirstToken === undefined ? undefined : duration(span.timeToFirstToken)],
    ["Tokens in", span.usage === undefined ? undefined : tokens(span.usage.inputTokens)],
    ["Cached", span.usage?.cachedInputTokens === undefined ? undefined : tokens(span.usage.cachedInputTokens)],
    ["Tokens out", span.usage === undefined ? undefined : tokens(span.usage.outputTokens)],
    ["Reasoning", span.usage?.reasoningTokens === undefined ? undefined : tokens(span.usage.reasoningTokens)],
    ["Cost", span.cost === undefined ? undefined : cost(span.cost)],
    ["Finished by", response?.finishReason]
  ]
  return (
    <Panel aside={<Status status={span.status} />} className="padded" title={span.name}>
      {span.error === undefined ? null : (
        <p className="notice notice-bad">
          <strong>{span.error.tag}</strong> {span.error.message}
        </p>
      )}
      <dl className="facts facts-wide">
        {facts.map(([name, value]) =>
          value === undefined ? null : (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          )
        )}
      </dl>
    </Panel>
  )
}

interface SpanViewProps {
  readonly trace: string
  readonly span: string
  /** Changes as the span goes on. */
  readonly turn: string
}

export const SpanView = ({ span, trace, turn }: SpanViewProps) => {
  const { error, reload, value } = useLoaded(`${trace} ${span} ${turn}`, (signal) => loadSpan(trace, span, signal))
  if (value === undefined)
    return error === undefined ? (
      <Loading what="the span" />
    ) : (
      <Failed again={reload} message={error} what="This span" />
    )
  return (
    <>
      <Head detail={value} />
      {value.truncated ? (
        <p className="notice notice-wait">Something of this span was too large to be kept whole.</p>
      ) : null}
      {value.request === undefined ? null : <Prompt request={value.request} />}
      {value.response === undefined ? null : <Answer response={value.response} />}
      {value.input === undefined ? null : (
        <Panel className="padded" title="Input">
          <Json open={3} value={value.input} />
        </Panel>
      )}
      {value.output === undefined ? null : (
        <Panel className="padded" title="Output">
          <Json open={3} value={value.output} />
        </Panel>
      )}
      <Panel className="padded" title="Attributes">
        {Object.keys(value.attributes).length === 0 ? (
          <p className="hint">It has none.</p>
        ) : (
          <Json value={value.attributes} />
        )}
      </Panel>
      {value.events.length === 0 ? null : (
        <Panel className="padded" title="Events">
          <ul className="plain">
            {value.events.map((event, index) => (
              // Events are only ever added behind the others.
              <li key={index}>
                <span className="faint">{duration(event.at)}</span> <span className="event-name">{event.name}</span>
                {Object.keys(event.attributes).length === 0 ? null : <Json open={0} value={event.attributes} />}
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </>
  )
}
