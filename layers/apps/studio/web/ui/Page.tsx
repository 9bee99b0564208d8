/** The head of a page: where one is, what it is, what can be done. It also names the document. */
import { type ReactNode, useEffect } from "react"
import { Link } from "../app/Router.tsx"

interface PageHeadProps {
  readonly title: string
  /** The page above. */
  readonly up?: { readonly name: string; readonly to: string }
  readonly isCode?: boolean
  readonly children?: ReactNode
  readonly actions?: ReactNode
}

export const PageHead = ({ actions, children, isCode = false, title, up }: PageHeadProps) => {
  useEffect(() => {
    document.title = `${title} \u00b7 Effigent Studio`
  }, [title])
  return (
    <div className="page-head">
      <div className="page-title">
        {up === undefined ? null : (
          <nav aria-label="Where this is" className="crumbs">
            <Link to={up.to}>{up.name}</Link>
            <span aria-hidden>/</span>
          </nav>
        )}
        <h1 className={isCode ? "code-title" : undefined} title={title}>
          {title}
        </h1>
        {children === undefined ? null : <div className="page-about">{children}</div>}
      </div>
      {actions === undefined ? null : <div className="page-actions">{actions}</div>}
    </div>
  )
}

interface PanelProps {
  readonly title: string
  readonly aside?: ReactNode
  readonly children: ReactNode
  readonly className?: string
}

/** A part of a page with a title of its own. */
export const Panel = ({ aside, children, className = "", title }: PanelProps) => (
  <section aria-label={title} className={`panel ${className}`}>
    <div className="panel-head">
      <h2>{title}</h2>
      {aside === undefined ? null : <div className="panel-aside">{aside}</div>}
    </div>
    <div className="panel-body">{children}</div>
  </section>
)
