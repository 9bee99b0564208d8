/** Where something stands: a colour, a mark that can be told without the colour, and the word. */

const tones: Readonly<Record<string, "good" | "bad" | "busy" | "wait" | "idle">> = {
  completed: "good",
  done: "good",
  success: "good",
  ok: "good",
  passed: "good",
  answered: "good",
  failed: "bad",
  error: "bad",
  dead: "bad",
  denied: "bad",
  invalid: "bad",
  unknown: "bad",
  timeout: "bad",
  running: "busy",
  streaming: "busy",
  waiting: "wait",
  paused: "wait",
  asked: "wait",
  retry: "wait",
  corrected: "wait",
  uncertain: "wait"
}

/** What a kind of span is called: what groups several agents is a run of the program. */
export const kindWord = (kind: string): string => (kind === "group" ? "run" : kind)

/** The tone of a status. */
export const toneOf = (status: string): string => tones[status] ?? "idle"

export const Status = ({ status, quiet = false }: { readonly status: string; readonly quiet?: boolean }) => (
  <span className={`status${quiet ? " status-quiet" : ""}`} data-tone={toneOf(status)}>
    <span aria-hidden className="dot" />
    <span>{status}</span>
  </span>
)
