/** What all figures share: the line that is printed, medians, memory after collection, and children. */
import { execFileSync } from "node:child_process"
import { loadavg } from "node:os"
import { join } from "node:path"

/** The root of the repository. */
export const root = join(import.meta.dirname, "../..")

/** One figure, as it is printed. `exponent` is the slope of log time over log size, where one was measured. */
export interface Figure {
  readonly id: string
  readonly value: number
  readonly unit: string
  /** What `value` may be at most, in its unit; `null` for a figure that is told for orientation only. */
  readonly bound: number | null
  /** How the bound came about. */
  readonly anchor: string
  readonly peers: Readonly<Record<string, number>>
  readonly exponent: number | null
  readonly pass: boolean
  /** The load of the machine while it was measured. */
  readonly load: number
}

const rounded = (value: number): number => Number(value.toPrecision(4))

/** Makes the line of a figure. */
export const figure = (of: {
  readonly id: string
  readonly value: number
  readonly unit: string
  readonly bound?: number
  readonly anchor: string
  readonly peers?: Readonly<Record<string, number>>
  readonly exponent?: number
  readonly maxExponent?: number
}): Figure => ({
  id: of.id,
  value: rounded(of.value),
  unit: of.unit,
  bound: of.bound === undefined ? null : rounded(of.bound),
  anchor: of.anchor,
  peers: Object.fromEntries(Object.entries(of.peers ?? {}).map(([name, value]) => [name, rounded(value)])),
  exponent: of.exponent === undefined ? null : rounded(of.exponent),
  pass:
    of.value <= (of.bound ?? Infinity) &&
    (of.exponent === undefined || of.maxExponent === undefined || of.exponent <= of.maxExponent),
  load: rounded(loadavg()[0] ?? 0)
})

/** The middle of the samples. */
export const median = (samples: ReadonlyArray<number>): number => {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return ((sorted[middle] ?? NaN) + (sorted[sorted.length % 2 === 1 ? middle : middle - 1] ?? NaN)) / 2
}

/**
 * Milliseconds of each contender, as medians. They take turns, so that a busy moment of the machine meets them all; the
 * first rounds warm them up and do not count.
 */
export const race = async <Name extends string>(
  contenders: Readonly<Record<Name, () => unknown>>,
  options: { readonly rounds: number; readonly warmUp: number }
): Promise<Record<Name, number>> => {
  const names = Object.keys(contenders) as Array<Name> // a record's own keys
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Array<number>>
  for (let round = -options.warmUp; round < options.rounds; round++) {
    for (const name of names) {
      collect()
      const since = performance.now()
      await contenders[name]()
      if (round >= 0) samples[name].push(performance.now() - since)
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(samples[name])])) as Record<Name, number>
}

/** The value of the first contender, whose figure it is, apart from those of its peers. */
export const ownFirst = (
  values: Readonly<Record<string, number>>
): { readonly own: number; readonly peers: Record<string, number> } => {
  const [[, own] = ["", NaN], ...peers] = Object.entries(values)
  return { own, peers: Object.fromEntries(peers) }
}

/** Slope of log time over log size. */
export const slope = (points: ReadonlyArray<readonly [size: number, time: number]>): number => {
  const logs = points.map(([size, time]) => [Math.log(size), Math.log(time)] as const)
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length
  const above = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return above / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}

/** Collects garbage; needs `--expose-gc`. */
export const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("run this with node --expose-gc")
  globalThis.gc()
}

/** Bytes in use at the moment, on the heap and in array buffers. */
export const inUse = (): number => {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Bytes in use once everything that can go has gone. */
export const heap = async (): Promise<number> => {
  for (let time = 0; time < 3; time++) {
    // What waits in queues of the event loop still holds on to its values.
    await new Promise((resolve) => setTimeout(resolve, 5))
    collect()
  }
  return inUse()
}

/** Bytes that stay on the heap as long as what `make` gives is held. */
export const kept = async (make: () => unknown): Promise<number> => {
  const before = await heap()
  const held = [await make()]
  const bytes = (await heap()) - before
  held.pop()
  return bytes
}

/** Bytes in megabytes. */
export const megabytes = (bytes: number): number => bytes / 1e6

/** What a program prints when it is run by a Node of its own. */
export const child = (args: ReadonlyArray<string>, cwd: string): string =>
  execFileSync(process.execPath, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
