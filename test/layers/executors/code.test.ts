import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Result } from "effect"
import { CodeRunners } from "effigent/layers/executors"
import type { ExecutorError } from "effigent/services/ActionExecutor"
import { type CodeRequest, CodeRunner } from "effigent/services/CodeRunner"
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freshMark, isolations, processesWith } from "./machine.ts"

const mebi = 1024 * 1024

const folder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "code-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const run = (request: CodeRequest) => CodeRunner.use((runner) => runner.run(request))
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
const ruleOf = (result: Result.Result<unknown, ExecutorError>): string => {
  if (Result.isSuccess(result)) return "ok"
  const { reason } = result.failure
  return reason._tag === "Refused" ? reason.rule : reason._tag
}

const until = (what: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (what() ? Effect.void : Effect.andThen(Effect.sleep(5), until(what)))).pipe(
    Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error("it did not come to pass")) })
  )

for (const isolation of isolations) {
  /** Runs a test with a runner whose directories stand in a folder, which is empty again in the end. */
  const onFolder = <A, E>(
    test: (base: string) => Effect.Effect<A, E, CodeRunner>,
    options: Partial<CodeRunners.Options> = {}
  ) =>
    Effect.gen(function* () {
      const base = yield* folder
      const layer = CodeRunners.layer({
        isolation,
        languages: { node: true, python: true, shell: true },
        directory: base,
        ...options,
        limits: { grace: 100, ...options.limits }
      })
      const value = yield* Effect.provide(test(base), layer)
      assert.deepEqual(readdirSync(base), [], "the directories of the runs are removed")
      return value
    })

  describe(`CodeRunner, isolation ${isolation}`, () => {
    it.live("runs Node, Python and shell code with arguments and input", () =>
      onFolder(() =>
        Effect.gen(function* () {
          const requests: ReadonlyArray<CodeRequest> = [
            {
              language: "node",
              code: `import { readFileSync } from "node:fs"
const name: string = process.argv[2]
console.log(name, readFileSync(0, "utf8"))`
            },
            { language: "python", code: "import sys; print(sys.argv[1], sys.stdin.read())" },
            { language: "shell", code: 'echo "$1" "$(cat)"' }
          ]
          for (const request of requests) {
            const { exitCode, stderr, stdout } = yield* run({ ...request, args: ["-a $x"], stdin: "input" })
            assert.deepEqual([exitCode, stdout, stderr], [0, "-a $x input\n", ""], request.language)
          }
          const failed = yield* run({ language: "python", code: "raise ValueError('bad')" })
          assert.strictEqual(failed.exitCode, 1)
          assert.include(failed.stderr, "ValueError: bad")
        })
      )
    )

    it.live("gives it files and takes those that are wanted, byte for byte", () =>
      onFolder(() =>
        Effect.gen(function* () {
          const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 256)
          const { files, missing } = yield* run({
            language: "python",
            code: `
import os, helper
data = open("in/data.bin", "rb").read()
os.makedirs("out/deep")
open("out/deep/reversed.bin", "wb").write(data[::-1])
open("note.txt", "w").write(helper.greet())
open("unwanted.txt", "w").write("x")`,
            files: { "in/data.bin": bytes, "helper.py": "def greet(): return 'grüße'" },
            outputs: ["out/deep/reversed.bin", "note.txt", "gone.txt", "gone/too.txt", "note.txt/below"]
          })
          assert.deepEqual(
            files.map(({ path }) => path),
            ["out/deep/reversed.bin", "note.txt"]
          )
          assert.deepEqual(files[0]?.bytes, bytes.toReversed())
          assert.strictEqual(text(files[1]?.bytes), "grüße")
          assert.deepEqual(missing, [
            { path: "gone.txt", why: "absent" },
            { path: "gone/too.txt", why: "absent" },
            { path: "note.txt/below", why: "absent" }
          ])
        })
      )
    )

    it.live("takes no file by a link, no device and no pipe, and none that is too large", () =>
      onFolder(
        (base) =>
          Effect.gen(function* () {
            writeFileSync(join(tmpdir(), "code-secret"), "secret")
            const { files, missing } = yield* run({
              language: "shell",
              code: `
ln -s ${tmpdir()}/code-secret link
ln -s ${tmpdir()} dir
mkdir real; echo inside > real/file; ln -s real inner
mkfifo pipe; mkdir folder
head -c 600000 /dev/zero > a; head -c 600000 /dev/zero > b; echo small > c`,
              outputs: ["link", "dir/code-secret", "inner/file", "pipe", "folder", "a", "b", "c"]
            })
            assert.deepEqual(
              files.map(({ path }) => path),
              ["a", "c"]
            )
            assert.deepEqual(
              missing.map(({ path, why }) => `${path}: ${why}`),
              ["link: link", "dir/code-secret: link", "inner/file: link", "pipe: special", "folder: special", "b: size"]
            )
            rmSync(join(tmpdir(), "code-secret"))
            assert.strictEqual(existsSync(base), true)
          }),
        { limits: { fileSize: mebi } }
      )
    )

    it.live("refuses names of files that lead out, or to the program", () =>
      onFolder(() =>
        Effect.gen(function* () {
          const names = [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "a/.",
            "a\0b",
            "main.py",
            "main.py/x",
            "x".repeat(300)
          ]
          for (const name of names) {
            const input = run({ language: "python", code: "", files: { [name]: "" } })
            assert.strictEqual(ruleOf(yield* Effect.result(input)), "code.path", name)
            const output = run({ language: "python", code: "", outputs: [name] })
            assert.strictEqual(ruleOf(yield* Effect.result(output)), "code.path", name)
          }
        })
      )
    )

    it.live("removes its directory after success, failure, time-out and interruption, whatever the rights in it", () =>
      onFolder((base) =>
        Effect.gen(function* () {
          const stubborn = "mkdir -p a/b; touch a/b/c; chmod 000 a/b; chmod 500 a; ln -s / root; "
          yield* run({ language: "shell", code: stubborn })
          assert.deepEqual(readdirSync(base), [])
          const late = yield* Effect.flip(run({ language: "shell", code: `${stubborn} sleep 60`, wallTime: 200 }))
          assert.strictEqual(late.reason._tag, "TimedOut")
          assert.deepEqual(readdirSync(base), [])
          const fiber = yield* Effect.forkChild(run({ language: "shell", code: `${stubborn} sleep 60` }), {
            startImmediately: true
          })
          yield* until(() => readdirSync(base).length === 1)
          yield* Fiber.interrupt(fiber)
          assert.deepEqual(readdirSync(base), [])
        })
      )
    )

    it.live("Node code reaches no other file and starts no process", () =>
      onFolder(() =>
        Effect.gen(function* () {
          const { stdout } = yield* run({
            language: "node",
            code: `
import * as fs from "node:fs"
import { spawnSync } from "node:child_process"
import { Worker } from "node:worker_threads"
const attempt = (name: string, go: () => unknown) => {
  try { console.log(name, go()) } catch (error) { console.log(name, error.code) }
}
attempt("read", () => fs.readFileSync("/etc/passwd"))
attempt("list", () => fs.readdirSync("/"))
attempt("write", () => fs.writeFileSync("/tmp/code-escape", ""))
attempt("proc", () => fs.readFileSync("/proc/self/environ"))
attempt("up", () => fs.readFileSync("../../etc/passwd"))
attempt("run", () => spawnSync("id").error?.code ?? "ran")
attempt("thread", () => new Worker("1", { eval: true }))
fs.writeFileSync("own.txt", "own")
attempt("own", () => fs.readFileSync("own.txt", "utf8"))`
          })
          assert.strictEqual(
            stdout,
            ["read", "list", "write", "proc", "up", "run", "thread"]
              .map((name) => `${name} ERR_ACCESS_DENIED\n`)
              .join("") + "own own\n"
          )
          assert.isFalse(existsSync("/tmp/code-escape"))
        })
      )
    )

    it.live("the environment is built from nothing, home and temporary files are in its directory", () =>
      onFolder((base) =>
        Effect.gen(function* () {
          process.env.CODE_SECRET = freshMark()
          const { stdout } = yield* run({ language: "shell", code: "env; cd; pwd; mktemp" })
          assert.notInclude(stdout, process.env.CODE_SECRET)
          delete process.env.CODE_SECRET
          const lines = stdout.trim().split("\n")
          for (const line of lines.slice(-2)) assert.isTrue(line.startsWith(`${base}/effigent-`), line)
        })
      )
    )

    it.live("loops, memory and processes are limited in each language", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const limit = (request: CodeRequest) =>
              Effect.map(Effect.exit(run(request)), (exit) =>
                exit._tag === "Success" ? exit.value.stderr : String(exit.cause)
              )
            assert.include(yield* limit({ language: "node", code: "for (;;) {}" }), "too much cpu")
            assert.include(yield* limit({ language: "python", code: "while True: pass" }), "too much cpu")
            const buffers =
              "const a = []; for (;;) { a.push(Buffer.alloc(10_000_000, 1)); await new Promise((r) => setTimeout(r, 1)) }"
            assert.include(yield* limit({ language: "node", code: buffers }), "too much memory")
            assert.match(
              yield* limit({ language: "node", code: "const a = []; for (;;) a.push(new Array(1000).fill({}))" }),
              /too much memory|heap/
            )
            assert.match(yield* limit({ language: "python", code: "bytearray(10**10)" }), /MemoryError/)
            const mark = freshMark()
            const bomb = `while :; do sleep 60 ${mark}; done & sleep 60 & sleep 60 & sleep 60 & sleep 60 & sleep 60 & wait`
            assert.include(yield* limit({ language: "shell", code: bomb, args: [mark] }), "too much processes")
            assert.deepEqual(processesWith(mark), [])
          }),
        { limits: { cpuTime: "1 second", memory: 128 * mebi, processes: 4 } }
      )
    )
  })
}

describe("CodeRunner", () => {
  it.live("runs only the languages that are named, and says which", () =>
    Effect.gen(function* () {
      const { languages } = yield* CodeRunner
      assert.deepEqual(languages, ["python"])
      for (const language of ["node", "shell"] as const)
        assert.strictEqual(ruleOf(yield* Effect.result(run({ language, code: "1" }))), "code.language")
      // @ts-expect-error no such language
      assert.strictEqual(ruleOf(yield* Effect.result(run({ language: "__proto__", code: "1" }))), "code.language")
    }).pipe(Effect.provide(CodeRunners.layer({ languages: { python: true } })))
  )

  it.live("refuses too much input, all of it together", () =>
    Effect.gen(function* () {
      const files = { a: "x".repeat(400), b: new Uint8Array(400) }
      assert.strictEqual((yield* run({ language: "shell", code: "true", files })).exitCode, 0)
      const error = yield* Effect.flip(run({ language: "shell", code: "true", files, stdin: "x".repeat(400) }))
      assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "input" })
      assert.strictEqual(
        ruleOf(yield* Effect.result(run({ language: "shell", code: "true", args: ["a\0"] }))),
        "argument.null"
      )
    }).pipe(Effect.provide(CodeRunners.layer({ languages: { shell: true }, limits: { input: 1000 } })))
  )

  it.live("fails as a layer where a program or a directory is missing", () =>
    Effect.gen(function* () {
      const reason = (options: CodeRunners.Options) =>
        Effect.map(Effect.flip(Effect.scoped(Layer.build(CodeRunners.layer(options)))), (error) => error.reason._tag)
      assert.strictEqual(yield* reason({ languages: { python: "/no/such/python" } }), "NotFound")
      assert.strictEqual(yield* reason({ languages: { python: "python3" } }), "NotFound")
      assert.strictEqual(yield* reason({ languages: { shell: true }, directory: "/no/such" }), "NotFound")
      assert.strictEqual(yield* reason({ languages: { shell: true }, limits: { cpuTime: Infinity } }), "Broken")
      assert.strictEqual(yield* reason({ languages: { shell: true }, concurrency: Number.NaN }), "Broken")
    })
  )
})
