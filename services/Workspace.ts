/**
 * A folder that a model may work in, as a service: what an agent needs to read, search and change files, and no way out
 * of the folder. Only JSON goes in and comes out, so that each function can be an action as it is. Which paths may be
 * seen and what may be changed is the policy of the implementation; `effigent/layers/workspace` has one for a folder of
 * this machine.
 *
 * What an implementation promises:
 *
 * - a path is relative to the folder, with `/` between its names; nothing outside of the folder is read or changed,
 *   whatever the path says and whatever links stand in the folder;
 * - a file is changed as a whole or not at all, and a file that others changed since it was read is not changed;
 * - every result is bounded, and says so where it was cut.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutorError } from "./ActionExecutor.ts"

/**
 * Lines of a text file.
 *
 * @category models
 */
export const FileText = Schema.Struct({
  /** The path, as it leads through no link. */
  path: Schema.String,
  /** The lines, with their line ends. */
  text: Schema.String,
  /** The number of the first line in `text`, from 1. */
  from: Schema.Int,
  /** The number of the last line in `text`; `from - 1` where there is none. */
  to: Schema.Int,
  /** How many lines the whole file has. */
  lines: Schema.Int,
  /** Bytes of the whole file. */
  size: Schema.Int,
  /** SHA-256 of the whole file, in hexadecimal digits: what a later change asks for. */
  digest: Schema.String,
  /** Whether lines that were asked for are left out, or the last one is cut, because there would be too much. */
  truncated: Schema.Boolean
})

/** Lines of a text file, as a type. @category models */
export type FileText = typeof FileText.Type

/**
 * What stands in a folder under one name. A `link` is not followed.
 *
 * @category models
 */
export const Entry = Schema.Struct({
  path: Schema.String,
  kind: Schema.Literals(["file", "folder", "link", "other"]),
  /** Bytes; of files only. */
  size: Schema.optionalKey(Schema.Int),
  /** When it was changed, in milliseconds since 1970; told by `stat` only. */
  modified: Schema.optionalKey(Schema.Finite)
})

/** What stands in a folder under one name, as a type. @category models */
export type Entry = typeof Entry.Type

/**
 * What was found in the folder.
 *
 * @category models
 */
export const Listing = Schema.Struct({
  /** In the order of their paths. */
  entries: Schema.Array(Entry),
  /** Whether there is more. */
  truncated: Schema.Boolean
})

/** What was found in the folder, as a type. @category models */
export type Listing = typeof Listing.Type

/**
 * Lines that match.
 *
 * @category models
 */
export const Matches = Schema.Struct({
  /** In the order of paths and lines. */
  matches: Schema.Array(
    Schema.Struct({
      path: Schema.String,
      /** From 1. */
      line: Schema.Int,
      /** The line, cut where it is long. */
      text: Schema.String
    })
  ),
  /** How many files were searched. */
  files: Schema.Int,
  /** Whether there may be more. */
  truncated: Schema.Boolean
})

/** Lines that match, as a type. @category models */
export type Matches = typeof Matches.Type

/**
 * A file that was changed.
 *
 * @category models
 */
export const Changed = Schema.Struct({
  path: Schema.String,
  change: Schema.Literals(["created", "updated", "removed"]),
  /** Bytes of it now. */
  size: Schema.Int,
  /** SHA-256 of it now, in hexadecimal digits; empty where it was removed. */
  digest: Schema.String
})

/** A file that was changed, as a type. @category models */
export type Changed = typeof Changed.Type

/**
 * A piece of text to be replaced.
 *
 * @category models
 */
export const Edit = Schema.Struct({
  /** The text as it stands in the file, exactly. It has to stand there once, unless `all` is set. */
  old: Schema.String,
  /** What is to stand there instead. */
  new: Schema.String,
  /** Replace it wherever it stands. */
  all: Schema.optionalKey(Schema.Boolean)
})

/** A piece of text to be replaced, as a type. @category models */
export type Edit = typeof Edit.Type

/**
 * What a change of a file asks for.
 *
 * @category options
 */
export interface ChangeOptions {
  /**
   * The digest of the file as it was last read: all of it, or its first digits, at least 8. A file that is there is
   * changed only where it still has this digest.
   */
  readonly digest?: string | undefined
}

/**
 * A folder that a model may work in.
 *
 * @category services
 */
export class Workspace extends Context.Service<
  Workspace,
  {
    /** Lines of a text file: `count` of them from line `from` (default 1) on, by default all. */
    readonly read: (
      path: string,
      options?: { readonly from?: number | undefined; readonly count?: number | undefined }
    ) => Effect.Effect<FileText, ExecutorError>
    /** What stands in a folder, by default in the whole one, `depth` (default 1) levels deep. */
    readonly list: (
      path?: string,
      options?: { readonly depth?: number | undefined }
    ) => Effect.Effect<Listing, ExecutorError>
    /**
     * The files whose path below `path` fits a pattern: `*` and `?` for what stands in a name, `**` for any folders,
     * `[a-z]`, `{a,b}`. A pattern without `/` is for the name of a file in any folder.
     */
    readonly glob: (
      pattern: string,
      options?: { readonly path?: string | undefined }
    ) => Effect.Effect<Listing, ExecutorError>
    /**
     * The lines that a regular expression matches, or that hold a text (`literal`), in text files below `path` whose path
     * fits `glob`.
     */
    readonly grep: (
      pattern: string,
      options?: {
        readonly path?: string | undefined
        readonly glob?: string | undefined
        readonly literal?: boolean | undefined
        readonly ignoreCase?: boolean | undefined
      }
    ) => Effect.Effect<Matches, ExecutorError>
    /** What stands under a path. A link is told as such. */
    readonly stat: (path: string) => Effect.Effect<Entry, ExecutorError>
    /** Makes a file, with the folders that it needs, or replaces it. */
    readonly write: (path: string, text: string, options?: ChangeOptions) => Effect.Effect<Changed, ExecutorError>
    /** Replaces pieces of a text file, one after the other: all of them or none. */
    readonly edit: (
      path: string,
      edits: ReadonlyArray<Edit>,
      options?: ChangeOptions
    ) => Effect.Effect<Changed, ExecutorError>
    /**
     * Applies a unified diff, of several files too: all of it or nothing. Its context lines have to stand in the file,
     * which takes the place of a digest. `/dev/null` makes or removes a file.
     */
    readonly patch: (diff: string) => Effect.Effect<ReadonlyArray<Changed>, ExecutorError>
    /** Makes a folder, with those above it. One that is there is no error. */
    readonly makeFolder: (path: string) => Effect.Effect<Entry, ExecutorError>
    /** Gives a file or a folder another path, which must be free. */
    readonly move: (from: string, to: string) => Effect.Effect<Entry, ExecutorError>
    /** Removes a file, a link (not what it leads to), or a folder; one that is not empty with `recursive` only. */
    readonly remove: (
      path: string,
      options?: { readonly recursive?: boolean | undefined }
    ) => Effect.Effect<void, ExecutorError>
  }
>()("effigent/Workspace") {}
