/**
 * The libraries that are measured beside this one, from `test/bench/node_modules`. They are installed when they are
 * missing and are no part of this package, so that their types are described here, as far as they are used.
 */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"

const folder = import.meta.dirname

/** Installs the peers by their lock file, once. */
export const install = (): void => {
  if (existsSync(join(folder, "node_modules/.package-lock.json"))) return
  console.error("Installing the peers into test/bench/node_modules ...")
  execFileSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32"
  })
}

/** The address of the file that Node loads for a peer. */
export const addressOf = (name: string): string => import.meta.resolve(name)

const load = <Module>(name: string): Promise<Module> => import(name)

/** As much of `jsonriver` as is measured. */
export interface JsonRiver {
  readonly parse: (
    chunks: AsyncIterable<string>,
    options: { completeCallback: (value: unknown, path: { segments(): ReadonlyArray<string | number> }) => void }
  ) => AsyncIterable<unknown>
}

/** As much of `@streamparser/json` as is measured. */
export interface StreamParser {
  readonly JSONParser: new () => {
    onValue: (info: { readonly value: unknown; readonly key: unknown }) => void
    write(chunk: string): void
  }
}

/** As much of the AI SDK as is measured. */
export interface AiSdk {
  readonly parsePartialJson: (text: string) => Promise<{ readonly value: unknown }>
  readonly ToolLoopAgent: new (settings: object) => object
  readonly streamText: (settings: object) => {
    readonly partialOutputStream: AsyncIterable<unknown>
    readonly textStream: AsyncIterable<string>
  }
  readonly jsonSchema: (schema: object) => unknown
  readonly Output: { readonly object: (options: { readonly schema: unknown }) => unknown }
}

/** Its test helpers. */
export interface AiSdkTest {
  readonly MockLanguageModelV4: new (options: object) => object
}

/** Loads a peer. */
export const jsonRiver = (): Promise<JsonRiver> => load("jsonriver")
/** Loads a peer. */
export const streamParser = (): Promise<StreamParser> => load("@streamparser/json")
/** Loads a peer. */
export const aiSdk = (): Promise<AiSdk> => load("ai")
/** Loads a peer's test helpers. */
export const aiSdkTest = (): Promise<AiSdkTest> => load("ai/test")
