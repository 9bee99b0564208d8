/** Shared data of flows in the memory of this process. It is gone when its Layer is. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { FlowData, type FlowDataChange, FlowDataConflict, type FlowDataField } from "../../services/FlowData.ts"

const unwritten: FlowDataField = { version: 0 }

interface Shared {
  readonly fields: Map<string, FlowDataField>
  readonly listeners: Set<(change: FlowDataChange) => void>
}

const make = (): FlowData["Service"] => {
  const flows = new Map<string, Shared>()
  const of = (flow: string): Shared => {
    const shared = flows.get(flow) ?? { fields: new Map(), listeners: new Set() }
    flows.set(flow, shared)
    return shared
  }
  return {
    get: (flow, key) => Effect.sync(() => flows.get(flow)?.fields.get(key) ?? unwritten),
    set: (flow, key, value, expected) =>
      Effect.suspend(() => {
        const { fields, listeners } = of(flow)
        const { version } = fields.get(key) ?? unwritten
        if (version !== expected) return Effect.fail(new FlowDataConflict({ flow, key, expected }))
        const field: FlowDataField = { version: version + 1, ...(value === undefined ? {} : { value }) }
        fields.set(key, field)
        for (const listener of [...listeners]) listener({ key, ...field })
        return Effect.succeed(field)
      }),
    listen: (flow, listener) => {
      // Listening twice with one function is listening twice.
      const own = (change: FlowDataChange) => listener(change)
      return Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => of(flow).listeners.add(own)),
          () => Effect.sync(() => flows.get(flow)?.listeners.delete(own))
        )
      )
    }
  }
}

/** Shared data in memory, empty at first. @category layers */
export const memory: Layer.Layer<FlowData> = Layer.sync(FlowData, make)
