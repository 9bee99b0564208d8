/** Runs the command line as a process of Node: its services, Ctrl-C, and its exit code. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { codes } from "./Exits.ts"
import * as Manifest from "./Manifest.ts"
import { program } from "./program.ts"

/** Runs it. @category programs */
export const start = (): void =>
  NodeRuntime.runMain(program(Manifest.own().version).pipe(Effect.provide(NodeServices.layer)), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      // The program gives its exit code as a value; it fails by interruption only.
      onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : codes.interrupted)
    }
  })
