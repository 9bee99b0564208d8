/** Short ways to write programs down by hand. */
import type { Chain, Chunk, End, Expr, Instruction, Node, Program } from "./Program.ts"

export const constant = (add: number): Expr => ({ add, ofInput: 0, ofAcc: 0 })
export const plus = (add: number): Expr => ({ add, ofInput: 1, ofAcc: 0 })
export const heard: Expr = { add: 0, ofInput: 0, ofAcc: 1 }

export const to = (
  name: string,
  script: ReadonlyArray<Instruction> = [],
  end: End | Expr = plus(0),
  more: Partial<Chunk> = {}
): Chunk => ({
  kind: "chunk",
  name,
  script,
  end: "add" in end ? { end: "value", value: end } : end,
  ...more
})
export const list = (length: number, from: Expr): End => ({ end: "list", length, value: from })
export const pause = (more: Partial<Extract<End, { end: "pause" }>> = {}): End => ({
  end: "pause",
  to: "next",
  payload: plus(0),
  answer: 7,
  when: "after",
  delay: 10,
  ...more
})
export const sleep = (ms: number): Instruction => ({ op: "sleep", ms })
export const emit = (
  signal: string,
  value: Expr = constant(0),
  op: "emit" | "emitExit" | "emitFork" = "emit"
): Instruction => ({ op, signal, value })
export const put = (value: number): Instruction => ({ op: "put", value: constant(value), volatile: false })
export const fail: Instruction = { op: "fail", every: 1, attempts: 99, defect: false }
export const start = (...nodes: ReadonlyArray<Node>): Chain => ({ trigger: { on: "start" }, nodes })
export const on = (signal: string, ...nodes: ReadonlyArray<Node>): Chain => ({
  trigger: { on: "signal", signal },
  nodes
})

export const program = (chains: ReadonlyArray<Chain>, more: Partial<Program> = {}): Program => ({
  seed: 0,
  input: 3,
  failures: "fail",
  signals: ["A", "B"].map((name) => ({ name, reply: false })),
  collectors: [],
  chains,
  outside: [],
  ...more
})
