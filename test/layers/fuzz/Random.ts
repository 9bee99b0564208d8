/** Random choices that a seed repeats. */
export class Random {
  private state: number

  constructor(seed: number, stream: number) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0
    for (let n = 0; n < 4; n++) this.next()
  }

  /** At least 0, below 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** At least `from`, at most `to`. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  pick<A>(all: readonly [A, ...ReadonlyArray<A>]): A {
    return all[this.int(0, all.length - 1)] ?? all[0]
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.int(0, 255)))
  }

  /** A position inside a list or a text that is not empty. */
  at(of: { readonly length: number }): number {
    return this.int(0, of.length - 1)
  }
}
