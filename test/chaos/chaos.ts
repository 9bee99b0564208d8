// Executions under fire: workers are killed, frozen and cut off while they run orders and clerks, and in the end every
// signal, step and effect is compared with what a ledger outside says.
import { setTimeout as pause } from "node:timers/promises"
import { type Command, type Reply, Worker } from "./fleet.ts"
import type { Database } from "./database.ts"
import { steps } from "./flows.ts"
import * as Ledger from "./ledger.ts"

type Blow = "kill" | "freeze" | "drain"

/** What is done to the workers. */
export interface Plan {
  /** A file of SQLite, or the URL of a PostgreSQL; after `cluster:`, the workers are runners of a cluster. */
  readonly store: string
  readonly ledger: string
  readonly kills: number
  readonly seed: number
  /** Names of the workers. One: each life follows the one before. Several: they take over from each other. */
  readonly runners: ReadonlyArray<string>
  /** Freezes instead of kills, one time in so many; 0: never. */
  readonly freezes: number
  /** Ends in good order instead of kills, one time in so many. */
  readonly drains?: number | undefined
  /** What the first blows are; where it says nothing, chance does. */
  readonly order?: ReadonlyArray<Blow> | undefined
  /** In milliseconds. */
  readonly lease: number
  /** How many executions there are at once. */
  readonly load: number
  /** Done between two blows, for what else goes wrong. */
  readonly trouble?: ((random: (below: number) => number) => Promise<void>) | undefined
  readonly say: (text: string) => void
}

/** What has come of it. */
export interface Outcome {
  readonly kills: number
  readonly freezes: number
  readonly drains: number
  readonly executions: number
  readonly signals: number
  /** Signals that were acknowledged and not taken in, or taken in twice by the state. */
  readonly lostSignals: number
  readonly lostSteps: number
  /** Effects that were done more than once although they must not be. */
  readonly duplicateOnceEffects: number
  /** Handlers that ran again, and how many may have been at work when something was killed. */
  readonly repeatedSteps: number
  readonly inFlightAtKills: number
  /** From the start of a process that follows on a killed one to its first step; of all, the 95th percentile. */
  readonly recoveryP95Ms: number
  readonly stuck: number
  readonly seconds: number
}

/** Numbers that depend on a seed alone. */
export const randomly = (seed: number) => {
  let state = seed * 2654435761 + 1
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return ((state >>> 8) & 0xffffff) % below
  }
}

interface Tracked {
  readonly id: string
  readonly flow: "order" | "clerk"
  readonly notes: ReadonlyArray<string>
  acknowledged: Array<string>
  done: boolean
  view:
    | {
        readonly status: string
        readonly state: { readonly [key: string]: unknown }
        readonly result?: unknown
        readonly questions?: ReadonlyArray<{ readonly id: string; readonly interrupt: string }>
      }
    | undefined
}

/** Lets it all happen; gives what was lost, repeated and doubled. */
export const run = async (plan: Plan): Promise<Outcome> => {
  const { ledger, lease, runners, say, store } = plan
  const random = randomly(plan.seed)
  const begun = Date.now()
  const workers = new Map(runners.map((runner) => [runner, new Worker(runner, store, ledger, lease)]))
  const restarts: Array<{ readonly at: number }> = []
  let inFlight = 0
  let thawedAt = 0
  let ended = false

  /** Sends a command to whoever takes it, until somebody has. */
  const send = async (command: Command): Promise<Reply> => {
    for (let turn = random(runners.length); ; turn++) {
      const worker = workers.get(runners[turn % runners.length] ?? "")
      if (worker !== undefined && worker.alive && !worker.frozen && (await worker.ready)) {
        const reply = await worker.send(command, 3000)
        if (reply?.ok === true) return reply
        // The flow itself has refused it: nothing changes that.
        if (
          reply !== undefined &&
          reply.error !== undefined &&
          /FlowFailed|Conflict|UnknownExecution:/.test(reply.error)
        )
          if (!/Left|goes on elsewhere/.test(reply.error)) return reply
      }
      await pause(20)
      if (ended) return { ok: false, error: "it is over" }
    }
  }

  const tracked: Array<Tracked> = []
  const life = async (number: number): Promise<void> => {
    const flow = number % 4 === 3 ? "clerk" : "order"
    const id = `${flow}-${plan.seed}-${number}`
    const notes = flow === "order" ? Array.from({ length: 1 + random(3) }, (_, note) => `${id}:${note}`) : []
    const one: Tracked = { id, flow, notes, acknowledged: [], done: false, view: undefined }
    tracked.push(one)
    await send({
      op: "start",
      flow,
      execution: id,
      input: flow === "order" ? { items: 4, wait: 150 } : "Pay the bill."
    })
    const said = Promise.all(
      notes.map(async (note) => {
        await pause(random(400))
        const reply = await send({ op: "note", execution: id, request: note })
        if (reply.ok) one.acknowledged.push(note)
        // As networks do that deliver at least once.
        if (random(3) === 0) await send({ op: "note", execution: id, request: note })
      })
    )
    if (flow === "order") {
      await pause(random(300))
      await send({ op: "answer", execution: id, request: `${id}:approved` })
    }
    await said
    for (;;) {
      const { error, value } = await send({ op: "get", execution: id })
      // What the service gives.
      const view = value as Tracked["view"]
      if (error !== undefined && ended) return
      const full = view?.result !== undefined && (flow !== "order" || takenIn(view) >= notes.length)
      if (full || (view !== undefined && ["failed", "cancelled"].includes(view.status))) break
      for (const { id: question, interrupt } of view?.questions ?? [])
        if (interrupt === "UnknownOutcome") await tell(id, question)
      await pause(60)
      if (ended) return
    }
    await send({ op: "close", execution: id })
    const { value } = await send({ op: "get", execution: id })
    one.view = value as Tracked["view"] // as above
    one.done = true
  }
  /** A person says what became of a payment: when nobody who may have made it is frozen, or was a moment ago. */
  const tell = async (execution: string, question: string): Promise<void> => {
    while ([...workers.values()].some(({ frozen }) => frozen) || Date.now() - thawedAt < 500) await pause(50)
    const paid = Ledger.read(ledger).some(({ key, kind }) => kind === "once" && key.startsWith(`${execution}/`))
    const input = paid ? { _tag: "Done", result: "paid" } : { _tag: "Again" }
    await send({ op: "tell", execution, question, input, request: `${question}:told` })
  }
  const takenIn = (view: Tracked["view"]): number => {
    const notes = view?.state["notes"]
    return Array.isArray(notes) ? notes.length : 0
  }

  let number = 0
  let blows = 0
  let freezes = 0
  let drains = 0
  const lanes = Array.from({ length: plan.load }, async () => {
    while (!ended && blows < plan.kills) await life(number++)
  })

  for (; blows < plan.kills;) {
    const runner = runners[random(runners.length)] ?? ""
    const worker = workers.get(runner)
    if (worker === undefined || !(await worker.ready)) {
      workers.set(runner, new Worker(runner, store, ledger, lease))
      continue
    }
    await pause(100 + random(500))
    await plan.trouble?.(random)
    const blow = plan.order?.[blows] ?? byChance(plan, random)
    if (blow === "freeze") {
      worker.signal("SIGSTOP")
      freezes++
      await pause(lease + 500 + random(lease))
      worker.signal("SIGCONT")
      thawedAt = Date.now()
      blows++
      say(`${blows}: ${runner} was frozen`)
      continue
    }
    if (blow === "drain") {
      worker.signal("SIGTERM")
      drains++
      say(`${blows + 1}: ${runner} was told to end`)
    } else {
      inFlight += await atWork(worker)
      worker.signal("SIGKILL")
      say(`${blows + 1}: ${runner} was killed`)
    }
    blows++
    if (runners.length > 1) await pause(random(lease * 2))
    const next = new Worker(runner, store, ledger, lease)
    workers.set(runner, next)
    restarts.push({ at: next.begunAt })
  }

  // Everything comes to its end now, or is stuck.
  const patience = pause(60_000, undefined, { ref: false }).then(() => (ended = true))
  await Promise.race([Promise.all(lanes), patience])
  ended = true
  for (const worker of workers.values()) await worker.end()
  await Promise.race([Promise.all(lanes), pause(5000, undefined, { ref: false })])

  return {
    ...judge(tracked, Ledger.read(ledger), restarts),
    kills: blows - freezes - drains,
    freezes,
    drains,
    inFlightAtKills: inFlight,
    seconds: (Date.now() - begun) / 1000
  }
}

const byChance = ({ drains, freezes, runners }: Plan, random: (below: number) => number): Blow => {
  if (freezes > 0 && random(freezes) === 0 && runners.length > 1) return "freeze"
  return drains !== undefined && random(drains) === 0 ? "drain" : "kill"
}

/** Whether nothing was lost, doubled or is stuck. */
export const isWhole = (outcome: Outcome): boolean =>
  outcome.lostSignals === 0 &&
  outcome.lostSteps === 0 &&
  outcome.duplicateOnceEffects === 0 &&
  outcome.stuck === 0 &&
  outcome.repeatedSteps <= outcome.inFlightAtKills

/** What else goes wrong with a database. */
export const troubleOf =
  (database: Database) =>
  async (random: (below: number) => number): Promise<void> => {
    switch (random(4)) {
      case 0:
        return database.drop()
      case 1:
        return database.hang(200 + random(1500))
      case 2:
        return database.restart()
    }
  }

// How many handlers may be at work: as many as executions are in memory, twice for the items of an order.
const atWork = async (worker: Worker): Promise<number> => {
  const reply = await worker.send({ op: "health" }, 1000)
  const health = reply?.value as { readonly active?: number } | undefined // what the service gives
  return 2 * (health?.active ?? 0)
}

const count = (items: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

/** Compares what the executions say with what the ledger says. */
const judge = (
  tracked: ReadonlyArray<Tracked>,
  lines: ReadonlyArray<Ledger.Line>,
  restarts: ReadonlyArray<{ readonly at: number }>
): Omit<Outcome, "kills" | "freezes" | "drains" | "inFlightAtKills" | "seconds"> => {
  let lostSignals = 0
  let lostSteps = 0
  let stuck = 0
  let signals = 0
  const done = count(lines.filter(({ kind }) => kind === "step").map(({ execution, key }) => `${execution} ${key}`))
  for (const { acknowledged, done: isDone, flow, id, notes, view } of tracked) {
    signals += acknowledged.length
    if (!isDone) {
      stuck++
      continue
    }
    if (flow === "clerk") {
      if (view?.result === undefined) lostSteps++
      continue
    }
    const taken = view?.state["notes"]
    const kept = count(Array.isArray(taken) ? taken.map(String) : [])
    for (const note of notes) if (kept.get(note) !== 1) lostSignals++
    const result = view?.result as { readonly packed: ReadonlyArray<number>; readonly sent: string } | undefined // by the contract
    if (result?.packed.join() !== "0,1,2,3" || result.sent !== "sent 2") lostSteps++
    for (const step of steps) {
      // Steps of the sub-flow have the id of the sub-flow.
      const found = [...done.keys()].some((key) => key.startsWith(id) && key.endsWith(` ${step}`))
      if (!found) lostSteps++
    }
  }
  const once = count(lines.filter(({ kind }) => kind === "once").map(({ key }) => key))
  const times = restarts.flatMap(({ at }) => {
    const first = lines.find((line) => line.at >= at)
    return first === undefined ? [] : [first.at - at]
  })
  const sorted = times.toSorted((a, b) => a - b)
  return {
    executions: tracked.length,
    signals,
    lostSignals,
    lostSteps,
    duplicateOnceEffects: [...once.values()].filter((times) => times > 1).length,
    repeatedSteps: [...done.values()].reduce((sum, times) => sum + times - 1, 0),
    recoveryP95Ms: sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? 0,
    stuck
  }
}
