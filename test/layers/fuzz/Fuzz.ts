/**
 * Puts a provider to deliveries that a seed has mutated, many at once over real sockets. Each has to end in time: in the
 * value that its bytes say, or in a ModelError. Nothing may be left behind: no open answer, no unhandled rejection.
 *
 * `EFFIGENT_FUZZ=10000` runs that many for each provider, `EFFIGENT_FUZZ_SEED=7` others, and `EFFIGENT_FUZZ_CASE=12`
 * the one case that a failure has named.
 */
import { createServer, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, type Scope } from "effect"
import type { ModelProvider } from "effigent/services/ModelProvider"
import { type Outcome, plainRequest, run } from "../wire/Cases.ts"
import { eventually, writeSegments } from "../wire/Server.ts"
import { type Delivery, huge, type Mutation, mutations } from "./Mutations.ts"
import { listen, type Protocol } from "./Oracle.ts"
import { Random } from "./Random.ts"
import type { Recording } from "./Recordings.ts"

export interface Subject {
  readonly name: string
  readonly protocol: Protocol
  readonly recordings: ReadonlyArray<Recording>
  readonly make: (url: string, timeouts: { readonly [stage: string]: string }) => ModelProvider["Service"]
}

interface Case {
  readonly number: number
  readonly mutation: Mutation
  readonly recording: Recording
  readonly delivery: Delivery
}

const count = Number(process.env["EFFIGENT_FUZZ"] ?? 400)
const seed = Number(process.env["EFFIGENT_FUZZ_SEED"] ?? 1)
const only = process.env["EFFIGENT_FUZZ_CASE"]
const atOnce = 24

const patient = { connect: "20 seconds", firstToken: "20 seconds", idle: "20 seconds", total: "60 seconds" } as const
const hasty = { connect: "300 millis", firstToken: "150 millis", idle: "100 millis", total: "400 millis" } as const
// What a busy machine may add to the limit.
const slackMillis = 5000

const caseOf = (subject: Subject, number: number): Case => {
  const random = new Random(seed, number)
  const mutation = random.int(1, 250) === 1 ? huge : (mutations[number % mutations.length] ?? huge)
  const recording = subject.recordings[random.at(subject.recordings)] ?? { name: "", frames: [] }
  return { number, mutation, recording, delivery: mutation.deliver(random, recording, subject.recordings) }
}

interface Server {
  readonly url: string
  /** Answers that are under way. */
  readonly open: () => number
  readonly sockets: () => number
}

const sleep = (millis: number) => new Promise<void>((done) => setTimeout(done, millis))

const answer = async (
  socket: Socket,
  response: ServerResponse,
  { end, forever, headers, pause, raw, segments, status }: Delivery
) => {
  if (raw !== undefined) {
    for (const part of raw) socket.write(part)
    if (end !== "hold") socket.destroySoon()
    return
  }
  const all = { "content-type": "text/event-stream", ...headers }
  response.writeHead(status ?? 200, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "")))
  if (pause === undefined) await writeSegments(response, segments)
  else {
    for (const segment of segments) {
      await writeSegments(response, [segment])
      await sleep(pause)
    }
  }
  while (forever !== undefined && !response.destroyed) {
    await writeSegments(response, [Buffer.from(forever)])
    await sleep(20)
  }
  if (end === "reset") socket.resetAndDestroy()
  else if (end !== "hold") response.end()
}

// The model's name says which case is asked for.
const serve = (deliveries: ReadonlyMap<string, Delivery>): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server & { readonly stop: Effect.Effect<void> }>((resume) => {
      const sockets = new Set<Socket>()
      let open = 0
      const server = createServer((request, response) => {
        const parts: Array<Buffer> = []
        request.on("data", (part: Buffer) => parts.push(part))
        request.on("end", () => {
          const delivery = deliveries.get(JSON.parse(Buffer.concat(parts).toString()).model)
          // Its asker has left before the request was read.
          if (delivery === undefined) return void request.socket.destroy()
          open++
          response.once("close", () => open--)
          void answer(request.socket, response, delivery)
        })
      })
      // Else an idle connection may close in the very moment in which it is used again.
      server.keepAliveTimeout = 600_000
      server.on("connection", (socket) => {
        socket.setNoDelay(true)
        sockets.add(socket)
        socket.on("error", () => {})
        socket.once("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        if (address === null || typeof address === "string") throw new Error("the server has no port")
        const stop = Effect.callback<void>((done) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => done(Effect.void))
        })
        const url = `http://127.0.0.1:${address.port}`
        resume(Effect.succeed({ url, open: () => open, sockets: () => sockets.size, stop }))
      })
    }),
    ({ stop }) => stop
  )

const told = ({ finish, reasoning, refusal, text, tools, usage }: Outcome) =>
  JSON.stringify({ finish, reasoning, refusal, text, tools, usage })

const judge = (subject: Subject, { delivery, mutation, recording }: Case, outcome: Outcome, clean: string): void => {
  const { error } = outcome
  if (mutation.kind === "harmless") {
    if (error !== undefined) assert.fail(error.message)
    assert.strictEqual(told(outcome), clean)
    return
  }
  const bytes = delivery.unpacked ?? Buffer.concat(delivery.segments)
  const isInline = subject.protocol === "chat" && subject.recordings.some(({ inline }) => inline)
  const said = listen(subject.protocol, bytes, isInline)
  // The naive reading does not tell the order of thoughts that come in two ways.
  const isMixed = recording.inline === true && mutation.name === "two streams in one"
  if (error === undefined) {
    assert.isTrue(said.isProven, "a success without proof")
    assert.strictEqual(outcome.text, said.text)
    if (!isMixed) assert.strictEqual(outcome.reasoning, said.reasoning)
    return
  }
  if (mutation.kind === "plain")
    assert.isTrue(said.isBroken || !said.isProven, `a failure of a whole: ${error.message}`)
  // What came before the failure is what the bytes say first.
  if (recording.inline !== true && mutation.name !== "two streams in one") {
    assert.isTrue(said.text.startsWith(outcome.text), `${JSON.stringify(outcome.text)} is not what was said first`)
  }
}

// The outcomes of the recordings as they are.
const cleanOutcomes = Effect.fnUntraced(function* (subject: Subject) {
  const clean = new Map<Recording, string>()
  for (const recording of subject.recordings) {
    const server = yield* serve(new Map([["clean", { segments: [Buffer.from(recording.frames.join(""))] }]]))
    const outcome = yield* run(subject.make(server.url, patient).stream(plainRequest({ model: "clean" })))
    if (outcome.error !== undefined) assert.fail(outcome.error.message)
    clean.set(recording, told(outcome))
  }
  return clean
})

export const fuzzed = (subject: Subject): void => {
  const numbers = only === undefined ? Array.from({ length: count }, (_, n) => n) : [Number(only)]

  describe(`${subject.name} at fuzzed endpoints`, () => {
    it.live(
      `${numbers.length} mutated streams of seed ${seed} end in a correct value or a typed error, in time`,
      () =>
        Effect.gen(function* () {
          const rejections: Array<unknown> = []
          const onRejection = (reason: unknown) => void rejections.push(reason)
          process.on("unhandledRejection", onRejection)
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => void process.removeListener("unhandledRejection", onRejection))
          )
          const clean = yield* cleanOutcomes(subject)
          // Made when they are asked for, and dropped when they have ended: some are large.
          const deliveries = new Map<string, Delivery>()
          // A connection that broke must not be the next case's.
          const quiet = yield* serve(deliveries)
          const dirty = yield* serve(deliveries)
          const failures: Array<string> = []
          const ends: Record<string, number> = {}
          let slowest = 0

          const one = Effect.fnUntraced(function* (number: number) {
            const it = caseOf(subject, number)
            const { kind, name } = it.mutation
            const model = `case-${number}`
            deliveries.set(model, it.delivery)
            const { url } = kind === "harmless" || kind === "plain" ? quiet : dirty
            const provider = subject.make(url, kind === "late" ? hasty : patient)
            const from = performance.now()
            const exit = yield* run(provider.stream(plainRequest({ model }))).pipe(
              Effect.timeout(kind === "late" ? 400 + slackMillis : 90_000),
              Effect.tap((outcome) => Effect.sync(() => judge(subject, it, outcome, clean.get(it.recording) ?? ""))),
              Effect.exit
            )
            deliveries.delete(model)
            if (kind === "late") slowest = Math.max(slowest, performance.now() - from)
            if (Exit.isFailure(exit)) {
              const again = `EFFIGENT_FUZZ_SEED=${seed} EFFIGENT_FUZZ_CASE=${number}`
              failures.push(`${again} (${name}, ${it.recording.name}): ${Cause.pretty(exit.cause)}`)
            } else {
              const end = exit.value.error === undefined ? "success" : exit.value.error.reason._tag
              ends[end] = (ends[end] ?? 0) + 1
            }
          })
          yield* Effect.forEach(numbers, one, { concurrency: atOnce, discard: true })

          yield* eventually(() => quiet.open() + dirty.open() === 0, "answers stayed open").pipe(
            Effect.catchDefect((defect) => Effect.sync(() => void failures.push(`seed ${seed}: ${String(defect)}`)))
          )
          yield* Effect.sleep("20 millis")
          if (numbers.length > 1000) {
            console.log(
              `${subject.name}, seed ${seed}: ${JSON.stringify(ends)}; slowest late ${Math.round(slowest)} ms`
            )
          }
          assert.isEmpty(failures, `${failures.length} cases, the first:\n${failures.slice(0, 5).join("\n\n")}`)
          assert.isEmpty(rejections, `unhandled rejections with seed ${seed}`)
          assert.isAtMost(quiet.sockets() + dirty.sockets(), 4 * atOnce, `sockets left with seed ${seed}`)
        }),
      60_000 + count * 60
    )
  })
}
