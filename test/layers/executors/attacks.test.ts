/** What a hostile command tries, with each kind of isolation: nothing gets through, and nothing is left behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Arguments, CommandRunners } from "effigent/layers/executors"
import { CommandRunner, type RunOptions } from "effigent/services/CommandRunner"
import { spawn, spawnSync } from "node:child_process"
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freshMark, hasNamespaces, isolations, openFiles, ownChildren, processesWith } from "./machine.ts"

const mebi = 1024 * 1024

const folder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "attacks-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const shell = (script: string, options?: RunOptions) => CommandRunner.use((runner) => runner.shell(script, options))
const python = (code: string, ...args: ReadonlyArray<string>) =>
  CommandRunner.use((runner) => runner.run({ command: "python3", args: ["-c", code, ...args] }))

const until = (what: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (what() ? Effect.void : Effect.andThen(Effect.sleep(5), until(what)))).pipe(
    Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.die(new Error("it did not come to pass")) })
  )

/** How long it took, in real milliseconds. */
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const since = performance.now()
    return Effect.map(effect, (value) => [value, performance.now() - since] as const)
  })

for (const isolation of isolations) {
  const policy = (
    root: string,
    limits: CommandRunners.Policy["limits"] = {},
    more: Partial<CommandRunners.Policy> = {}
  ) =>
    CommandRunners.layer({
      roots: [root],
      isolation,
      shell: "/bin/bash",
      allowEnv: ["MARK"],
      commands: {
        python3: Arguments.anything,
        yes: Arguments.anything,
        sleep: Arguments.anything,
        true: Arguments.none
      },
      limits: { wallTime: "10 seconds", grace: 200, ...limits },
      ...more
    })

  const onFolder = <A, E>(
    test: (root: string, mark: string) => Effect.Effect<A, E, CommandRunner>,
    limits: CommandRunners.Policy["limits"] = {},
    more: Partial<CommandRunners.Policy> = {}
  ) =>
    Effect.gen(function* () {
      const root = yield* folder
      return yield* Effect.provide(test(root, freshMark()), policy(root, limits, more))
    })

  describe(`attacks on a command, isolation ${isolation}`, { timeout: 120_000 }, () => {
    it.live("an environment is not inherited: no secret of this process is in it", () =>
      Effect.gen(function* () {
        process.env.LEAK_TEST = freshMark()
        const secret = process.env.LEAK_TEST
        const probe = `
env; cat /proc/self/environ; export -p; python3 -c 'import os; print(os.environ)'`
        const { stdout } = yield* onFolder(() => shell(probe))
        assert.include(stdout, "PATH=")
        assert.notInclude(stdout, secret)
        assert.notInclude(stdout, "LEAK_TEST")
        assert.notInclude(stdout, "VITEST")
        delete process.env.LEAK_TEST
      })
    )

    it.live("no open file of this process is inherited, those neither that it was started with", () =>
      Effect.gen(function* () {
        const root = yield* folder
        writeFileSync(join(root, "secret"), "the secret")
        const secret = openSync(join(root, "secret"), "r")
        const program = join(import.meta.dirname, "fixtures/descriptors.ts")
        // The program is started with an open file that Node itself does not look after.
        const { stderr, stdout } = spawnSync(
          process.execPath,
          ["--conditions=effigent:source", program, root, isolation],
          { encoding: "utf8", stdio: ["ignore", "pipe", "pipe", secret, ...Array<"ignore">(95).fill("ignore"), secret] }
        )
        closeSync(secret)
        assert.strictEqual(stderr, "")
        assert.notInclude(stdout, "secret")
        assert.match(stdout, /^99 \/dev\/null$/m)
        for (const line of stdout.trim().split("\n"))
          assert.match(line, /^([012] |\d+ \/dev\/null$|\d+ \/proc\/\d+\/fd$)/)
      })
    )

    it.live("an endless loop is stopped by its CPU time", () =>
      Effect.gen(function* () {
        const [error, millis] = yield* timed(onFolder(() => Effect.flip(python("while True: pass")), { cpuTime: 300 }))
        assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "cpu" })
        assert.isBelow(millis, 5000)
      })
    )

    it.live("CPU time is that of all processes together", () =>
      Effect.gen(function* () {
        const loops = "for i in 1 2 3 4; do (while :; do :; done) & done; wait"
        const error = yield* onFolder(() => Effect.flip(shell(loops)), { cpuTime: 800 })
        assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "cpu" })
      })
    )

    it.live("sleeping forever is stopped by the wall time", () =>
      Effect.gen(function* () {
        const mark = "86399.25"
        const error = yield* onFolder(() => Effect.flip(shell(`sleep ${mark}`)), { wallTime: 200 })
        assert.deepEqual({ ...error.reason }, { _tag: "TimedOut", millis: 200 })
        assert.deepEqual(processesWith(mark), [])
      })
    )

    it.live("one that ignores SIGTERM is killed when its grace is over", () =>
      onFolder((_, mark) =>
        Effect.gen(function* () {
          const stubborn = "trap '' TERM INT HUP; echo started; while :; do sleep 5; done"
          const [error, millis] = yield* timed(Effect.flip(shell(stubborn, { env: { MARK: mark }, wallTime: 200 })))
          assert.strictEqual(error.reason._tag, "TimedOut")
          assert.isAtLeast(millis, 400)
          assert.isBelow(millis, 3000)
          assert.deepEqual(processesWith(mark), [])
        })
      )
    )

    it.live("one that ends well on SIGTERM may do so within its grace", () =>
      onFolder(
        (root) =>
          Effect.gen(function* () {
            const polite = "trap 'echo bye > bye; exit 0' TERM; echo up > up; while :; do sleep 0.02; done"
            const fiber = yield* Effect.forkChild(shell(polite), { startImmediately: true })
            yield* until(() => existsSync(join(root, "up")))
            const [, millis] = yield* timed(Fiber.interrupt(fiber))
            assert.strictEqual(readFileSync(join(root, "bye"), "utf8"), "bye\n")
            assert.isBelow(millis, 2000)
          }),
        { grace: "5 seconds" }
      )
    )

    it.live("a memory bomb is stopped, and so are many small ones together", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const one = yield* Effect.exit(python("a = []\nwhile True: a.append(bytearray(10**6))"))
            // The system refuses it the memory, or the watch has seen it first.
            if (Exit.isSuccess(one)) assert.include(one.value.stderr, "MemoryError")
            else assert.include(String(one.cause), "too much memory")
            const huge = yield* python("bytearray(10**10)")
            assert.include(huge.stderr, "MemoryError")
            const small = "python3 -c 'import time; a = bytearray(60 * 10**6); time.sleep(60)'"
            const error = yield* Effect.flip(shell(`for i in 1 2 3 4 5; do ${small} & done; wait`))
            assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "memory" })
          }),
        { memory: 128 * mebi }
      )
    )

    it.live("a fork bomb is stopped, and all of it is gone", () =>
      onFolder(
        (_, mark) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(shell("while :; do sleep 60 & done", { env: { MARK: mark } }))
            assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "processes" })
            assert.deepEqual(processesWith(mark), [])
            yield* Effect.exit(shell("b() { b | b & }; b; sleep 60", { env: { MARK: mark } }))
            assert.deepEqual(processesWith(mark), [])
          }),
        { processes: 16, cpuTime: "5 seconds" }
      )
    )

    it.live("output without end is stopped, and what is kept is bounded", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const before = process.memoryUsage().rss
            const error = yield* Effect.flip(CommandRunner.use((runner) => runner.run({ command: "yes" })))
            assert.deepInclude(error.reason, { _tag: "LimitExceeded", limit: "output" })
            const both = yield* Effect.flip(shell("yes >&2 & yes"))
            assert.deepInclude(both.reason, { _tag: "LimitExceeded", limit: "output" })
            assert.isBelow(process.memoryUsage().rss - before, 200 * mebi)
          }),
        { output: 8 * mebi }
      )
    )

    it.live("1 GB of output within the limit is counted, and 1 KiB of it kept", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const { exitCode, omitted, stdout } = yield* shell("head -c 1000000000 /dev/zero | tr '\\0' x")
            assert.deepEqual([exitCode, stdout.length, omitted.stdout], [0, 1024, 1_000_000_000 - 1024])
          }),
        { output: 2 ** 31, keep: 1024, wallTime: "25 seconds", cpuTime: "20 seconds" }
      )
    )

    it.live("a small input that unpacks to much more than is allowed is stopped at the limit", () =>
      onFolder(
        (root) =>
          Effect.gen(function* () {
            const made = yield* shell("head -c 200000000 /dev/zero | gzip > bomb.gz; wc -c < bomb.gz")
            assert.isBelow(Number(made.stdout), 300_000)
            const out = yield* Effect.flip(shell("gzip -dc bomb.gz"))
            assert.deepInclude(out.reason, { _tag: "LimitExceeded", limit: "output" })
            // Into a file it ends at the size that a file may have.
            const file = yield* shell("gzip -dc bomb.gz > big; echo $?; wc -c < big")
            assert.strictEqual(Number(file.stdout.trim().split("\n")[1]), 4 * mebi)
            assert.isTrue(existsSync(join(root, "big")))
          }),
        { output: mebi, fileSize: 4 * mebi }
      )
    )

    it.live("binary garbage is text without a failure, and whole as bytes", () =>
      onFolder(() =>
        Effect.gen(function* () {
          const garbage =
            "import sys, random; random.seed(1); sys.stdout.buffer.write(random.randbytes(100000)); sys.stderr.buffer.write(b'\\xed\\xa0\\x80\\x00\\xff')"
          const { bytes, stderr, stdout } = yield* python(garbage)
          assert.strictEqual(bytes.stdout.length, 100_000)
          assert.deepEqual([...bytes.stderr], [0xed, 0xa0, 0x80, 0, 0xff])
          assert.strictEqual(JSON.parse(JSON.stringify(stdout)), stdout)
          assert.include(stderr, "\uFFFD")
        })
      )
    )

    it.live("what is left in the background is gone when the command has ended, and holds nothing up", () =>
      onFolder((_, mark) =>
        Effect.gen(function* () {
          const env = { MARK: mark }
          const [result, millis] = yield* timed(
            shell("sleep 600 & (sleep 600 &) ; nohup sleep 600 & echo done", { env })
          )
          assert.include(result.stdout, "done")
          assert.isBelow(millis, 3000)
          assert.deepEqual(processesWith(mark), [])
        })
      )
    )

    it.live("a daemon that has forked twice and left its session is gone too", () =>
      onFolder((_, mark) =>
        Effect.gen(function* () {
          const daemon = `
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        for fd in (0, 1, 2): os.close(fd)
        time.sleep(600)
    os._exit(0)
time.sleep(0.1)
print("left")`
          const { stdout } = yield* python(daemon, mark)
          assert.strictEqual(stdout, "left\n")
          assert.deepEqual(processesWith(mark), [])
          const interrupted = yield* Effect.forkChild(python(`${daemon}\ntime.sleep(600)`, mark), {
            startImmediately: true
          })
          yield* until(() => processesWith(mark).length >= 2)
          yield* Fiber.interrupt(interrupted)
          assert.deepEqual(processesWith(mark), [])
        })
      )
    )

    it.live("a daemon that empties its environment as well is found while its parents were seen", () =>
      onFolder((_, mark) =>
        Effect.gen(function* () {
          // The chain stays up long enough for the watch to see it.
          const script = `setsid env -i sh -c 'sleep 600 & sleep 601' ${mark} & sleep 0.3; kill -9 $!; echo left`
          const { stdout } = yield* shell(script)
          assert.strictEqual(stdout, "left\n")
          assert.deepEqual(processesWith(mark), [])
        })
      )
    )

    it.live("interruption leaves nothing at work, whenever it comes", () =>
      onFolder((_, mark) =>
        Effect.gen(function* () {
          for (const delay of [0, 1, 3, 6, 10, 20, 40]) {
            const fiber = yield* Effect.forkChild(shell("sleep 600 & sleep 600 | sleep 600", { env: { MARK: mark } }), {
              startImmediately: true
            })
            yield* Effect.sleep(delay)
            const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
            assert.isTrue(Exit.hasInterrupts(exit))
            assert.deepEqual(processesWith(mark), [], `after ${delay} ms`)
          }
        })
      )
    )

    it.live("null bytes, what is no UTF-8 and huge arguments are refused or passed as they are", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const show = "import sys, os; print([os.fsencode(a) for a in sys.argv[1:]])"
            const rule = (arg: string) => Effect.map(Effect.flip(python(show, arg)), ({ reason }) => reason._tag)
            assert.strictEqual(yield* rule("a\0b"), "Refused")
            assert.strictEqual(yield* rule("x".repeat(200_000)), "Refused")
            const odd = yield* python(show, "\n", "$(id)", "\u202E", "😀", "-", "--", "%s%n")
            assert.strictEqual(
              odd.stdout.trim(),
              "[b'\\n', b'$(id)', b'\\xe2\\x80\\xae', b'\\xf0\\x9f\\x98\\x80', b'-', b'--', b'%s%n']"
            )
            const many = yield* python("import sys; print(len(sys.argv), sum(map(len, sys.argv)))", ..."x".repeat(4000))
            assert.strictEqual(many.stdout.trim(), "4001 4002")
          }),
        { arguments: 100_000 }
      )
    )

    it.live("an argument longer than the system takes is an error of its own", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const error = yield* Effect.exit(python("pass", "x".repeat(4 * mebi)))
            // It was not run: the system says so to us, or to the launcher.
            if (Exit.isSuccess(error)) assert.isAtLeast(error.value.exitCode, 1)
            else assert.include(String(error.cause), "could not be started")
          }),
        { arguments: 8 * mebi }
      )
    )

    it.live("too many files at once are refused by the system", () =>
      onFolder(
        () =>
          Effect.gen(function* () {
            const { stderr } = yield* python("l = [open('/dev/null') for _ in range(1000)]")
            assert.include(stderr, "Too many open files")
          }),
        { openFiles: 64 }
      )
    )

    it.live(
      "1,000 short runs leave no process and no open file",
      () =>
        onFolder(
          () =>
            Effect.gen(function* () {
              const one = CommandRunner.use((runner) => runner.run({ command: "true" }))
              yield* Effect.all([one, one], { concurrency: 2 })
              const files = openFiles()
              const results = yield* Effect.all(
                Array.from({ length: 1000 }, () => one),
                { concurrency: 8 }
              )
              assert.isTrue(results.every(({ exitCode }) => exitCode === 0))
              yield* until(() => openFiles() <= files + 2)
              assert.deepEqual(ownChildren(), [])
            }),
          {}
        ),
      60_000
    )
  })
}

describe.skipIf(!hasNamespaces)("attacks on a command that only namespaces withstand", () => {
  const required = (root: string) =>
    CommandRunners.layer({
      roots: [root],
      isolation: "required",
      shell: "/bin/bash",
      commands: { python3: Arguments.anything },
      limits: { grace: 100 }
    })

  it.live("no other process of the machine is seen, nor its environment or memory", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const secret = freshMark()
      const holder = yield* Effect.acquireRelease(
        Effect.sync(() => spawn("sleep", ["600"], { env: { SECRET: secret } })),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      yield* until(() => processesWith(secret).length === 1)
      const probe = `
import os, glob
for name in sorted(glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/*/task/*/environ")):
    try: print(name, open(name, "rb").read())
    except OSError as error: print(name, error)
for pid in (${holder.pid}, ${process.pid}, ${process.ppid}):
    try: os.kill(pid, 0); print("can signal", pid)
    except ProcessLookupError: print("not there")
    try: open(f"/proc/{pid}/mem", "rb"); print("can read", pid)
    except FileNotFoundError: print("no memory")`
      const { stdout } = yield* python(probe).pipe(Effect.provide(required(root)))
      assert.notInclude(stdout, secret)
      assert.notInclude(stdout, "VITEST")
      assert.notInclude(stdout, "can ")
      assert.strictEqual(stdout.match(/not there/g)?.length, 3)
      assert.isAtMost(stdout.match(/\/proc\/\d+\/environ/g)?.length ?? 0, 3)
    })
  )

  it.live("a daemon that leaves everything and empties its environment at once is gone", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const mark = freshMark()
      const daemon = `
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/usr/bin/python3", ["python3", "-c", "import time; time.sleep(600)", "${mark}"], {})
    os._exit(0)`
      yield* Effect.gen(function* () {
        for (let index = 0; index < 5; index++) {
          yield* python(daemon)
          assert.deepEqual(processesWith(mark), [])
        }
      }).pipe(Effect.provide(required(root)))
    })
  )

  it.live("its first process cannot be killed from within, and the launcher is out of reach", () =>
    Effect.gen(function* () {
      const root = yield* folder
      writeFileSync(join(root, "marker"), "")
      const { stdout } = yield* shell("kill -9 1; kill -9 -1; echo still; ls").pipe(
        Effect.provide(required(root)),
        Effect.orElseSucceed(() => ({ stdout: "" }))
      )
      assert.include(["", "still\nmarker\n"], stdout)
      assert.isTrue(existsSync(join(root, "marker")))
    })
  )
})
