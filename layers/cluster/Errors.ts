/** What goes wrong in the cluster, as the errors of the service: what happened, and whether trying again can help. */
import * as Cause from "effect/Cause"
import type * as ClusterError from "effect/cluster/ClusterError"
import * as Host from "../../services/ExecutionHost.ts"
import type { JournalStoreError } from "../../services/JournalStore.ts"

/** How sending a request can fail by itself. @category models */
export type SendError =
  | ClusterError.MailboxFull
  | ClusterError.AlreadyProcessingMessage
  | ClusterError.PersistenceError
  | ClusterError.EntityNotAssignedToRunner

/** An error of this host. @category constructors */
export const failed = (operation: string, detail: string, retryable: boolean): Host.ExecutionHostError =>
  new Host.ExecutionHostError({ host: "cluster", operation, detail, retryable })

const causeOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** An error of the cluster, as one of the host. @category conversions */
export const fromSend = (operation: string, error: SendError): Host.ExecutionHostError => {
  switch (error._tag) {
    case "MailboxFull":
      return failed(
        operation,
        "its runner has as many requests for the execution, or as many executions, as it may hold. Try again a little later, or add runners.",
        true
      )
    case "AlreadyProcessingMessage":
      return failed(
        operation,
        "the same request is being processed. Wait a little and ask for its outcome again.",
        true
      )
    case "EntityNotAssignedToRunner":
      return failed(operation, "no runner has the execution at the moment. Try again a little later.", true)
    case "PersistenceError":
      return failed(
        operation,
        `the database of the cluster cannot be used (${causeOf(error.cause)}). Nobody knows whether the request was written down: repeat it under the same id.`,
        true
      )
  }
}

/** An error of the journal, as one of the host. @category conversions */
export const fromJournal = (operation: string, error: JournalStoreError): Host.ExecutionHostError =>
  failed(operation, error.message, error.retryable)

/** What nobody has expected, as an error of the host. @category conversions */
export const fromDefect = (operation: string, cause: Cause.Cause<unknown>): Host.ExecutionHostError =>
  failed(
    operation,
    `${causeOf(Cause.squash(cause))}. Nobody has expected this: see the log of its runner, and whether what was sent is JSON.`,
    false
  )
