/** Runs the command line as a process of Node: its services, signals, and its exit code. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { codes } from "./Exits.ts"
import { Interruption, Listeners, type Signal } from "./Interruption.ts"
import * as Manifest from "./Manifest.ts"
import { program } from "./program.ts"

// Two signals within so many milliseconds are one.
const sameSignal = 500

// As NodeRuntime.runMain, but that a command may hear of a signal before it is interrupted.
const runMain = (listeners: Listeners) =>
  Runtime.makeRunMain(({ fiber, teardown }) => {
    let isStopped = false
    let at = 0
    const on = (signal: Signal) => () => {
      const isAgain = isStopped || listeners.isEnding
      // Whoever asks twice waits no longer. What starts commands (npm) may hand on what the terminal has sent them as well.
      if (isAgain && performance.now() - at > sameSignal) process.exit(codes.interrupted)
      if (isAgain) return
      at = performance.now()
      if (listeners.tell(signal)) return
      isStopped = true
      fiber.interruptUnsafe(fiber.id)
    }
    const interrupt = on("SIGINT")
    const end = on("SIGTERM")
    process.on("SIGINT", interrupt)
    process.on("SIGTERM", end)
    fiber.addObserver((exit) => {
      process.removeListener("SIGINT", interrupt)
      process.removeListener("SIGTERM", end)
      teardown(exit, (code) => {
        if (isStopped || code !== 0) process.exit(code)
        // At a good end it waits for what is still being written. A server that was told to end waits for nothing else,
        // such as timers of its project.
        if (listeners.isEnding) process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
      })
    })
  })

/** Runs it. @category programs */
export const start = (): void => {
  const listeners = new Listeners()
  runMain(listeners)(
    program(Manifest.own().version).pipe(
      Effect.provide(NodeServices.layer),
      Effect.provideService(Interruption, listeners)
    ),
    {
      disableErrorReporting: true,
      teardown: (exit, onExit) => {
        // The program gives its exit code as a value; it fails by interruption only.
        onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : codes.interrupted)
      }
    }
  )
}
