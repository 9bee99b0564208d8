/** A page about one thing that has not come yet, or cannot: with the head that it will have. */
import { PageHead } from "./Page.tsx"
import { Failed, Loading } from "./States.tsx"

interface PendingProps {
  readonly title: string
  readonly up: { readonly name: string; readonly to: string }
  /** `the execution`. */
  readonly what: string
  readonly error: string | undefined
  readonly again: () => void
}

export const Pending = ({ again, error, title, up, what }: PendingProps) => (
  <>
    <PageHead isCode title={title} up={up} />
    {error === undefined ? (
      <Loading what={what} />
    ) : (
      <Failed again={again} message={error} what={`${what.charAt(0).toUpperCase()}${what.slice(1)}`} />
    )}
  </>
)
