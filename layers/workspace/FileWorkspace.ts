/**
 * A folder of this machine as a workspace. Paths are checked as texts, walked name by name over open folders, and what is
 * opened is checked again; files are replaced as a whole; changes come one after the other.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { ExecutorError, type ExecutorErrorReason } from "../../services/ActionExecutor.ts"
import * as Spaces from "../../services/Workspace.ts"
import * as Changing from "./Changing.ts"
import type { Holding } from "./Folder.ts"
import type { Options } from "./Policy.ts"
import * as Reading from "./Reading.ts"
import { open } from "./Space.ts"

export {
  /** How much at once where nobody says. @category constants */
  limits,
  /** How much at once. @category models */
  type Limits,
  /** What may be done in a folder, and how much of it. @category models */
  type Options,
  /** What is not changed where nobody says. @category constants */
  internals,
  /** The name of a rule. @category models */
  type Rule,
  /** The rules that refuse, by the names that stand in `Refused.rule`. @category constants */
  rules,
  /** What is hidden where nobody says. @category constants */
  secrets
} from "./Policy.ts"

const shown = (subject: string): string => (subject.length <= 200 ? subject : `${subject.slice(0, 199)}…`)

const fail = (subject: string) => (reason: ExecutorErrorReason) =>
  new ExecutorError({ executor: "workspace", subject: shown(subject), reason })

/**
 * The workspace as a value, for as long as the Scope. `hold` is for tests: how folders are held, where the machine could
 * do better.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  options: Options,
  hold?: Holding
): Effect.fn.Return<Spaces.Workspace["Service"], ExecutorError, Scope.Scope> {
  const space = yield* Effect.mapError(open(options, hold), fail("open"))
  const turns = yield* Semaphore.make(1)
  const look = <A>(subject: string, effect: Effect.Effect<A, ExecutorErrorReason, Scope.Scope>) =>
    Effect.mapError(Effect.scoped(effect), fail(subject))
  // One change at a time: between the check of a digest and the change nothing of this program comes.
  const change = <A>(subject: string, effect: Effect.Effect<A, ExecutorErrorReason, Scope.Scope>) =>
    turns.withPermit(look(subject, effect))
  return {
    read: (path, options = {}) => look(`read ${path}`, Reading.read(space, path, options)),
    list: (path, options = {}) => look(`list ${path ?? "."}`, Reading.list(space, path, options)),
    glob: (pattern, options = {}) => look(`glob ${pattern}`, Reading.glob(space, pattern, options)),
    grep: (pattern, options = {}) => look(`grep ${pattern}`, Reading.grep(space, pattern, options)),
    stat: (path) => look(`stat ${path}`, Reading.stat(space, path)),
    write: (path, text, options = {}) => change(`write ${path}`, Changing.write(space, path, text, options)),
    edit: (path, edits, options = {}) => change(`edit ${path}`, Changing.edit(space, path, edits, options)),
    patch: (diff) => change("patch", Changing.patch(space, diff)),
    makeFolder: (path) => change(`makeFolder ${path}`, Changing.makeFolder(space, path)),
    move: (from, to) => change(`move ${from} to ${to}`, Changing.move(space, from, to)),
    remove: (path, options = {}) => change(`remove ${path}`, Changing.remove(space, path, options))
  }
})

/**
 * A folder of this machine as a workspace: read only, unless `allow` says what may be changed.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { FileWorkspace } from "effigent/layers/workspace"
 * import { Workspace } from "effigent/services/Workspace"
 * import { mkdtempSync } from "node:fs"
 * import { tmpdir } from "node:os"
 *
 * const root = mkdtempSync(`${tmpdir()}/notes-`)
 * const program = Effect.gen(function* () {
 *   const files = yield* Workspace
 *   yield* files.write("todo/today.md", "- water the plants\n- rest\n")
 *   const { digest } = yield* files.read("todo/today.md")
 *   yield* files.edit("todo/today.md", [{ old: "- rest", new: "- rest well" }], { digest })
 *   const found = yield* files.grep("rest.*")
 *   const error = yield* Effect.flip(files.read("../secret.txt"))
 *   return [found.matches, error.message] as const
 * })
 * const layer = FileWorkspace.layer({ root, allow: ["create", "update"] })
 * const [matches, refusal] = await Effect.runPromise(program.pipe(Effect.provide(layer)))
 * console.log(matches) // => [ { path: 'todo/today.md', line: 2, text: '- rest well' } ]
 * console.log(refusal)
 * // => workspace: read ../secret.txt: refused by the rule path.outside: there is a .. in it; name the path from the workspace (a path does not lead upwards)
 * ```
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Spaces.Workspace, ExecutorError> =>
  Layer.effect(Spaces.Workspace, make(options))
