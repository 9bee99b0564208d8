/** What a page reads from a stream of the server, and draws at most once per frame however much comes. */
export abstract class FrameStore {
  protected source: EventSource | undefined
  private readonly listeners = new Set<() => void>()
  private frame: number | undefined
  private version = 0

  readonly subscribe = (changed: () => void): (() => void) => {
    this.listeners.add(changed)
    return () => this.listeners.delete(changed)
  }

  readonly read = (): number => this.version

  close(): void {
    this.source?.close()
    this.source = undefined
    if (this.frame !== undefined) cancelAnimationFrame(this.frame)
    this.frame = undefined
  }

  protected soon(): void {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined
      this.version++
      for (const changed of this.listeners) changed()
    })
  }
}
