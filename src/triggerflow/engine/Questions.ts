/** Questions and answers: chunks that pause until somebody outside answers. A part of the machine. */
import * as Exit from "effect/Exit"
import * as FlowError from "../FlowError.ts"
import type { Waiting } from "./Frame.ts"
import type { Machine } from "./Machine.ts"
import * as Plans from "./Plan.ts"
import type { Record } from "./Record.ts"
import * as Replay from "./Replay.ts"
import * as Signals from "./Signals.ts"
import * as Stopping from "./Stopping.ts"

/** How a question was answered: what makes an answer idempotent. @category models */
export interface Answered {
  readonly request: string | undefined
  readonly digest: string
  readonly interrupt: string
  readonly how: "answered" | "cancelled" | "expired"
}

/** An answer that came before its question. @category models */
export interface Early {
  readonly value: unknown
  readonly answered: Answered
}

/** Of how many questions it is remembered how they were answered. */
const remembered = 1000

/** Remembers how a question was answered; of the oldest it is forgotten. @category steps */
export const remember = (m: Machine, id: string, answered: Answered): void => {
  const known = (m.answered ??= new Map<string, Answered>())
  known.delete(id)
  known.set(id, answered)
  for (const oldest of known.keys()) {
    if (known.size <= remembered) return
    known.delete(oldest)
  }
}

/** Whether a question of the id that `nextId` gave was asked, however long ago. */
const wasAsked = (m: Machine, interrupt: string, id: string): boolean => {
  const number = Number(id.startsWith(`${interrupt}#`) ? id.slice(interrupt.length + 1) : NaN)
  return number >= 1 && number <= (m.asked?.get(interrupt) ?? 0)
}

/** A chunk asks, and waits for the answer. @category steps */
export const paused = (m: Machine, record: Extract<Record, { readonly _tag: "Paused" }>): void => {
  const { run, request } = record
  if (run.stopping) {
    m.quit(run)
    Stopping.stopped(m, run, run.body, undefined)
    return
  }
  const left = run.again ? Replay.left(m, run) : undefined
  if (left !== undefined) {
    m.quit(run)
    return Stopping.raise(m, run.body, left)
  }
  m.permits.release(run)
  run.state = "paused"
  m.write(record.writes, run.body)
  const id = request.id ?? nextId(m, request.interrupt)
  if (m.interrupts?.has(id) === true) {
    m.quit(run)
    return Stopping.raise(
      m,
      run.body,
      m.violation(`interrupt ${request.interrupt}`, `the id "${id}" is waiting already`)
    )
  }
  const expires = request.expiresIn === undefined ? undefined : record.at + request.expiresIn
  const { interrupt, otherwise, payload, target } = request
  const waiting: Waiting = { id, interrupt, payload, target, run, at: record.at, expires, otherwise }
  const early = m.early?.get(id)
  if (early?.answered.interrupt === interrupt) {
    m.early?.delete(id)
    remember(m, id, early.answered)
    return resume(m, waiting, early.value)
  }
  m.addWaiting(waiting)
  m.commands.push({ _tag: "Waiting", waiting })
}

/** The id of a question that was given none. @category steps */
export const nextId = (m: Machine, interrupt: string): string => {
  const asked = (m.asked ??= new Map())
  let number = (asked.get(interrupt) ?? 0) + 1
  // A handler may have given one of these ids itself.
  while (m.interrupts?.has(`${interrupt}#${number}`) === true) number++
  asked.set(interrupt, number)
  return `${interrupt}#${number}`
}

/** Somebody outside answers. @category steps */
export const answer = (m: Machine, record: Extract<Record, { readonly _tag: "Answer" }>): void => {
  const { id, request, digest, ticket } = record
  const waiting = m.interrupts?.get(id)
  const answered: Answered = { interrupt: record.interrupt, request, digest, how: "answered" }
  const reject = (why: FlowError.AnswerRejected["why"]) =>
    m.reply(ticket, m.fail(new FlowError.AnswerRejected({ id, why })))
  const answeredBefore = m.answered?.get(id)
  // Sent again, while a later question has the same id.
  const repeated = request !== undefined && answeredBefore?.request === request
  if (waiting !== undefined && !repeated) {
    if (waiting.interrupt !== record.interrupt) return reject("unknown")
    m.forgetWaiting(waiting, "answered", answered)
    m.reply(ticket, Exit.void)
    return resume(m, waiting, record.value)
  }
  const before = answeredBefore ?? m.early?.get(id)?.answered
  if (before === undefined) {
    if (wasAsked(m, record.interrupt, id)) return reject("notWaiting")
    // The question has not been asked yet.
    ;(m.early ??= new Map()).set(id, { value: record.value, answered })
    return m.reply(ticket, Exit.void)
  }
  if (before.how === "expired") return reject("expired")
  if (before.how === "cancelled" || request === undefined || before.request !== request) return reject("notWaiting")
  if (before.digest !== digest) return reject("conflict")
  m.reply(ticket, Exit.void)
}

/** What goes on when the answer is there. @category steps */
export const resume = (m: Machine, { run, target, interrupt, payload }: Waiting, value: unknown): void => {
  if (target === "self") {
    const limit = run.step.node.settings.maxResumes ?? 1
    if (++run.resumes > limit) {
      m.quit(run)
      return Stopping.raise(m, run.body, m.fail(new FlowError.ResumeLimit({ chunk: run.step.node.name, limit })).cause)
    }
    run.answer = { interrupt, value, asked: payload }
    run.tries = 0
    run.state = "queued"
    return m.permits.want(run)
  }
  m.quit(run)
  if (target === "next") return m.complete(run, value)
  const { signal } = target
  // It is a signal like any other: it answers other questions that wait for it, and is told to every listener.
  Signals.answerWaiting(m, signal)
  Signals.nested(m, run.body, signal, Plans.listeners(m.plan.signals, signal), value, m.bindings?.get(signal))
  m.leave(run.body)
}

/** Nobody has answered in time. @category steps */
export const expired = (m: Machine, id: string): void => {
  const waiting = m.interrupts?.get(id)
  if (waiting === undefined) return
  m.forgetWaiting(waiting, "expired")
  if (waiting.otherwise !== undefined) return resume(m, waiting, waiting.otherwise.value)
  m.quit(waiting.run)
  Stopping.raise(m, waiting.run.body, m.fail(new FlowError.AnswerRejected({ id, why: "expired" })).cause)
}
