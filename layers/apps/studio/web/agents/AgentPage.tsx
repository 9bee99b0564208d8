/** One agent: the conversation with it, its sessions, and what it is made of. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react"
import type { Project } from "../../Api.ts"
import { go, href, Link, setQuery, useRoute } from "../app/Router.tsx"
import { runs } from "../data/Client.ts"
import { cost, counted, time, timeFull } from "../data/format.ts"
import { useNews } from "../data/News.ts"
import { useLoaded } from "../data/useLoaded.ts"
import { Button } from "../ui/Controls.tsx"
import { Json } from "../ui/Json.tsx"
import { PageHead, Panel } from "../ui/Page.tsx"
import { Empty, Failed, Loading } from "../ui/States.tsx"
import { Status } from "../ui/Status.tsx"
import { Composer } from "./Composer.tsx"
import { Turn } from "./Turn.tsx"
import { useConversation } from "./useConversation.ts"

type Agent = Project["agents"][number]

const freshSession = (): string => `studio-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 6)}`

const Sessions = ({ agent, session }: { readonly agent: string; readonly session: string }) => {
  const { error, reload, value } = useLoaded(`runs ${agent} ${session}`, (signal) =>
    runs({ agent, limit: 200 }, signal)
  )
  useNews("trace", 1500, reload)
  const sessions = useMemo(() => {
    const found = new Map<
      string,
      { readonly at: number | undefined; readonly status: string; runs: number; cost: number | undefined }
    >()
    for (const row of value ?? []) {
      if (row.session === undefined) continue
      const one = found.get(row.session)
      if (one === undefined) found.set(row.session, { at: row.startedAt, status: row.status, runs: 1, cost: row.cost })
      else {
        one.runs++
        if (row.cost !== undefined) one.cost = (one.cost ?? 0) + row.cost
      }
    }
    return Array.from(found)
  }, [value])
  if (error !== undefined && value === undefined) return <Failed again={reload} message={error} what="The sessions" />
  if (value === undefined) return <Loading what="sessions" />
  if (sessions.length === 0) return <p className="hint pad">The first message begins a session. It is listed here.</p>
  return (
    <ul className="rows">
      {sessions.map(([id, one]) => (
        <li key={id}>
          <Link
            aria-current={id === session ? "true" : undefined}
            className="row"
            to={href(["agents", agent], { session: id })}
          >
            <span className="row-main mono">{id}</span>
            <Status quiet status={one.status} />
            <span className="row-about">
              {counted(one.runs, "run")}
              {one.cost === undefined ? "" : `, ${cost(one.cost)}`}
            </span>
            <time className="row-end" title={timeFull(one.at)}>
              {time(one.at)}
            </time>
          </Link>
        </li>
      ))}
    </ul>
  )
}

const About = ({ agent }: { readonly agent: Agent }) => (
  <>
    <dl className="facts">
      <div>
        <dt>Model</dt>
        <dd>{agent.model ?? "the provider's default"}</dd>
      </div>
      {agent.format === undefined ? null : (
        <div>
          <dt>Format</dt>
          <dd>{agent.format}</dd>
        </div>
      )}
    </dl>
    {agent.actions.length === 0 ? null : (
      <>
        <h3 className="sub">Actions</h3>
        <ul className="plain">
          {agent.actions.map((action) => (
            <li key={action.name}>
              <code>{action.name}</code> <span className="hint">{action.description}</span>
            </li>
          ))}
        </ul>
      </>
    )}
    <h3 className="sub">Prompt</h3>
    {Object.keys(agent.prompt).length === 0 ? (
      <p className="hint">It has no instructions.</p>
    ) : (
      <Json open={1} value={agent.prompt} />
    )}
    {agent.output === undefined ? null : (
      <>
        <h3 className="sub">Output Schema</h3>
        <Json open={1} value={agent.output} />
      </>
    )}
  </>
)

const Chat = ({
  agent,
  isFresh,
  onBegun,
  session
}: {
  readonly agent: Agent
  readonly session: string
  readonly isFresh: boolean
  readonly onBegun: () => void
}) => {
  const { error, isLoaded, send, turns } = useConversation(agent.name, session, isFresh)
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  useLayoutEffect(() => {
    const [box, inside] = [scroller.current, content.current]
    if (box === null || inside === null) return
    // Whoever has scrolled up to read is left there.
    const observer = new ResizeObserver(() => {
      if (isAtEnd.current) box.scrollTop = box.scrollHeight
    })
    observer.observe(inside)
    return () => observer.disconnect()
  }, [])
  const isStructured = agent.output?.["type"] === "object" || agent.output?.["$ref"] !== undefined
  return (
    <section aria-label={`Conversation with ${agent.name}`} className="chat">
      <div
        aria-label="Messages"
        className="chat-scroll"
        onScroll={({ currentTarget: box }) => {
          isAtEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 60
        }}
        ref={scroller}
        role="region"
        tabIndex={0}
      >
        <div className="chat-content" ref={content}>
          {!isLoaded ? <Loading what="the conversation" /> : null}
          {isLoaded && turns.length === 0 ? (
            <Empty title={`Ask ${agent.name}`}>
              {agent.description === undefined
                ? "Write a message below."
                : `It was told: \u201c${agent.description}\u201d`}
            </Empty>
          ) : null}
          {turns.map((store) => (
            <Turn agent={agent.name} key={store.run} schema={isStructured ? agent.output : undefined} store={store} />
          ))}
          {error === undefined ? null : (
            <div className="notice notice-bad" role="alert">
              {error}
            </div>
          )}
        </div>
      </div>
      <Composer
        agent={agent.name}
        onSend={async (input) => {
          isAtEnd.current = true
          const begun = await send(input)
          if (begun) onBegun()
          return begun
        }}
      />
    </section>
  )
}

export const AgentPage = ({ name, project }: { readonly name: string; readonly project: Project }) => {
  const { query } = useRoute()
  const asked = query.get("session") ?? undefined
  const [own, setOwn] = useState(freshSession)
  const session = asked ?? own
  const agent = project.agents.find((one) => one.name === name)
  useEffect(() => {
    // Another agent is another conversation.
    setOwn(freshSession())
  }, [name])
  const begun = useCallback(() => {
    if (asked === undefined) setQuery({ session })
  }, [asked, session])
  if (agent === undefined)
    return (
      <>
        <PageHead title={name} up={{ name: "Agents", to: href(["agents"]) }} />
        <Empty title={`There is no agent ${name}`}>
          <Link to={href(["agents"])}>All agents</Link>
        </Empty>
      </>
    )
  return (
    <>
      <PageHead
        actions={
          <Button
            icon="plus"
            onPress={() => {
              setOwn(freshSession())
              go(href(["agents", name]))
            }}
          >
            New session
          </Button>
        }
        title={name}
        up={{ name: "Agents", to: href(["agents"]) }}
      >
        <span className="mono">{session}</span>
      </PageHead>
      <div className="agent">
        <Chat agent={agent} isFresh={session === own} onBegun={begun} session={session} />
        <div className="agent-aside">
          <Panel className="agent-sessions" title="Sessions">
            <Sessions agent={name} session={session} />
          </Panel>
          <Panel className="padded" title="Agent">
            <About agent={agent} />
          </Panel>
        </div>
      </div>
    </>
  )
}
