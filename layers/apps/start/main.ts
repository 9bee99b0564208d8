/**
 * `npm start`: triages a support letter. Fields appear as the model writes them, then the typed value, then tokens and
 * times. `npm start -- FILE` takes another letter, `npm start -- -` standard input.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { program } from "./program.ts"

NodeRuntime.runMain(program.pipe(Effect.provide(Layer.merge(NodeFileSystem.layer, NodeStdio.layer))), {
  disableErrorReporting: true
})
