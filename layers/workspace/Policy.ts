/**
 * What a model may do in a folder: the options of the workspace, their defaults, and the names of all rules that refuse.
 */

/**
 * What may be done, and how much of it.
 *
 * @category models
 */
export interface Options {
  /** The folder. It has to be there. */
  readonly root: string
  /**
   * What may be changed. Nothing by default. `create`: new files and folders; `update`: files that are there; `delete`:
   * removing. A move needs `create` and `delete`.
   */
  readonly allow?: ReadonlyArray<"create" | "update" | "delete"> | undefined
  /**
   * Patterns of paths that are neither seen nor changed, without regard to case; what stands below a folder that fits is
   * meant too. Instead of `secrets`.
   */
  readonly hidden?: ReadonlyArray<string> | undefined
  /** Patterns of paths that are not changed. Instead of `internals`. */
  readonly fixed?: ReadonlyArray<string> | undefined
  /** Patterns of folders that `glob` and `grep` do not go into. Default: `.git` and `node_modules`. */
  readonly skipped?: ReadonlyArray<string> | undefined
  readonly limits?: Partial<Limits> | undefined
}

/**
 * How much at once.
 *
 * @category models
 */
export interface Limits {
  /** Bytes of a file that is read or changed. Default: 10 MiB. */
  readonly fileBytes: number
  /** Characters of text that a result holds. Default: 50,000. */
  readonly textLength: number
  /** Entries or lines that a result holds. Default: 1,000. */
  readonly entries: number
  /** Files and folders that are looked at for one result. Default: 100,000. */
  readonly visited: number
  /** Milliseconds that a search may take. Default: 10,000. */
  readonly searchMillis: number
}

/** How much at once where nobody says. @category constants */
export const limits: Limits = {
  fileBytes: 10 * 1024 * 1024,
  textLength: 50_000,
  entries: 1000,
  visited: 100_000,
  searchMillis: 10_000
}

/** Where keys and passwords are wont to stand: what is hidden where nobody says. @category constants */
export const secrets: ReadonlyArray<string> = [
  ".env*",
  "*.pem",
  "*.key",
  "*.p12",
  "*.pfx",
  "*.jks",
  "*.kdbx",
  "id_rsa*",
  "id_dsa*",
  "id_ecdsa*",
  "id_ed25519*",
  ".ssh",
  ".aws",
  ".gnupg",
  ".kube",
  ".docker",
  ".npmrc",
  ".pypirc",
  ".netrc",
  ".git-credentials",
  ".htpasswd"
]

/** What other programs run or rely on: what is not changed where nobody says. @category constants */
export const internals: ReadonlyArray<string> = [".git", ".hg", ".svn", ".husky"]

/**
 * The rules that refuse, by the names that stand in `Refused.rule`.
 *
 * @category constants
 */
export const rules = {
  /** A path is not absolute, and begins with no drive, scheme or `~`. */
  "path.absolute": "a path is relative to the workspace",
  /** No part of a path is `..`. */
  "path.outside": "a path does not lead upwards",
  /** No `\` in a path. */
  "path.backslash": "names are separated by /",
  /** No NUL, line end or other control character in a path. */
  "path.control": "a path has no control characters",
  /** Names are such that every file system takes them for the same, and no other. */
  "path.name": "a name means the same on every file system",
  /** No `%2e`, `%2f`, `%5c`, `%00` in a path. */
  "path.encoded": "a path is not percent-encoded",
  /** At most 255 bytes a name, 4,096 a path, 64 names. */
  "path.long": "a path has an end",
  /** The folder itself is not written, moved or removed. */
  "path.root": "the workspace itself stays",
  /** A link does not lead out of the folder, and not in a circle. */
  "path.symlink": "links stay in the workspace",
  /** What is hidden is neither seen nor changed. */
  "path.hidden": "what is hidden is not seen",
  /** What is fixed is not changed. */
  "path.fixed": "what is fixed is not changed",
  /** What is read or changed is a file: no folder, pipe, socket or device. */
  "file.kind": "it is a file",
  /** What is read is text in UTF-8. */
  "file.binary": "it is text",
  /** A new path is free. */
  "write.exists": "what is there is not replaced",
  /** A file that is there is changed only by those who read it. */
  "write.digest": "a file is read before it is changed",
  /** The policy allows to make files and folders. */
  "write.create": "the policy allows to create",
  /** The policy allows to change files. */
  "write.update": "the policy allows to update",
  /** The policy allows to remove. */
  "write.delete": "the policy allows to delete",
  /** A folder that is not empty is removed with `recursive` only. */
  "write.recursive": "a folder that is removed is empty",
  /** The text to be replaced is not empty, and not what replaces it. */
  "edit.same": "an edit changes something",
  /** The text to be replaced stands in the file once. */
  "edit.ambiguous": "it is clear what an edit means",
  /** A diff is a unified diff of text files. */
  "patch.malformed": "a patch is a unified diff",
  /** A pattern is one. */
  "search.pattern": "a pattern is well-formed"
} as const

/** The name of a rule. @category models */
export type Rule = keyof typeof rules
