/** Where the nodes of a flow stand: by dagre, from the left or from the top, whichever fits the room better. */
import { graphlib, layout as arrange } from "@dagrejs/dagre"
import type { Graph } from "../../Api.ts"

export interface Placed {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Layout {
  /** Where each edge begins and ends; absent where it would lead nowhere. */
  readonly ends: ReadonlyArray<readonly [source: string, target: string] | undefined>
  readonly places: ReadonlyMap<string, Placed>
  readonly width: number
  readonly height: number
  readonly isAcross: boolean
}

const small = new Set(["junction", "start"])

const sizeOf = (node: Graph["nodes"][number]): { readonly width: number; readonly height: number } =>
  small.has(node.shape) && node.label.length < 2
    ? { width: 20, height: 20 }
    : { width: Math.min(280, Math.max(76, (node.key === undefined ? 32 : 88) + node.label.length * 7.3)), height: 36 }

const place = (graph: Graph, isAcross: boolean): Layout => {
  const drawn = new graphlib.Graph({ compound: true, multigraph: true })
  drawn.setGraph({ rankdir: isAcross ? "LR" : "TB", nodesep: 22, ranksep: 44, marginx: 12, marginy: 12 })
  drawn.setDefaultEdgeLabel(() => ({}))
  const groups = new Set(graph.nodes.filter(({ shape }) => shape === "group").map(({ id }) => id))
  for (const node of graph.nodes) drawn.setNode(node.id, groups.has(node.id) ? {} : { ...sizeOf(node) })
  for (const { id, parent } of graph.nodes) if (parent !== undefined) drawn.setParent(id, parent)
  // An edge cannot end at a group: it leads to the first of its nodes.
  const inside = (id: string): string | undefined => {
    let at: string | undefined = id
    for (let steps = 0; at !== undefined && groups.has(at) && steps < 32; steps++)
      at = graph.nodes.find(({ parent }) => parent === at)?.id
    return at
  }
  const ends = graph.edges.map(({ from, label, to }, index) => {
    const [source, target] = [inside(from), inside(to)]
    if (source === undefined || target === undefined || source === target) return undefined
    drawn.setEdge(
      source,
      target,
      label === undefined ? {} : { width: 14 + label.length * 6, height: 16, labelpos: "c" },
      String(index)
    )
    return [source, target] as const
  })
  arrange(drawn)
  const places = new Map<string, Placed>()
  let [width, height] = [0, 0]
  for (const { id } of graph.nodes) {
    const at = drawn.node(id)
    if (at === undefined || at.x === undefined) continue
    const [wide, high] = [at.width ?? 0, at.height ?? 0]
    const placed = { x: at.x - wide / 2, y: at.y - high / 2, width: wide, height: high }
    places.set(id, placed)
    width = Math.max(width, placed.x + wide)
    height = Math.max(height, placed.y + high)
  }
  return { ends, places, width: width + 12, height: height + 12, isAcross }
}

/** Lays a graph out for a room of this size. */
export const layout = (graph: Graph, room: { readonly width: number; readonly height: number }): Layout => {
  const scale = (one: Layout) => Math.min(1.1, room.width / one.width, room.height / one.height)
  const [down, across] = [place(graph, false), place(graph, true)]
  return scale(across) > scale(down) * 1.05 ? across : down
}
