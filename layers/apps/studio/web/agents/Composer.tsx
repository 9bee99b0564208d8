/** Where a message to an agent is written: as text, or as JSON for agents that take more than a text. */
import { useState } from "react"
import { ToggleButton } from "react-aria-components"
import type { Json } from "../data/JsonSchema.ts"
import { Button, TextField } from "../ui/Controls.tsx"

interface ComposerProps {
  readonly agent: string
  readonly onSend: (input: Json) => Promise<boolean>
}

export const Composer = ({ agent, onSend }: ComposerProps) => {
  const [text, setText] = useState("")
  const [isJson, setJson] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string | undefined>(undefined)
  const send = (): void => {
    if (isBusy || text.trim() === "") return
    let input: Json = text
    if (isJson)
      try {
        input = JSON.parse(text)
      } catch (error) {
        setError(`This is no JSON: ${error instanceof Error ? error.message : ""}`)
        return
      }
    setError(undefined)
    setBusy(true)
    void onSend(input).then((begun) => {
      setBusy(false)
      if (begun) setText("")
    })
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <TextField
        error={error}
        isMono={isJson}
        label={`Message to ${agent}`}
        onChange={setText}
        onSend={send}
        placeholder={isJson ? '{ "question": "..." }' : "Write a message. Enter sends, Shift and Enter begins a line."}
        rows={isJson ? 5 : 2}
        sendsByEnter={!isJson}
        shown={false}
        value={text}
      />
      <div className="composer-end">
        <ToggleButton className="button button-quiet toggle" isSelected={isJson} onChange={setJson}>
          JSON
        </ToggleButton>
        <Button icon="send" isDisabled={isBusy || text.trim() === ""} kind="main" type="submit">
          Send
        </Button>
      </div>
    </form>
  )
}
