/** A form made of a JSON Schema: for the input of an agent or a flow, and for the answer to a question. */
import { type FormEvent, useMemo, useState } from "react"
import { Form } from "react-aria-components"
import {
  build,
  type Draft,
  draftFields,
  draftItems,
  type Json,
  type JsonSchema,
  type Problems,
  SchemaDocument
} from "../data/JsonSchema.ts"
import { Button, Choices, IconButton, Select, TextField } from "./Controls.tsx"

interface PlaceProps {
  readonly document: SchemaDocument
  readonly schema: JsonSchema
  readonly name: string
  readonly path: string
  readonly isRequired: boolean
  readonly draft: Draft
  readonly problems: Problems
  readonly onChange: (draft: Draft) => void
  readonly onSend: () => void
}

const yes = "yes"
const no = "no"
const nothing = "nothing"
const yesOrNo = [
  { id: yes, name: "Yes" },
  { id: no, name: "No" }
]
const yesNoOrNothing = [...yesOrNo, { id: nothing, name: "Leave out" }]

const textOf = (draft: Draft): string => (typeof draft === "string" ? draft : "")
const wordOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value))

const Place = (props: PlaceProps) => {
  const { document, draft, isRequired, name, onChange, onSend, path, problems, schema } = props
  const kind = document.kindOf(schema)
  const hint = document.describe(schema)
  const error = problems.get(path)
  const label = isRequired ? name : `${name} (optional)`
  switch (kind._tag) {
    case "object": {
      const fields = draftFields(draft)
      const inner = kind.fields.map((field) => (
        <Place
          {...props}
          draft={fields[field.name]}
          isRequired={isRequired && field.isRequired}
          key={field.name}
          name={field.name}
          onChange={(next) => onChange({ ...fields, [field.name]: next })}
          path={`${path}/${field.name}`}
          schema={field.schema}
        />
      ))
      if (path === "") return inner
      return (
        <fieldset className="fields">
          <legend>{label}</legend>
          {inner}
        </fieldset>
      )
    }
    case "list": {
      const items = draftItems(draft)
      return (
        <fieldset className="fields">
          <legend>{label}</legend>
          {hint === undefined ? null : <p className="hint">{hint}</p>}
          {items.map((item, index) => (
            // The place of an item is its identity: items have no other.
            <div className="fields-item" key={index}>
              <Place
                {...props}
                draft={item}
                isRequired
                name={`${name} ${index + 1}`}
                onChange={(next) => onChange(items.map((one, at) => (at === index ? next : one)))}
                path={`${path}/${index}`}
                schema={kind.item}
              />
              <IconButton
                icon="trash"
                label={`Remove ${name} ${index + 1}`}
                onPress={() => onChange(items.filter((_, at) => at !== index))}
              />
            </div>
          ))}
          <Button icon="plus" kind="quiet" onPress={() => onChange([...items, undefined])}>
            Add {name}
          </Button>
        </fieldset>
      )
    }
    case "flag":
      // No answer is given beforehand: whoever sends the form has said yes or no.
      return (
        <Choices
          choices={isRequired ? yesOrNo : yesNoOrNothing}
          error={draft === undefined ? error : undefined}
          hint={hint}
          isRequired={isRequired}
          label={label}
          onChange={(next) => onChange(next === nothing ? undefined : next === yes)}
          value={typeof draft === "boolean" ? (draft ? yes : no) : isRequired ? null : nothing}
        />
      )
    case "choice":
      return (
        <div>
          <Select
            choices={kind.values.map((value) => ({ id: JSON.stringify(value), name: wordOf(value) }))}
            hint={hint}
            label={label}
            onChange={onChange}
            shown
            value={typeof draft === "string" ? draft : null}
          />
          {error === undefined || draft !== undefined ? null : <p className="field-error">{error}</p>}
        </div>
      )
    case "number":
      return (
        <TextField
          error={error}
          hint={hint}
          inputMode={kind.isWhole ? "numeric" : "decimal"}
          isRequired={isRequired}
          label={label}
          onChange={onChange}
          value={textOf(draft)}
        />
      )
    case "text":
      return (
        <TextField
          error={error}
          hint={hint}
          isRequired={isRequired}
          label={label}
          onChange={onChange}
          onSend={onSend}
          {...(kind.isLong ? { rows: 4 } : {})}
          value={textOf(draft)}
        />
      )
    case "json":
      return (
        <TextField
          error={error}
          hint={hint ?? 'Any JSON, for example { "key": 1 }'}
          isMono
          isRequired={isRequired}
          label={label}
          onChange={onChange}
          onSend={onSend}
          rows={4}
          value={textOf(draft)}
        />
      )
  }
}

interface SchemaFormProps {
  readonly schema: JsonSchema
  /** What the form says, where it is not an object with fields of its own. */
  readonly label: string
  readonly send: string
  readonly isBusy?: boolean
  readonly onSend: (value: Json) => void
}

export const SchemaForm = ({ isBusy = false, label, onSend, schema, send }: SchemaFormProps) => {
  const document = useMemo(() => new SchemaDocument(schema), [schema])
  const [draft, setDraft] = useState<Draft>(undefined)
  const [problems, setProblems] = useState<Problems>(new Map())
  const submit = (): void => {
    const found: Problems = new Map()
    const value = build(document, schema, draft, true, "", found)
    setProblems(found)
    if (found.size === 0) onSend(value ?? null)
  }
  return (
    <Form
      className="form"
      onSubmit={(event: FormEvent) => {
        event.preventDefault()
        submit()
      }}
      validationBehavior="aria"
    >
      <Place
        document={document}
        draft={draft}
        isRequired
        name={label}
        onChange={setDraft}
        onSend={submit}
        path=""
        problems={problems}
        schema={schema}
      />
      <div className="form-end">
        <Button icon="play" isDisabled={isBusy} kind="main" type="submit">
          {send}
        </Button>
      </div>
    </Form>
  )
}
