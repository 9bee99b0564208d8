/** The questions that an execution waits with, each with a form for the answer. */
import { useState } from "react"
import type { Project, Standing } from "../../Api.ts"
import { announce } from "../app/Announcer.tsx"
import { answer } from "../data/Client.ts"
import { time, timeFull } from "../data/format.ts"
import type { JsonSchema, Json as JsonValue } from "../data/JsonSchema.ts"
import { wordsOf } from "../data/useLoaded.ts"
import { Icon } from "../ui/Icon.tsx"
import { Json } from "../ui/Json.tsx"
import { SchemaForm } from "../ui/SchemaForm.tsx"

type Question = Standing["questions"][number]

const anything: JsonSchema = {}

const One = ({
  execution,
  question,
  schema
}: {
  readonly execution: string
  readonly question: Question
  readonly schema: JsonSchema
}) => {
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string | undefined>(undefined)
  const send = (value: JsonValue): void => {
    setBusy(true)
    setError(undefined)
    answer(execution, question.id, value).then(
      () => announce(`${question.interrupt} was answered`),
      (error: unknown) => {
        setBusy(false)
        setError(wordsOf(error))
      }
    )
  }
  return (
    <section aria-label={`Question ${question.interrupt}`} className="question">
      <h2>
        <Icon name="alert" />
        <span>{question.interrupt}</span>
        <span className="hint">
          asked by <span className="mono">{question.chunk}</span> at{" "}
          <time title={timeFull(question.at)}>{time(question.at)}</time>
          {question.expires === undefined ? "" : `, until ${time(question.expires)}`}
        </span>
      </h2>
      <div className="question-parts">
        <div className="question-payload">
          <Json value={question.payload} />
        </div>
        <div>
          <SchemaForm isBusy={isBusy} label="Answer" onSend={send} schema={schema} send="Answer" />
          {error === undefined ? null : (
            <p className="notice notice-bad" role="alert">
              {error}
            </p>
          )}
        </div>
      </div>
    </section>
  )
}

interface QuestionsProps {
  readonly execution: string
  readonly questions: ReadonlyArray<Question>
  readonly flow: Project["flows"][number] | undefined
}

export const Questions = ({ execution, flow, questions }: QuestionsProps) =>
  questions.map((question) => (
    <One
      execution={execution}
      key={question.id}
      question={question}
      schema={flow?.contract.interrupts[question.interrupt]?.resume ?? anything}
    />
  ))
