/** What a view shows before there is something to show, and when there is nothing or it failed: always what to do next. */
import type { ReactNode } from "react"
import { Button } from "./Controls.tsx"
import { Icon } from "./Icon.tsx"

export const Loading = ({ what }: { readonly what: string }) => (
  <div aria-busy className="state state-loading" role="status">
    <span aria-hidden className="spinner" />
    <span>Loading {what}</span>
  </div>
)

interface EmptyProps {
  readonly title: string
  /** What to do to have something here. */
  readonly children?: ReactNode
}

export const Empty = ({ children, title }: EmptyProps) => (
  <div className="state">
    <Icon name="empty" />
    <p className="state-title">{title}</p>
    {children === undefined ? null : <div className="state-text">{children}</div>}
  </div>
)

interface FailedProps {
  readonly what: string
  readonly message: string
  readonly again?: (() => void) | undefined
}

export const Failed = ({ again, message, what }: FailedProps) => (
  <div className="state state-failed" role="alert">
    <Icon name="alert" />
    <p className="state-title">{what} could not be loaded</p>
    <div className="state-text">{message}</div>
    {again === undefined ? null : <Button onPress={again}>Try again</Button>}
  </div>
)
