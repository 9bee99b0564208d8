/** An execution as it is told live: where it stands, its steps, its runtime stream; drawn at most once per frame. */
import type { Standing, Steps, StepState } from "../../Api.ts"
import type { WatchEntry } from "../../../../../services/ExecutionHost.ts"
import { FrameStore } from "../data/FrameStore.ts"

type Entry = typeof WatchEntry.Type

export class ExecutionStore extends FrameStore {
  readonly id: string
  standing: Standing | undefined
  /** By the key of the node in the graph. */
  steps: ReadonlyMap<string, StepState> = new Map()
  readonly entries: Array<Entry> = []
  trouble: string | undefined
  isOver = false
  /** Grows with everything that is told; what is shown elsewhere is read anew by it. */
  turn = 0

  constructor(id: string) {
    super()
    this.id = id
  }

  open(): void {
    const source = new EventSource(`/studio/executions/${encodeURIComponent(this.id)}/events`)
    this.source = source
    source.addEventListener("standing", (event: MessageEvent<string>) => {
      // The contract says what stands in an event of this name.
      this.standing = JSON.parse(event.data) as Standing
      this.turn++
      this.soon()
    })
    source.addEventListener("steps", (event: MessageEvent<string>) => {
      // As above.
      const { steps } = JSON.parse(event.data) as typeof Steps.Type
      const next = new Map(this.steps)
      for (const step of steps) next.set(step.key, step)
      this.steps = next
      this.turn++
      this.soon()
    })
    source.addEventListener("entry", (event: MessageEvent<string>) => {
      // As above.
      const entry = JSON.parse(event.data) as Entry
      const last = this.entries.at(-1)
      if (last !== undefined && entry.cursor <= last.cursor) return
      this.entries.push(entry)
      this.soon()
    })
    const finish = (trouble?: string): void => {
      source.close()
      this.source = undefined
      this.isOver = trouble === undefined
      this.trouble = trouble
      this.turn++
      this.soon()
    }
    source.addEventListener("end", () => finish())
    source.addEventListener("closing", () =>
      finish("The server was closed. Start effigent studio again, and reload this page.")
    )
    source.addEventListener("problem", () => finish("The server cannot tell this execution live. Reload this page."))
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) finish("This execution cannot be followed live.")
    })
  }
}
