/** The picture of a flow, with the state of every step where there is one. */
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  type ReactFlowInstance
} from "@xyflow/react"
import "@xyflow/react/dist/base.css"
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react"
import type { Graph, StepState } from "../../Api.ts"
import { useDark } from "../app/Theme.ts"
import { tokens as compact } from "../data/format.ts"
import { toneOf } from "../ui/Status.tsx"
import { useMedia } from "../ui/useMedia.ts"
import { layout, type Layout } from "./layout.ts"

interface StepData extends Record<string, unknown> {
  readonly label: string
  readonly shape: Graph["nodes"][number]["shape"]
  readonly status: string | undefined
  readonly runs: number
  readonly isAcross: boolean
}

type StepNode = Node<StepData>

const Step = memo(({ data, selected }: NodeProps<StepNode>) => (
  <div
    className="node"
    data-selected={selected || undefined}
    data-shape={data.shape}
    data-status={data.status}
    data-tone={data.status === undefined ? undefined : toneOf(data.status)}
  >
    {data.shape === "group" ? null : (
      <Handle isConnectable={false} position={data.isAcross ? Position.Left : Position.Top} type="target" />
    )}
    {data.status === undefined ? null : <span aria-hidden className="dot" />}
    <span className="node-label">{data.label}</span>
    {data.runs > 1 ? <span className="node-runs">{compact(data.runs)}</span> : null}
    {data.shape === "group" ? null : (
      <Handle isConnectable={false} position={data.isAcross ? Position.Right : Position.Bottom} type="source" />
    )}
  </div>
))

// A large graph is moved about rather than shown too small to be read: labels have 12 px, and at least 11 at first.
const leastZoom = 0.92

// Where to look from: all of it where it fits, else at the step that is at work, else at the beginning.
const viewOf = (
  { height, places, width }: Layout,
  room: { readonly width: number; readonly height: number },
  at: string | undefined
): { readonly x: number; readonly y: number; readonly zoom: number } => {
  const zoom = Math.min(1, Math.max(leastZoom, Math.min(room.width / width, room.height / height)))
  const place = at === undefined ? undefined : places.get(at)
  const along = (whole: number, space: number, middle: number): number =>
    whole * zoom <= space
      ? (space - whole * zoom) / 2
      : Math.min(0, Math.max(space - whole * zoom, space / 2 - middle * zoom))
  return {
    x: along(width, room.width, place === undefined ? width / 2 : place.x + place.width / 2),
    y: along(height, room.height, place === undefined ? 0 : place.y + place.height / 2),
    zoom
  }
}

const nodeTypes = { step: Step }

const nodesOf = (
  graph: Graph,
  { isAcross, places }: Layout,
  steps: ReadonlyMap<string, StepState> | undefined,
  chosen: string | undefined
): Array<StepNode> =>
  graph.nodes.flatMap((node) => {
    const at = places.get(node.id)
    if (at === undefined) return []
    const state = node.key === undefined ? undefined : steps?.get(node.key)
    const isStep = node.key !== undefined && node.shape !== "group"
    const status = state?.status ?? (steps !== undefined && isStep ? "not begun" : undefined)
    return [
      {
        id: node.id,
        type: "step",
        position: { x: at.x, y: at.y },
        width: at.width,
        height: at.height,
        zIndex: node.shape === "group" ? 0 : 2,
        selectable: node.key !== undefined,
        focusable: node.key !== undefined,
        selected: node.key !== undefined && node.key === chosen,
        ariaLabel: `${node.label}${status === undefined ? "" : `, ${status}`}`,
        data: { label: node.label, shape: node.shape, status, runs: state?.runs ?? 0, isAcross }
      }
    ]
  })

const edgesOf = (graph: Graph, { ends }: Layout, steps: ReadonlyMap<string, StepState> | undefined): Array<Edge> => {
  const keys = new Map(graph.nodes.map(({ id, key }) => [id, key]))
  return graph.edges.flatMap((edge, index) => {
    const end = ends[index]
    if (end === undefined) return []
    const to = keys.get(edge.to)
    const isBusy = to !== undefined && steps?.get(to)?.status === "running"
    return [
      {
        id: `${index}`,
        source: end[0],
        target: end[1],
        type: "smoothstep",
        focusable: false,
        selectable: false,
        zIndex: 1,
        className: `edge${edge.dotted === true ? " edge-dotted" : ""}${isBusy ? " edge-busy" : ""}`,
        ...(edge.label === undefined ? {} : { label: edge.label }),
        markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14 }
      }
    ]
  })
}

interface FlowGraphProps {
  readonly graph: Graph
  readonly label: string
  /** Absent: the picture of a definition, without statuses. */
  readonly steps?: ReadonlyMap<string, StepState> | undefined
  /** The key of the step that is chosen. */
  readonly chosen?: string | undefined
  readonly onChoose?: (key: string | undefined) => void
}

export const FlowGraph = ({ chosen, graph, label, onChoose, steps }: FlowGraphProps) => {
  const box = useRef<HTMLDivElement>(null)
  const flow = useRef<ReactFlowInstance<StepNode> | null>(null)
  const [room, setRoom] = useState<{ readonly width: number; readonly height: number } | undefined>(undefined)
  const isDark = useDark()
  const isNarrow = useMedia("(max-width: 1099px)")
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => setRoom({ width: element.clientWidth, height: element.clientHeight }))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  const placed = useMemo(() => (room === undefined ? undefined : layout(graph, room)), [graph, room])
  const nodes = useMemo(
    () => (placed === undefined ? [] : nodesOf(graph, placed, steps, chosen)),
    [graph, placed, steps, chosen]
  )
  const edges = useMemo(() => (placed === undefined ? [] : edgesOf(graph, placed, steps)), [graph, placed, steps])
  const at = graph.nodes.find(({ key, shape }) => {
    const status = key === undefined || shape === "group" ? undefined : steps?.get(key)?.status
    return status === "waiting" || status === "running" || status === "failed"
  })?.id
  const view = useMemo(
    () => (placed === undefined || room === undefined ? undefined : viewOf(placed, room, at)),
    [placed, room, at]
  )
  useEffect(() => {
    if (view !== undefined) void flow.current?.setViewport(view)
  }, [view])
  return (
    <div aria-label={label} className="graph" ref={box} role="group">
      {placed === undefined ? null : (
        <ReactFlow
          colorMode={isDark ? "dark" : "light"}
          deleteKeyCode={null}
          disableKeyboardA11y={false}
          edges={edges}
          edgesFocusable={false}
          elementsSelectable={onChoose !== undefined}
          {...(view === undefined ? {} : { defaultViewport: view })}
          fitViewOptions={{ padding: 0.06, maxZoom: 1 }}
          maxZoom={2}
          minZoom={0.1}
          nodeTypes={nodeTypes}
          nodes={nodes}
          nodesConnectable={false}
          nodesDraggable={false}
          nodesFocusable={onChoose !== undefined}
          onInit={(instance) => {
            flow.current = instance
          }}
          onNodesChange={(changes) => {
            for (const change of changes) {
              if (change.type !== "select" || !change.selected) continue
              onChoose?.(graph.nodes.find(({ id }) => id === change.id)?.key)
            }
          }}
          onPaneClick={() => onChoose?.(undefined)}
          panOnScroll={!isNarrow}
          preventScrolling={!isNarrow}
          proOptions={{ hideAttribution: true }}
          zoomOnScroll={false}
        >
          <Background gap={20} size={1} />
          <Controls position="bottom-right" showInteractive={false} />
        </ReactFlow>
      )}
    </div>
  )
}
