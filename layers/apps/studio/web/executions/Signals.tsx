/** A dialog to send a signal to an execution. */
import { useState } from "react"
import { Dialog, DialogTrigger, Heading, Modal, ModalOverlay } from "react-aria-components"
import type { Project } from "../../Api.ts"
import { announce } from "../app/Announcer.tsx"
import { signal } from "../data/Client.ts"
import type { Json } from "../data/JsonSchema.ts"
import { wordsOf } from "../data/useLoaded.ts"
import { Button, Select } from "../ui/Controls.tsx"
import { SchemaForm } from "../ui/SchemaForm.tsx"

interface SignalsProps {
  readonly execution: string
  readonly flow: Project["flows"][number]
}

const Form = ({ close, execution, flow }: SignalsProps & { readonly close: () => void }) => {
  const names = Object.keys(flow.contract.signals)
  const [name, setName] = useState(names[0] ?? "")
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string | undefined>(undefined)
  const schema = flow.contract.signals[name]?.payload ?? {}
  const send = (payload: Json): void => {
    setBusy(true)
    setError(undefined)
    signal(execution, name, payload).then(
      () => {
        announce(`${name} was sent`)
        close()
      },
      (error: unknown) => {
        setBusy(false)
        setError(wordsOf(error))
      }
    )
  }
  return (
    <>
      <Select choices={names.map((id) => ({ id, name: id }))} label="Signal" onChange={setName} shown value={name} />
      <SchemaForm isBusy={isBusy} key={name} label="Payload" onSend={send} schema={schema} send={`Send ${name}`} />
      {error === undefined ? null : (
        <p className="notice notice-bad" role="alert">
          {error}
        </p>
      )}
    </>
  )
}

export const Signals = (props: SignalsProps) =>
  Object.keys(props.flow.contract.signals).length === 0 ? null : (
    <DialogTrigger>
      <Button kind="quiet">Send a signal</Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog className="dialog">
            {({ close }) => (
              <>
                <Heading slot="title">Send a signal</Heading>
                <Form {...props} close={close} />
                <div className="dialog-end">
                  <Button onPress={close}>Close</Button>
                </div>
              </>
            )}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  )
