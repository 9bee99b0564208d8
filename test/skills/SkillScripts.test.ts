import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Agent } from "effigent"
import { Actions } from "effigent/action"
import { ApprovalGate, type ApprovalRequest } from "effigent/services/Action"
import { type CodeRequest, CodeRunner, type Language } from "effigent/services/CodeRunner"
import type { Json } from "effigent/services/Json"
import { SkillScripts } from "effigent/skills"
import { ScriptedModel } from "effigent/testing"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { at, md, platform, tree } from "./support.ts"

const files = {
  "tools/SKILL.md": md("tools"),
  "tools/data.txt": "from the skill",
  "tools/main.py": "print('root')",
  "tools/scripts/helper.py": "def shout(text): return text.upper()",
  "tools/scripts/say.py": [
    "import sys",
    "from helper import shout",
    "if __name__ == '__main__':",
    "    print(shout(open('data.txt').read()), sys.argv, sys.stdin.read())",
    "    sys.exit(3)"
  ].join("\n"),
  "tools/scripts/helper.mjs": "export const shout = (text) => text.toUpperCase()",
  "tools/scripts/say.mjs": [
    'import { readFileSync } from "node:fs"',
    'import { shout } from "./helper.mjs"',
    'console.log(shout(readFileSync("data.txt", "utf8")), process.argv.slice(2).join(","))'
  ].join("\n"),
  "tools/scripts/it's odd.sh": 'echo "$(cat data.txt) $# $1"; echo bad >&2',
  "tools/scripts/native.exe": "MZ"
}

const programs: { readonly [L in Language]: readonly [program: string, name: string] } = {
  node: [process.execPath, "main.mts"],
  python: ["python3", "main.py"],
  shell: ["sh", "main.sh"]
}

const hasPython = spawnSync("python3", ["--version"]).status === 0

/** Runs code as the executors do: in a fresh directory, the program beside the files. No limits: these are our scripts. */
const runner = (requests: Array<CodeRequest>, languages: ReadonlyArray<Language> = ["node", "python", "shell"]) =>
  Layer.succeed(CodeRunner, {
    isolation: "group",
    languages,
    run: (request) =>
      Effect.sync(() => {
        requests.push(request)
        const directory = mkdtempSync(join(tmpdir(), "skill-script-"))
        const [program, name] = programs[request.language]
        for (const [path, content] of [[name, request.code] as const, ...Object.entries(request.files ?? {})]) {
          mkdirSync(dirname(join(directory, path)), { recursive: true })
          writeFileSync(join(directory, path), content, { flag: "wx" })
        }
        const ended = spawnSync(program, [name, ...(request.args ?? [])], {
          cwd: directory,
          encoding: "utf8",
          input: typeof request.stdin === "string" ? request.stdin : ""
        })
        rmSync(directory, { recursive: true })
        return {
          exitCode: ended.status ?? -1,
          stdout: ended.stdout ?? "",
          stderr: ended.stderr ?? "",
          truncated: false,
          omitted: { stdout: 0, stderr: 0 },
          bytes: { stdout: new Uint8Array(), stderr: new Uint8Array() },
          duration: 0,
          files: [],
          missing: []
        }
      })
  })

const approving =
  (asked: Array<ApprovalRequest>) =>
  (request: ApprovalRequest): Effect.Effect<{ readonly _tag: "Approved" }> =>
    Effect.sync(() => {
      asked.push(request)
      return { _tag: "Approved" }
    })

const call = (input: Json) => ScriptedModel.toolCalls([{ name: "run_skill_script", input }])

/** Lets a model make these calls, and gives what became of them. */
const calls = (
  inputs: ReadonlyArray<Json>,
  options: SkillScripts.Options = {},
  approve: Array<ApprovalRequest> | "nobody" = [],
  languages?: ReadonlyArray<Language>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const requests: Array<CodeRequest> = []
      const root = yield* tree(files)
      const agent = Agent.make({ input: "Do it." }).pipe(
        Actions.use([SkillScripts.runSkillScript(options)], { failures: 20 })
      )
      const model = ScriptedModel.layer([...inputs.map(call), ScriptedModel.text("Done.")])
      const run = Agent.whole(agent).pipe(Effect.provide([model, runner(requests, languages), at(root)]))
      const { meta } = yield* approve === "nobody" ? run : Effect.provideService(run, ApprovalGate, approving(approve))
      return { requests, records: (meta.actions?.rounds ?? []).flatMap(({ records }) => records) }
    })
  ).pipe(Effect.provide(platform))

const python = { name: "tools", path: "scripts/say.py", args: ["a", "b c"], stdin: "input" }

describe("SkillScripts", () => {
  it.effect("AC-07 nothing runs without approval: where nobody can be asked, the call is denied", () =>
    Effect.gen(function* () {
      const { records, requests } = yield* calls([python], {}, "nobody")
      assert.deepStrictEqual(
        records.map(({ status }) => status),
        ["denied"]
      )
      assert.lengthOf(requests, 0)
    })
  )

  it.effect("who approves is told skill, script and arguments; a rule of the host's may say what needs approval", () =>
    Effect.gen(function* () {
      const asked: Array<ApprovalRequest> = []
      yield* calls([python], {}, asked)
      assert.deepStrictEqual(
        asked.map(({ call, sideEffect }) => [call.action, call.input, sideEffect]),
        [["run_skill_script", python, "once"]]
      )
      const some: Array<ApprovalRequest> = []
      const { records } = yield* calls(
        [python, { name: "tools", path: "scripts/say.mjs" }],
        { approval: ({ path }) => !path.endsWith(".py") },
        some
      )
      assert.lengthOf(some, 1)
      assert.deepStrictEqual(
        records.map(({ status }) => status),
        ["success", "success"]
      )
    })
  )

  it.live("Python, Node and shell scripts run where they stand, with their neighbours, arguments and input", () =>
    Effect.gen(function* () {
      const { records } = yield* calls([
        python,
        { name: "tools", path: "scripts/say.mjs", args: ["x", "y z"] },
        { name: "tools", path: "scripts/it's odd.sh", args: ["$HOME; rm -rf ."] },
        { name: "tools", path: "main.py" }
      ])
      const results = records.map(({ result }) => result)
      const expected = [
        {
          exitCode: 3,
          stdout: "FROM THE SKILL ['scripts/say.py', 'a', 'b c'] input\n",
          stderr: "",
          truncated: false
        },
        { exitCode: 0, stdout: "FROM THE SKILL x,y z\n", stderr: "", truncated: false },
        { exitCode: 0, stdout: "from the skill 1 $HOME; rm -rf .\n", stderr: "bad\n", truncated: false },
        { exitCode: 0, stdout: "root\n", stderr: "", truncated: false }
      ]
      // Python is not everywhere that tests are run.
      const seen = hasPython ? [0, 1, 2, 3] : [1, 2]
      assert.deepStrictEqual(
        seen.map((index) => results[index]),
        seen.map((index) => expected[index])
      )
    })
  )

  it.effect("nothing but a script of a skill runs, and only in a language that is run here", () =>
    Effect.gen(function* () {
      const wrong = [
        { name: "none", path: "scripts/say.py" },
        { name: "tools", path: "scripts/none.py" },
        { name: "tools", path: "../other/say.py" },
        { name: "tools", path: "./scripts/say.py" },
        { name: "tools", path: "scripts/native.exe" },
        { name: "tools", path: "data.txt" },
        { name: "tools", path: "scripts/it's odd.sh" }
      ]
      const { records, requests } = yield* calls(wrong, {}, [], ["python"])
      const told = records.map(({ result, status }) => `${status} ${JSON.stringify(result)}`)
      assert.lengthOf(requests, 0)
      assert.isTrue(told.every((text) => text.startsWith("failed")))
      assert.include(told[0] ?? "", "there are tools")
      for (const index of [1, 2, 3]) assert.include(told[index] ?? "", "there are main.py, ")
      for (const index of [4, 5, 6]) assert.include(told[index] ?? "", "script.type")
      assert.include(told[6] ?? "", "run here: python")
    })
  )

  it.effect("`only` and `maxBytes` hold", () =>
    Effect.gen(function* () {
      const other = yield* calls([python], { only: ["others"] })
      assert.include(JSON.stringify(other.records), "there are no skills")
      const large = yield* calls([python], { maxBytes: 100 })
      assert.include(JSON.stringify(large.records), "more than 100 bytes")
      assert.deepStrictEqual([other.requests.length, large.requests.length], [0, 0])
    })
  )

  it.effect("the runner is given the files of the skill, and nothing of this machine", () =>
    Effect.gen(function* () {
      const { requests } = yield* calls([python])
      assert.deepStrictEqual(
        Object.keys(requests[0]?.files ?? {}).toSorted(),
        Object.keys(files)
          .map((path) => path.replace("tools/", "skill/"))
          .toSorted()
      )
      assert.deepStrictEqual([requests[0]?.args, requests[0]?.stdin], [["a", "b c"], "input"])
    })
  )
})
