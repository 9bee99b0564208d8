/**
 * Actions over a `Workspace`: what a coding assistant needs of files. What may be seen and changed is the workspace's
 * policy; here stands what a model is told, and that changes need approval unless the program says otherwise.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Changed, Edit, Entry, FileText, Listing, Matches, Workspace } from "../../../services/Workspace.ts"
import * as Action from "../Action.ts"

/**
 * How changes are approved.
 *
 * @category options
 */
export interface Options {
  /** Whether changes need approval. Default: `always`. Reading never does. */
  readonly approval?: Action.Approval<unknown> | undefined
}

// A model copies a digest: its first digits do.
const brief = <A extends { readonly digest: string }>(it: A): A => ({ ...it, digest: it.digest.slice(0, 12) })

const Path = Schema.String.annotate({ description: "Relative to the workspace, with / between names" })
const Folder = Schema.optionalKey(Schema.String.annotate({ description: "The folder; by default the whole workspace" }))
const Digest = Schema.optionalKey(
  Schema.String.annotate({ description: "The digest that read_file gave; needed where the file exists" })
)

/** Reads a file, or some of its lines. @category actions */
export const readFile = Action.make("read_file", {
  description:
    "Read a text file of the workspace. Gives its lines and the digest that write_file and edit_file ask for. " +
    "Where it says truncated, go on from the line after `to`.",
  input: Schema.Struct({
    path: Path,
    from: Schema.optionalKey(Schema.Int.annotate({ description: "The first line, from 1" })),
    count: Schema.optionalKey(Schema.Int.annotate({ description: "How many lines" }))
  }),
  output: FileText,
  sideEffect: "pure",
  // It is bounded by the workspace, and says where to go on.
  maxResult: 200_000,
  run: ({ path, ...range }) =>
    Effect.map(
      Workspace.use((files) => files.read(path, range)),
      brief
    )
})

/** Lists a folder. @category actions */
export const listFiles = Action.make("list_files", {
  description: "List what stands in a folder of the workspace.",
  input: Schema.Struct({
    path: Folder,
    depth: Schema.optionalKey(Schema.Int.annotate({ description: "How many levels deep; default 1" }))
  }),
  output: Listing,
  sideEffect: "pure",
  run: ({ path, ...options }) => Workspace.use((files) => files.list(path, options))
})

/** Finds files by their path. @category actions */
export const findFiles = Action.make("find_files", {
  description:
    "Find files of the workspace by a pattern of their path: * and ? within a name, ** for any folders, {a,b}. " +
    "A pattern without / is for the name in any folder: *.ts",
  input: Schema.Struct({ pattern: Schema.String, path: Folder }),
  output: Listing,
  sideEffect: "pure",
  run: ({ pattern, ...options }) => Workspace.use((files) => files.glob(pattern, options))
})

/** Finds lines. @category actions */
export const searchFiles = Action.make("search_files", {
  description:
    "Search the text files of the workspace for lines that match a regular expression (JavaScript), or that hold a text " +
    "(literal). Gives paths and line numbers.",
  input: Schema.Struct({
    pattern: Schema.String,
    path: Folder,
    glob: Schema.optionalKey(Schema.String.annotate({ description: "Only files that fit this pattern: *.ts" })),
    literal: Schema.optionalKey(Schema.Boolean),
    ignoreCase: Schema.optionalKey(Schema.Boolean)
  }),
  output: Matches,
  sideEffect: "pure",
  run: ({ pattern, ...options }) => Workspace.use((files) => files.grep(pattern, options))
})

/** The actions that only read. @category actions */
export const reading = [readFile, listFiles, findFiles, searchFiles] as const

/** The actions that change files. @category constructors */
export const changing = ({ approval = "always" }: Options = {}) =>
  [
    Action.make("write_file", {
      description:
        "Write a whole file of the workspace: a new one, or one that was read before, with its digest. " +
        "To change parts of a file use edit_file.",
      input: Schema.Struct({ path: Path, text: Schema.String, digest: Digest }),
      output: Changed,
      sideEffect: "idempotent",
      approval,
      run: ({ path, text, ...options }) =>
        Effect.map(
          Workspace.use((files) => files.write(path, text, options)),
          brief
        )
    }),
    Action.make("edit_file", {
      description:
        "Replace pieces of a file that was read before, with its digest. Each old text has to stand in the file exactly so, " +
        "and once, unless all is true. All edits are made, or none. Gives the new digest.",
      input: Schema.Struct({ path: Path, edits: Schema.Array(Edit), digest: Schema.String }),
      output: Changed,
      sideEffect: "idempotent",
      approval,
      run: ({ digest, edits, path }) =>
        Effect.map(
          Workspace.use((files) => files.edit(path, edits, { digest })),
          brief
        )
    }),
    Action.make("apply_patch", {
      description:
        "Apply a unified diff to files of the workspace, all of it or nothing. Context lines have to stand in the files. " +
        "/dev/null as old or new file makes or removes one.",
      input: Schema.Struct({ diff: Schema.String }),
      output: Schema.Array(Changed),
      sideEffect: "once",
      approval,
      run: ({ diff }) =>
        Effect.map(
          Workspace.use((files) => files.patch(diff)),
          (all) => all.map(brief)
        )
    }),
    Action.make("make_folder", {
      description: "Make a folder of the workspace, with those above it.",
      input: Schema.Struct({ path: Path }),
      output: Entry,
      sideEffect: "idempotent",
      approval,
      run: ({ path }) => Workspace.use((files) => files.makeFolder(path))
    }),
    Action.make("move_file", {
      description: "Give a file or a folder of the workspace another path, which must be free.",
      input: Schema.Struct({ from: Path, to: Path }),
      output: Entry,
      sideEffect: "once",
      approval,
      run: ({ from, to }) => Workspace.use((files) => files.move(from, to))
    }),
    Action.make("remove_file", {
      description: "Remove a file of the workspace, or an empty folder; with recursive a folder and all that is in it.",
      input: Schema.Struct({ path: Path, recursive: Schema.optionalKey(Schema.Boolean) }),
      output: Schema.Null,
      sideEffect: "once",
      approval,
      run: ({ path, ...options }) =>
        Effect.as(
          Workspace.use((files) => files.remove(path, options)),
          null
        )
    })
  ] as const

/**
 * All actions over a workspace.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "effigent"
 * import { Actions } from "effigent/action"
 * import { WorkspaceActions } from "effigent/action/packages"
 * import { FileWorkspace } from "effigent/layers/workspace"
 * import { ScriptedModel } from "effigent/testing"
 * import { mkdtempSync, writeFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 *
 * const root = mkdtempSync(`${tmpdir()}/notes-`)
 * writeFileSync(`${root}/todo.md`, "- water the plants\n")
 *
 * const answer = Agent.make({ input: "What is to be done?" }).pipe(Actions.use(WorkspaceActions.reading), Agent.run)
 * const model = ScriptedModel.layer([
 *   ScriptedModel.toolCalls([{ name: "read_file", input: { path: "todo.md" } }]),
 *   ScriptedModel.text("Water the plants.")
 * ])
 * console.log(await Effect.runPromise(answer.pipe(Effect.provide([model, FileWorkspace.layer({ root })]))))
 * // => Water the plants.
 * ```
 *
 * @category constructors
 */
export const all = (options: Options = {}) => [...reading, ...changing(options)] as const
