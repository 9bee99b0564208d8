/** A call of an action: what it was passed, what became of it, and the question whether it may run. */
import { memo, useState } from "react"
import { decide } from "../data/Client.ts"
import { duration } from "../data/format.ts"
import { wordsOf } from "../data/useLoaded.ts"
import { Button, TextField } from "../ui/Controls.tsx"
import { Icon } from "../ui/Icon.tsx"
import { Json } from "../ui/Json.tsx"
import { Status } from "../ui/Status.tsx"
import type { Waiting } from "../../Api.ts"
import type { CallState } from "./RunStore.ts"

/** Approve or deny, with a note that the model is told. */
export const Approval = ({ waiting }: { readonly waiting: Waiting }) => {
  const [note, setNote] = useState("")
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string | undefined>(undefined)
  const { request } = waiting
  const settle = (tag: "Approved" | "Denied"): void => {
    setBusy(true)
    setError(undefined)
    decide(waiting.id, tag === "Approved" ? { _tag: tag } : { _tag: tag, ...(note === "" ? {} : { note }) }).catch(
      (error: unknown) => {
        setBusy(false)
        setError(wordsOf(error))
      }
    )
  }
  return (
    <div aria-label={`Approval of ${request.call.action}`} className="approval" role="group">
      <p className="approval-title">
        <Icon name="alert" />
        <span>
          <strong>{request.call.action}</strong> waits for your approval
          {request.sideEffect === "once" ? ". It cannot be undone by running it again." : "."}
        </span>
      </p>
      {request.resources === undefined ? null : <Json value={request.resources} />}
      <TextField label="Note, if you deny" onChange={setNote} placeholder="Why not; the model is told" value={note} />
      <div className="approval-end">
        <Button icon="check" isDisabled={isBusy} kind="main" onPress={() => settle("Approved")}>
          Approve
        </Button>
        <Button icon="close" isDisabled={isBusy} onPress={() => settle("Denied")}>
          Deny
        </Button>
      </div>
      {error === undefined ? null : (
        <p className="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  )
}

export const CallCard = memo(({ isOver, one }: { readonly one: CallState; readonly isOver: boolean }) => {
  const { call, decision, progress, record, waiting } = one
  const waits = waiting !== undefined && decision === undefined && record === undefined && !isOver
  const status = record?.status ?? (waits ? "waiting" : isOver ? "interrupted" : "running")
  const [isOpen, setOpen] = useState(false)
  return (
    <div className="call" data-status={status}>
      <button aria-expanded={isOpen || waits} className="call-head" onClick={() => setOpen(!isOpen)} type="button">
        <Icon name="tool" />
        <span className="call-name">{call.action}</span>
        <span className="call-brief">{brief(call.input)}</span>
        <Status quiet status={status} />
        <span className="call-time">{record === undefined ? "" : duration(record.duration)}</span>
      </button>
      {isOpen || waits ? (
        <div className="call-body">
          <div className="call-part">
            <p className="call-label">Arguments</p>
            <Json value={call.input} />
          </div>
          {progress === undefined || record !== undefined ? null : (
            <div className="call-part">
              <p className="call-label">Progress</p>
              <Json value={progress} />
            </div>
          )}
          {record === undefined ? null : (
            <div className="call-part">
              <p className="call-label">{record.status === "success" ? "Result" : "What happened"}</p>
              <Json value={record.result} />
            </div>
          )}
          {record === undefined || (record.tries < 2 && record.decision === undefined) ? null : (
            <p className="hint">
              {record.tries > 1 ? `Tried ${record.tries} times. ` : ""}
              {record.decision === undefined
                ? ""
                : record.decision._tag === "Approved"
                  ? "Approved."
                  : `Denied${record.decision.note === undefined ? "" : `: ${record.decision.note}`}.`}
            </p>
          )}
          {waits ? <Approval waiting={waiting} /> : null}
        </div>
      ) : null}
    </div>
  )
})

const brief = (input: unknown): string => {
  const text = typeof input === "string" ? input : JSON.stringify(input)
  return text.length > 160 ? `${text.slice(0, 160)}\u2026` : text
}
