/** A growing text: paragraphs that are done are drawn once. */
import { memo } from "react"
import type { GrowingText } from "../data/GrowingText.ts"

const Piece = memo(({ text }: { readonly text: string }) => <div className="growing-piece">{text}</div>)

/** `length` tells that there is more to draw. */
export const Growing = memo(
  ({ isLive, text }: { readonly text: GrowingText; readonly length: number; readonly isLive: boolean }) => (
    <div className="growing" data-live={isLive || undefined}>
      {text.done.map((piece, index) => (
        // A piece never changes once it is done.
        <Piece key={index} text={piece} />
      ))}
      {text.tail === "" && !isLive ? null : <div className="growing-tail">{text.tail}</div>}
    </div>
  )
)
