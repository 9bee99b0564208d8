/**
 * A first-in, first-out queue that keeps its room: a row of hops puts one in and takes one out each time, and makes no
 * array for it.
 */

/**
 * A queue. What was taken is let go of at once.
 *
 * @category models
 */
export class Queue<A extends object> {
  private items: Array<A | undefined> = []
  private head = 0
  private tail = 0

  push(item: A): void {
    this.items[this.tail++] = item
  }

  /** The next one; `undefined` where there is none. */
  shift(): A | undefined {
    if (this.head === this.tail) return undefined
    const item = this.items[this.head]
    this.items[this.head++] = undefined
    if (this.head === this.tail) {
      if (this.tail > 1024) this.items = []
      this.head = this.tail = 0
    } else if (this.head >= 1024 && this.head * 2 > this.tail) {
      this.items = this.items.slice(this.head, this.tail)
      this.tail -= this.head
      this.head = 0
    }
    return item
  }

  get isEmpty(): boolean {
    return this.head === this.tail
  }

  clear(): void {
    this.items = []
    this.head = this.tail = 0
  }

  *[Symbol.iterator](): Generator<A> {
    for (let at = this.head; at < this.tail; at++) {
      const item = this.items[at]
      if (item !== undefined) yield item
    }
  }
}
