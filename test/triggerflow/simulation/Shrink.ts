/** Makes a failing program smaller as long as it still fails. */
import {
  bodiesOf,
  type Chunk,
  type Expr,
  type Instruction,
  mapBodies,
  type Node,
  type Nodes,
  type Program,
  repair
} from "./Program.ts"
import { TooLong } from "./Threads.ts"

const without = <A>(list: ReadonlyArray<A>, index: number): ReadonlyArray<A> => list.filter((_, at) => at !== index)

const replaced = <A>(list: ReadonlyArray<A>, index: number, by: A): ReadonlyArray<A> =>
  list.map((one, at) => (at === index ? by : one))

const plainExpr = (expr: Expr): ReadonlyArray<Expr> => [
  ...(expr.ofAcc === 1 ? [{ ...expr, ofAcc: 0 as const }] : []),
  ...(expr.ofInput === 1 ? [{ ...expr, ofInput: 0 as const }] : []),
  ...(expr.add > 0
    ? [
        { ...expr, add: 0 },
        { ...expr, add: expr.add >> 1 }
      ]
    : [])
]

const smallerNumbers = (number: number, least: number): ReadonlyArray<number> =>
  number > least ? [least, (number + least) >> 1].filter((one) => one < number) : []

function* instructions(one: Instruction): Generator<Instruction> {
  if (one.op === "sleep" || one.op === "linger") for (const ms of smallerNumbers(one.ms, 1)) yield { ...one, ms }
  if ("silent" in one && one.silent) yield { ...one, silent: false }
  if ("value" in one) for (const value of plainExpr(one.value)) yield { ...one, value }
  if (one.op === "emitAll") {
    if (one.of.length > 1) for (const index of one.of.keys()) yield { ...one, of: without(one.of, index) }
    const [first] = one.of
    if (first !== undefined && one.of.length === 1) yield { op: "emit", ...first }
  }
  if (one.op === "emitExit") yield { ...one, op: "emit" }
  if (one.op === "fail" && one.every > 1) yield { ...one, every: 1 }
}

function* chunks(node: Chunk): Generator<Chunk> {
  for (const index of node.script.keys()) yield { ...node, script: without(node.script, index) }
  const { catch: caught, retry, concurrency, ...bare } = node
  if (caught !== undefined) yield { ...bare, ...(retry && { retry }), ...(concurrency && { concurrency }) }
  if (retry !== undefined) yield { ...bare, ...(caught && { catch: caught }), ...(concurrency && { concurrency }) }
  if (concurrency !== undefined) yield { ...bare, ...(caught && { catch: caught }), ...(retry && { retry }) }
  const { end } = node
  if (end.end === "pause") {
    yield { ...node, end: { end: "value", value: { add: 0, ofInput: 0, ofAcc: 0 } } }
    for (const delay of smallerNumbers(end.delay, 1)) yield { ...node, end: { ...end, delay } }
  } else {
    for (const value of plainExpr(end.value)) yield { ...node, end: { ...end, value } }
    if (end.end === "list")
      for (const length of smallerNumbers(end.length, 0)) yield { ...node, end: { ...end, length } }
  }
  for (const [index, one] of node.script.entries())
    for (const smaller of instructions(one)) yield { ...node, script: replaced(node.script, index, smaller) }
}

/** Smaller nodes, or several in the place of one. */
function* node(one: Node): Generator<Nodes> {
  for (const body of bodiesOf(one)) yield body
  if (one.kind === "chunk") for (const smaller of chunks(one)) yield [smaller]
  if (one.kind === "batch" && one.branches.length > 1)
    for (const index of one.branches.keys()) yield [{ ...one, branches: without(one.branches, index) }]
  if (one.kind === "match") {
    if (one.cases.length > 1) for (const index of one.cases.keys()) yield [{ ...one, cases: without(one.cases, index) }]
    if (one.otherwise !== undefined) yield [{ kind: "match", cases: one.cases, mode: one.mode }]
    for (const [index, { effect }] of one.cases.entries())
      if (effect)
        yield [{ ...one, cases: one.cases.map((each, at) => (at === index ? { ...each, effect: false } : each)) }]
  }
  if (one.kind === "sub") {
    const { program } = one
    for (const index of program.chains.keys())
      yield [{ ...one, program: { ...program, chains: without(program.chains, index) } }]
  }
  if (one.kind === "loop" && one.rounds > 1) yield [{ ...one, rounds: one.rounds - 1 }]
  if (one.kind === "loop" && one.effect) yield [{ ...one, effect: false }]
  if ((one.kind === "batch" || one.kind === "forEach") && one.concurrency !== undefined) {
    const { concurrency: _, ...rest } = one
    yield [rest]
  }
  // One of the bodies inside made smaller.
  const bodies = bodiesOf(one)
  for (const [index, body] of bodies.entries())
    for (const smaller of nodes(body)) {
      let at = 0
      yield [mapBodies(one, (each) => (at++ === index ? smaller : each))]
    }
}

function* nodes(body: Nodes): Generator<Nodes> {
  for (const index of body.keys()) yield without(body, index)
  for (const [index, one] of body.entries())
    for (const smaller of node(one)) yield [...body.slice(0, index), ...smaller, ...body.slice(index + 1)]
}

function* programs(program: Program): Generator<Program> {
  for (const index of program.chains.keys()) yield { ...program, chains: without(program.chains, index) }
  for (const index of program.outside.keys()) yield { ...program, outside: without(program.outside, index) }
  const { concurrency, ...rest } = program
  if (concurrency !== undefined) yield rest
  if (program.failures === "continue") yield { ...program, failures: "fail" }
  for (const [index, chain] of program.chains.entries()) {
    const { trigger } = chain
    if (trigger.on !== "start")
      yield { ...program, chains: replaced(program.chains, index, { ...chain, trigger: { on: "start" } }) }
    if (trigger.on === "any" || trigger.on === "all")
      for (const at of trigger.of.keys())
        if (trigger.of.length > 1)
          yield {
            ...program,
            chains: replaced(program.chains, index, { ...chain, trigger: { ...trigger, of: without(trigger.of, at) } })
          }
    for (const smaller of nodes(chain.nodes))
      yield { ...program, chains: replaced(program.chains, index, { ...chain, nodes: smaller }) }
  }
  for (const [index, signal] of program.signals.entries())
    if (signal.reply) yield { ...program, signals: replaced(program.signals, index, { ...signal, reply: false }) }
  for (const input of smallerNumbers(program.input, 0)) yield { ...program, input }
}

const text = (program: Program): string => JSON.stringify(program)

/** The smallest program that is found in `most` trials and that `fails`. */
export const shrink = (program: Program, fails: (smaller: Program) => boolean, most = 3000): Program => {
  const isFailing = (smaller: Program): boolean => {
    try {
      return fails(smaller)
    } catch (error) {
      if (error instanceof TooLong) return false
      throw error
    }
  }
  let current = program
  let trials = 0
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false
    for (const candidate of programs(current)) {
      const next = repair(candidate)
      if (text(next) === text(current)) continue
      if (trials++ > most) return current
      if (!isFailing(next)) continue
      current = next
      isSmaller = true
      break
    }
  }
  return current
}
