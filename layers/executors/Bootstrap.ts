/**
 * What runs in a worker and in a child process: it loads the module of the actions and answers calls. It is text, so that
 * it is the same from the sources and from the build, and it imports nothing but Node and the module.
 *
 * Both ways go texts of JSON. In: `{ id, call }`. Out: `{ type: "ready" }` or `{ type: "failed", detail }` once, then for
 * each call `{ type: "done", id, tag, value }` with the tag `Success`, `Failure`, `Unknown`, `Broken` or `TooLarge`.
 */

const serve = String.raw`
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"

const typeId = "~effect/Effect"
const isEffect = (value) => typeof value === "object" && value !== null && typeId in value
const told = (error) => (error instanceof Error ? error.message : String(error))
const plain = (error) =>
  error instanceof Error
    ? { ...(error._tag === undefined ? {} : { _tag: error._tag }), ...error, message: error.message }
    : error

const serve = async (module, most, send, receive) => {
  let actions
  try {
    actions = await import(module)
  } catch (error) {
    return send(JSON.stringify({ type: "failed", detail: told(error) }))
  }
  const names = Object.keys(actions).filter((name) => typeof actions[name] === "function" || isEffect(actions[name]))
  const evaluate = async (call) => {
    if (!names.includes(call.action)) return ["Unknown", names]
    try {
      const action = actions[call.action]
      const made = typeof action === "function" ? await action(call.input, call) : action
      if (!isEffect(made)) return ["Success", made]
      // The copy of effect that the module itself uses.
      const path = createRequire(module).resolve("effect/Effect")
      const { runPromiseExit } = await import(pathToFileURL(path).href)
      const exit = await runPromiseExit(made)
      if (exit._tag === "Success") return ["Success", exit.value]
      const { reasons } = exit.cause
      const died = reasons.find(({ _tag }) => _tag !== "Fail")
      return died === undefined ? ["Failure", plain(reasons[0]?.error)] : ["Broken", told(died.defect ?? died._tag)]
    } catch (error) {
      return error instanceof Error && error._tag === undefined ? ["Broken", told(error)] : ["Failure", plain(error)]
    }
  }
  receive(async (text) => {
    const { id, call } = JSON.parse(text)
    const [tag, value] = await evaluate(call)
    let answer
    try {
      answer = JSON.stringify({ type: "done", id, tag, value: value ?? null })
    } catch (error) {
      answer = JSON.stringify({ type: "done", id, tag: "Broken", value: "what it gave is no JSON: " + told(error) })
    }
    send(answer.length > most ? JSON.stringify({ type: "done", id, tag: "TooLarge", value: answer.length }) : answer)
  })
  send(JSON.stringify({ type: "ready" }))
}
`

/** The program of a worker; `workerData` is `{ module, most }`. @category programs */
export const worker = `${serve}
import { parentPort, workerData } from "node:worker_threads"
await serve(workerData.module, workerData.most, (text) => parentPort.postMessage(text), (on) => parentPort.on("message", on))
`

/** The program of a child process, which talks in lines on descriptor 3; its arguments are the module and `most`. @category programs */
export const child = `${serve}
import { Socket } from "node:net"
const socket = new Socket({ fd: 3 })
const gone = () => process.exit(0)
socket.on("error", gone).on("close", gone)
let rest = ""
const receive = (on) =>
  socket.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\\n")
    rest = lines.pop()
    for (const line of lines) on(line)
  })
const [, module, most] = process.argv
await serve(module, Number(most), (text) => socket.write(text + "\\n"), receive)
`
