/** A small seeded generator of random numbers (mulberry32): the same seed gives the same programs and schedules. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = (seed * 0x9e3779b1) >>> 0
  }

  /** At least 0, less than 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** A whole number, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<A>(list: ReadonlyArray<A>): A {
    const found = list[this.int(0, list.length - 1)]
    if (found === undefined) throw new Error("nothing to pick from")
    return found
  }

  /** Picks by weight. */
  weighted<A>(list: ReadonlyArray<readonly [weight: number, value: A]>): A {
    let at = this.next() * list.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of list) {
      at -= weight
      if (at < 0) return value
    }
    return this.pick(list)[1]
  }
}
