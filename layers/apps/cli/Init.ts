/** `effigent init`: a new project. It writes what is not there, and nothing over what is. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { begin, textOf } from "./Begin.ts"
import { NotThere, Usage } from "./Exits.ts"
import { result } from "./Screen.ts"

/** `effigent init`. @category commands */
export const init = Command.make(
  "init",
  {
    folder: Argument.String("folder").pipe(
      Argument.withDescription("Where to; default: here"),
      Argument.withDefault(".")
    ),
    effigent: Flag.String("effigent").pipe(
      Flag.withDescription("What package.json says of effigent: a version, or file:../effigent-0.1.0.tgz"),
      Flag.optional
    )
  },
  ({ effigent, folder }) =>
    Effect.gen(function* () {
      const begun = yield* Effect.promise(() => begin(folder, Option.getOrUndefined(effigent)))
      if (begun._tag === "Refused") return yield* new Usage({ detail: begun.detail })
      if (begun._tag === "Failed") return yield* new NotThere({ detail: begun.detail })
      const { _tag, ...written } = begun
      yield* result(written, textOf(begun))
    })
).pipe(Command.withDescription("Begin a project with an agent, a flow, a test and a configuration"))
