/** What requests take from the file system: attachments and prompt files by their path. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Attachment from "../../src/prompt/Attachment.ts"
import * as PromptFile from "../../src/prompt/PromptFile.ts"

const nameOf = (path: string): string => path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1)

/**
 * A file as an attachment, read now: what is text becomes a text, all else a file.
 *
 * @category reading
 */
export const attachment = (
  path: string,
  options: Attachment.Options = {}
): Effect.Effect<Attachment.Attachment, PlatformError, FileSystem.FileSystem> =>
  Effect.map(
    FileSystem.FileSystem.use((files) => files.readFile(path)),
    (bytes) => Attachment.fromBytes(bytes, { ...options, name: options.name ?? nameOf(path) })
  )

/**
 * A prompt file, read now. Errors name the path.
 *
 * @category reading
 */
export const prompt = (
  path: string,
  options: Omit<PromptFile.Options, "file"> = {}
): Effect.Effect<PromptFile.PromptFile, PlatformError | PromptFile.PromptFileError, FileSystem.FileSystem> =>
  Effect.flatMap(
    FileSystem.FileSystem.use((files) => files.readFileString(path)),
    (text) => Effect.fromResult(PromptFile.parse(text, { ...options, file: path }))
  )
