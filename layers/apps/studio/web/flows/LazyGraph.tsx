/** The picture of a flow, whose drawing is loaded when there is first one to draw: it is a third of all code. */
import { type ComponentProps, lazy, Suspense } from "react"
import { Loading } from "../ui/States.tsx"

const Drawn = lazy(() => import("./FlowGraph.tsx").then(({ FlowGraph }) => ({ default: FlowGraph })))

export const FlowGraph = (props: ComponentProps<typeof Drawn>) => (
  <Suspense fallback={<Loading what="the graph" />}>
    <Drawn {...props} />
  </Suspense>
)
