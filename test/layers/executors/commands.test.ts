import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Result } from "effect"
import { Arguments, CommandRunners } from "effigent/layers/executors"
import type { ExecutorError } from "effigent/services/ActionExecutor"
import { type CommandRequest, CommandRunner, type RunOptions } from "effigent/services/CommandRunner"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hasNamespaces, isolations } from "./machine.ts"

const { anything } = Arguments

const folder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "commands-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const run = (request: CommandRequest) => CommandRunner.use((runner) => runner.run(request))
const shell = (script: string, options?: RunOptions) => CommandRunner.use((runner) => runner.shell(script, options))

const layer = (root: string, policy: Partial<CommandRunners.Policy> = {}) =>
  CommandRunners.layer({ roots: [root], commands: { echo: anything, cat: Arguments.paths, pwd: anything }, ...policy })

const ruleOf = (result: Result.Result<unknown, ExecutorError>): string => {
  if (Result.isSuccess(result)) return "ok"
  const { reason } = result.failure
  return reason._tag === "Refused" ? reason.rule : reason._tag
}

for (const isolation of isolations) {
  describe(`CommandRunner, isolation ${isolation}`, () => {
    it.live("gives exit code, output and time; what an exit code means is up to the command", () =>
      Effect.gen(function* () {
        const root = yield* folder
        const policy = layer(root, { isolation, commands: { echo: anything }, shell: "/bin/sh" })
        yield* Effect.gen(function* () {
          const echo = yield* run({ command: "echo", args: ["a  b", "$HOME", "*", "; id", "`id`", ""] })
          assert.strictEqual(echo.stdout, "a  b $HOME * ; id `id` \n")
          assert.deepInclude(echo, { exitCode: 0, stderr: "", truncated: false })
          assert.isAtLeast(echo.duration, 0)
          assert.isFalse("signal" in echo)
          const failed = yield* shell("echo out; echo err >&2; exit 7")
          assert.deepInclude(failed, { exitCode: 7, stdout: "out\n", stderr: "err\n" })
          const killed = yield* shell("kill -TERM $$")
          assert.deepInclude(killed, { exitCode: 143, signal: "SIGTERM" })
        }).pipe(Effect.provide(policy))
      })
    )

    it.live("passes standard input, byte for byte, and none where there is none", () =>
      Effect.gen(function* () {
        const root = yield* folder
        yield* Effect.gen(function* () {
          const bytes = Uint8Array.from({ length: 200_000 }, (_, index) => index % 256)
          const copy = yield* run({ command: "cat", stdin: bytes })
          assert.deepEqual(copy.bytes.stdout, bytes)
          assert.strictEqual((yield* run({ command: "cat", stdin: "grüße" })).stdout, "grüße")
          assert.strictEqual((yield* run({ command: "cat" })).stdout, "")
          // It need not read it.
          assert.strictEqual((yield* run({ command: "pwd", stdin: bytes })).exitCode, 0)
          const big = yield* Effect.flip(run({ command: "cat", stdin: new Uint8Array(300_001) }))
          assert.deepInclude(big.reason, { _tag: "LimitExceeded", limit: "input" })
        }).pipe(Effect.provide(layer(root, { isolation, limits: { input: 300_000 } })))
      })
    )

    it.live("runs in a directory of the roots, the first by default, relative to it", () =>
      Effect.gen(function* () {
        const root = yield* folder
        const other = yield* folder
        mkdirSync(join(root, "a/b"), { recursive: true })
        symlinkSync(join(root, "a"), join(root, "good"))
        symlinkSync("/etc", join(root, "bad"))
        symlinkSync("loop", join(root, "loop"))
        writeFileSync(join(root, "file"), "")
        yield* Effect.gen(function* () {
          const pwd = (cwd?: string) =>
            Effect.result(Effect.map(run({ command: "pwd", args: ["-P"], cwd }), ({ stdout }) => stdout.trim()))
          assert.deepEqual(yield* pwd(), Result.succeed(root))
          assert.deepEqual(yield* pwd("a/b"), Result.succeed(join(root, "a/b")))
          assert.deepEqual(yield* pwd("good/b"), Result.succeed(join(root, "a/b")))
          assert.deepEqual(yield* pwd(other), Result.succeed(other))
          const refused = [
            "/",
            "..",
            "../..",
            "bad",
            "bad/ssl",
            `${root}-x`,
            "good/../../..",
            "loop",
            `${other}/..`,
            "/nowhere"
          ]
          for (const cwd of refused) assert.strictEqual(ruleOf(yield* pwd(cwd)), "cwd.outside", cwd)
          for (const cwd of ["gone", "file", "a/gone"]) assert.strictEqual(ruleOf(yield* pwd(cwd)), "NotFound", cwd)
          assert.strictEqual(ruleOf(yield* pwd("a\0b")), "argument.null")
        }).pipe(
          Effect.provide(
            layer(root, { isolation, roots: [root, other], commands: { pwd: { ...anything, path: "/bin/pwd" } } })
          )
        )
      })
    )

    it.live("keeps a process in the directory that was judged, though its path is swapped for a link", () =>
      Effect.gen(function* () {
        const root = yield* folder
        const outside = yield* folder
        mkdirSync(join(root, "work"))
        writeFileSync(join(outside, "secret"), "outside")
        yield* Effect.gen(function* () {
          // Another process swaps the directory and the link as fast as it can.
          const swap = `while :; do mv -T ${root}/work ${root}/w2 && ln -s ${outside} ${root}/work && rm ${root}/work && mv -T ${root}/w2 ${root}/work; done`
          const swapper = yield* Effect.forkChild(shell(swap), { startImmediately: true })
          const seen = new Set<string>()
          for (let index = 0; index < 100; index++) {
            const result = yield* Effect.result(shell("/bin/pwd -P; ls", { cwd: "work" }))
            seen.add(Result.isSuccess(result) ? result.success.stdout : ruleOf(result))
          }
          yield* Fiber.interrupt(swapper)
          for (const text of seen) assert.notInclude(text, "secret")
          assert.isTrue([...seen].some((text) => text.startsWith(root)))
        }).pipe(Effect.provide(layer(root, { isolation, shell: "/bin/sh", limits: { grace: 50 } })))
      })
    )

    it.live("builds the environment from nothing but what is named", () =>
      Effect.gen(function* () {
        const root = yield* folder
        process.env.TEST_SECRET = "the secret"
        process.env.TEST_SHARED = "shared"
        const policy = layer(root, {
          isolation,
          commands: { env: { ...anything, env: { OF_COMMAND: "c" } } },
          env: { FIXED: "f" },
          inherit: ["TEST_SHARED", "TEST_NOT_SET"],
          allowEnv: ["ASKED"]
        })
        yield* Effect.gen(function* () {
          const { stdout } = yield* run({ command: "env", env: { ASKED: "a\nb=c" } })
          const names = stdout
            .split("\n")
            .filter((line) => /^[A-Z_]+=/.test(line))
            .map((line) => line.split("=")[0])
          assert.sameMembers(
            names.filter((name) => name !== "EFFIGENT_RUN"),
            ["PATH", "HOME", "LANG", "PWD", "FIXED", "OF_COMMAND", "TEST_SHARED", "ASKED"]
          )
          assert.include(stdout, "PATH=/usr/local/bin:/usr/bin:/bin\n")
          for (const env of [
            { LD_PRELOAD: "x" },
            { NODE_OPTIONS: "x" },
            { FIXED: "x" },
            { PATH: "x" },
            { constructor: "x" }
          ])
            assert.strictEqual(ruleOf(yield* Effect.result(run({ command: "env", env }))), "env.name")
          assert.strictEqual(
            ruleOf(yield* Effect.result(run({ command: "env", env: { ASKED: "\0" } }))),
            "argument.null"
          )
        }).pipe(Effect.provide(policy))
        delete process.env.TEST_SECRET
        delete process.env.TEST_SHARED
      })
    )

    it.live("keeps the first bytes, counts the rest, and cuts no character in two", () =>
      Effect.gen(function* () {
        const root = yield* folder
        yield* Effect.gen(function* () {
          const { bytes, omitted, stdout, truncated } = yield* run({ command: "echo", args: ["-n", "ä".repeat(100)] })
          assert.deepEqual([truncated, omitted], [true, { stdout: 189, stderr: 0 }])
          assert.strictEqual(stdout, "ä".repeat(5))
          assert.strictEqual(bytes.stdout.length, 11)
          const broken = yield* shell("printf '\\377\\376a\\0b'")
          assert.deepEqual([broken.stdout, broken.truncated], ["\uFFFD\uFFFDa\0b", false])
          assert.deepEqual([...broken.bytes.stdout], [255, 254, 97, 0, 98])
        }).pipe(Effect.provide(layer(root, { isolation, shell: "/bin/sh", limits: { keep: 11 } })))
      })
    )

    it.live("runs as many at once as it may, and lets the others wait without counting their time", () =>
      Effect.gen(function* () {
        const root = yield* folder
        yield* Effect.gen(function* () {
          // Each is alone with the directory.
          const one = shell("mkdir lock && sleep 0.2 && rmdir lock")
          const all = yield* Effect.all([one, one, one], { concurrency: "unbounded" })
          assert.deepEqual(
            all.map(({ exitCode }) => exitCode),
            [0, 0, 0]
          )
        }).pipe(Effect.provide(layer(root, { isolation, shell: "/bin/sh", concurrency: 1, limits: { wallTime: 500 } })))
      })
    )
  })
}

describe("CommandRunner", () => {
  it.live("refuses what the policy does not name, by rule", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.gen(function* () {
        const rule = (request: CommandRequest) => Effect.map(Effect.result(run(request)), ruleOf)
        for (const command of ["rm", "constructor", "__proto__", "", "echo ", "ECHO", "echo\0"])
          assert.strictEqual(yield* rule({ command }), "command.notAllowed", command)
        for (const command of ["/bin/echo", "./echo", "../bin/echo"])
          assert.strictEqual(yield* rule({ command }), "command.path", command)
        assert.strictEqual(ruleOf(yield* Effect.result(shell("echo hi"))), "command.shell")
        assert.strictEqual(yield* rule({ command: "echo", args: ["a\0b"] }), "argument.null")
        assert.strictEqual(yield* rule({ command: "echo", args: ["x".repeat(200_000)] }), "argument.size")
        assert.strictEqual(
          yield* rule({ command: "echo", args: Array.from({ length: 5000 }, () => "x") }),
          "argument.size"
        )
        assert.strictEqual(yield* rule({ command: "cat", args: ["--help"] }), "argument.option")
        const error = yield* Effect.flip(run({ command: "rm", args: ["-rf", "/"] }))
        assert.strictEqual(
          error.message,
          "command: rm: refused by the rule command.notAllowed: allowed: echo, cat, pwd"
        )
      }).pipe(Effect.provide(layer(root)))
    })
  )

  it.live("refuses operands that lead out of the roots, links and .. followed as the system does", () =>
    Effect.gen(function* () {
      const root = yield* folder
      mkdirSync(join(root, "a/b"), { recursive: true })
      writeFileSync(join(root, "file"), "inside")
      symlinkSync("/etc/passwd", join(root, "passwd"))
      symlinkSync("/etc", join(root, "etc"))
      symlinkSync("/usr/lib", join(root, "a/lib"))
      symlinkSync(join(root, "a/b"), join(root, "b"))
      symlinkSync("/nowhere/at/all", join(root, "dangling"))
      symlinkSync("self", join(root, "self"))
      yield* Effect.gen(function* () {
        const rule = (args: ReadonlyArray<string>, cwd?: string) =>
          Effect.map(Effect.result(run({ command: "cat", args, cwd })), ruleOf)
        const outside = [
          "/etc/passwd",
          "../x",
          "passwd",
          "etc/passwd",
          "etc/../file",
          "a/lib/../../etc/passwd",
          "a/../../x",
          "dangling",
          "dangling/x",
          "self",
          "/proc/self/environ",
          `${root}/../x`
        ]
        for (const path of outside) assert.strictEqual(yield* rule([path]), "argument.path", path)
        assert.strictEqual(yield* rule(["file", "/etc/passwd"]), "argument.path")
        assert.strictEqual(yield* rule(["--", "../x"]), "argument.path")
        assert.strictEqual(yield* rule(["../file"], "a"), "ok")
        assert.strictEqual(yield* rule(["../../file"], "a"), "argument.path")
        // Behind a link, `..` leads to where the directory really is.
        assert.strictEqual(yield* rule(["../../file"], "b"), "ok")
        for (const path of ["file", "./file", "a/../file", `${root}/file`, "gone", "a/gone/x"])
          assert.strictEqual(yield* rule([path]), "ok", path)
        assert.strictEqual((yield* run({ command: "cat", args: ["file"] })).stdout, "inside")
      }).pipe(Effect.provide(layer(root)))
    })
  )

  it.live("reads a repository with the git preset, and runs nothing that its config names", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const git = (...args: ReadonlyArray<string>) =>
        execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { cwd: root, stdio: "pipe" })
      git("init", "-q", "-b", "main")
      writeFileSync(join(root, "a.txt"), "one\n")
      writeFileSync(join(root, ".gitattributes"), "*.txt diff=evil\n")
      git("add", "-A")
      git("commit", "-q", "-m", "first")
      writeFileSync(join(root, "a.txt"), "two\n")
      for (const key of [
        "core.fsmonitor",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "core.pager",
        "gpg.program"
      ])
        git("config", key, `touch ${root}/pwned-${key}; true`)
      git("config", "log.showSignature", "true")
      yield* Effect.gen(function* () {
        const log = yield* run({ command: "git", args: ["log", "--oneline", "-p"] })
        assert.match(log.stdout, /first[\s\S]*\+one/)
        const diff = yield* run({ command: "git", args: ["diff"] })
        assert.include(diff.stdout, "+two")
        assert.include((yield* run({ command: "git", args: ["status", "--short"] })).stdout, " M a.txt")
        yield* run({ command: "git", args: ["show", "HEAD"] })
        yield* run({ command: "git", args: ["blame", "a.txt"] })
        const left = yield* run({ command: "ls", args: ["-1"] })
        assert.notInclude(left.stdout, "pwned")
        // Git as it is does run it.
        git("diff")
        assert.include((yield* run({ command: "ls", args: ["-1"] })).stdout, "pwned-")
      }).pipe(Effect.provide(layer(root, { commands: { git: Arguments.git, ls: Arguments.ls } })))
    })
  )

  it.live("fails as a layer where a command, a root, a limit or namespaces are missing", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const reason = (policy: Partial<CommandRunners.Policy>) =>
        Effect.map(Effect.flip(Effect.scoped(Layer.build(layer(root, policy)))), (error) => error.reason._tag)
      assert.strictEqual(yield* reason({ commands: { "no-such-command": anything } }), "NotFound")
      assert.strictEqual(yield* reason({ commands: { echo: { path: "/bin/no-such" } } }), "NotFound")
      assert.strictEqual(yield* reason({ commands: { echo: { path: "bin/echo" } } }), "NotFound")
      assert.strictEqual(yield* reason({ roots: [join(root, "gone")] }), "NotFound")
      assert.strictEqual(yield* reason({ roots: ["/etc/passwd"] }), "NotFound")
      assert.strictEqual(yield* reason({ shell: "/bin/no-such" }), "NotFound")
      assert.strictEqual(yield* reason({ concurrency: 0 }), "Broken")
      for (const limits of [
        { wallTime: Infinity },
        { memory: Infinity },
        { output: -1 },
        { processes: 0 },
        { cpuTime: Number.NaN },
        { keep: Number.NaN }
      ])
        assert.strictEqual(yield* reason({ limits }), "Broken", JSON.stringify(limits))
      if (!hasNamespaces) assert.strictEqual(yield* reason({ isolation: "required" }), "Unavailable")
      assert.strictEqual(yield* reason({ isolation: "off", network: "none" }), "Unavailable")
    })
  )

  it.live("says how runs are kept together and what may be run", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const said = CommandRunner.use(({ commands, isolation }) => Effect.succeed([isolation, ...commands]))
      assert.deepEqual(yield* Effect.provide(said, layer(root, { isolation: "off" })), ["group", "echo", "cat", "pwd"])
      const [isolation] = yield* Effect.provide(said, layer(root))
      assert.strictEqual(isolation, hasNamespaces ? "namespaces" : "group")
    })
  )

  it.live("takes a shorter time from a request, and never a longer one", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* Effect.gen(function* () {
        for (const [wallTime, millis] of [
          [30, 30],
          ["1 hour", 300],
          [-5, 0]
        ] as const) {
          const { reason } = yield* Effect.flip(shell("sleep 60", { wallTime }))
          assert.deepInclude(reason, { _tag: "TimedOut", millis })
        }
      }).pipe(Effect.provide(layer(root, { shell: "/bin/sh", limits: { wallTime: 300, grace: 50 } })))
    })
  )

  it.live("says what went wrong where a command cannot be started", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const path = join(root, "tool")
      writeFileSync(path, "#!/no/such/interpreter\n", { mode: 0o755 })
      const result = yield* run({ command: "tool" }).pipe(
        Effect.provide(layer(root, { commands: { tool: { path } } })),
        Effect.exit
      )
      // The launcher says so in words, and with the code that shells use.
      if (Exit.isSuccess(result)) assert.deepInclude(result.value, { exitCode: 127, stdout: "" })
      else assert.fail("the launcher tells of it")
    })
  )

  it.live.skipIf(!hasNamespaces)("has no network where there is to be none", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const policy = layer(root, { network: "none", commands: { cat: anything } })
      const { stdout } = yield* Effect.provide(run({ command: "cat", args: ["/proc/net/dev"] }), policy)
      const devices = stdout.split("\n").flatMap((line) => /^\s*(\w+):/.exec(line)?.[1] ?? [])
      assert.deepEqual(
        devices.filter((name) => /^(eth|en|wl)/.test(name)),
        []
      )
      assert.include(devices, "lo")
    })
  )
})
