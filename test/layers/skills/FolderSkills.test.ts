import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger } from "effect"
import type { FolderSkills } from "effigent/layers/skills"
import type { ExecutorError } from "effigent/services/ActionExecutor"
import { SkillStore } from "effigent/services/SkillStore"
import { execFileSync } from "node:child_process"
import { at, md, platform, tree } from "../../skills/support.ts"

const quiet = Logger.layer([])

const open = (root: string, options: Partial<FolderSkills.Options> = {}) =>
  Effect.map(Layer.build(at(root, options).pipe(Layer.provide(quiet))), (context) =>
    SkillStore.pipe(Effect.provide(context))
  ).pipe(Effect.flatten)

const ruleOf = ({ reason }: ExecutorError) => (reason._tag === "Refused" ? reason.rule : reason._tag)

describe("FolderSkills", () => {
  it.effect("discovers every folder with a SKILL.md, with its files, in the order of the names", () =>
    Effect.gen(function* () {
      const root = yield* tree({
        "write-letters/SKILL.md": md("write-letters"),
        "fill-forms/SKILL.md": md("fill-forms", "Read references/fields.md first.", "license: MIT\n"),
        "fill-forms/scripts/fill.py": "print(1)",
        "fill-forms/references/fields.md": "# Fields",
        "fill-forms/.git/config": "hidden",
        "fill-forms/scripts/__pycache__/x.pyc": "hidden",
        "README.md": "no skill",
        ".hidden/SKILL.md": md("hidden")
      })
      const { findings, read, skills } = yield* open(root)
      assert.deepStrictEqual(findings, [])
      assert.deepStrictEqual(
        skills.map(({ description, files, license, location, name }) => [name, description, license, location, files]),
        [
          [
            "fill-forms",
            "Does fill-forms.",
            "MIT",
            `${root}/fill-forms`,
            [
              { path: "references/fields.md", size: 8 },
              { path: "scripts/fill.py", size: 8 }
            ]
          ],
          ["write-letters", "Does write-letters.", undefined, `${root}/write-letters`, []]
        ]
      )
      assert.strictEqual(yield* read("fill-forms"), "Read references/fields.md first.")
    }).pipe(Effect.provide(platform))
  )

  it.effect("bad skills are findings with file and line; the good ones stay usable", () =>
    Effect.gen(function* () {
      const root = yield* tree({
        "good/SKILL.md": md("good"),
        "named/SKILL.md": md("other"),
        "broken/SKILL.md": "---\nname: broken\n",
        "lower/skill.md": md("lower"),
        "empty/notes.md": "nothing",
        "huge/SKILL.md": md("huge", "x".repeat(3_000)),
        "folder/SKILL.md/file": "a folder called SKILL.md",
        "odd/SKILL.md": md("odd", "Body", "colour: red\n")
      })
      const { findings, skills } = yield* open(root, { maxFileBytes: 2_000 })
      assert.deepStrictEqual(
        skills.map(({ name }) => name),
        ["good", "odd"]
      )
      const told = findings.map(
        ({ file, level, line, problem }) => `${level} ${file.slice(root.length + 1)}:${line} ${problem}`
      )
      assert.deepStrictEqual(
        told.map((line) => line.replace(/ skills: .*/, " ...")),
        [
          "error broken/SKILL.md:1 the front matter has no end",
          "warning empty:1 the folder has no SKILL.md",
          "error folder/SKILL.md:1 ...",
          "error huge/SKILL.md:1 ...",
          "error lower/skill.md:1 it is not called SKILL.md",
          "error named/SKILL.md:2 the name is other and the folder named",
          "warning odd/SKILL.md:4 colour is no key of a skill"
        ]
      )
    }).pipe(Effect.provide(platform))
  )

  it.effect("findings are logged, or fail the layer where that is wanted and an error is among them", () =>
    Effect.gen(function* () {
      const root = yield* tree({ "named/SKILL.md": md("other"), "odd/SKILL.md": md("odd", "Body", "colour: red\n") })
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      yield* Layer.build(at(root).pipe(Layer.provide(Logger.layer([logger]))))
      assert.lengthOf(logged, 2)
      assert.include(logged[0] ?? "", `${root}/named/SKILL.md:2: the name is other`)
      const error = yield* Effect.flip(open(root, { onFindings: "fail" }))
      assert.strictEqual(error._tag, "InvalidSkills")
      assert.include(
        error.message,
        `${root}/named/SKILL.md:2: the name is other and the folder named. Give both one name.`
      )
      const warned = yield* tree({ "odd/SKILL.md": md("odd", "Body", "colour: red\n") })
      assert.lengthOf((yield* open(warned, { onFindings: "fail" })).skills, 1)
    }).pipe(Effect.provide(platform))
  )

  it.effect("of two skills of one name the one in the earlier directory counts, and the other is told", () =>
    Effect.gen(function* () {
      const first = yield* tree({ "a/SKILL.md": md("a", "first") })
      const second = yield* tree({ "a/SKILL.md": md("a", "second"), "b/SKILL.md": md("b") })
      const { findings, read, skills } = yield* open("", { directories: [first, second] })
      assert.deepStrictEqual(
        skills.map(({ name }) => name),
        ["a", "b"]
      )
      assert.strictEqual(yield* read("a"), "first")
      assert.deepStrictEqual(
        findings.map(({ file, level }) => [file, level]),
        [[`${second}/a/SKILL.md`, "error"]]
      )
    }).pipe(Effect.provide(platform))
  )

  it.effect("a directory that is not there fails the layer, typed", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(open("/no/such/directory"))
      assert.strictEqual(error._tag, "ExecutorError")
      assert.include(error.message, "/no/such/directory")
    }).pipe(Effect.provide(platform))
  )

  it.effect("reads files of the skill, and nothing that is outside of it, however it is named", () =>
    Effect.gen(function* () {
      const root = yield* tree({
        "a/SKILL.md": md("a"),
        "a/references/x.md": "text",
        "a/references/empty.md": "",
        "b/SKILL.md": md("b"),
        "ab/SKILL.md": md("ab"),
        "secret.txt": "secret"
      })
      const { file } = yield* open(root)
      const text = (path: string) => Effect.map(file("a", path), (bytes) => new TextDecoder().decode(bytes))
      assert.strictEqual(yield* text("references/x.md"), "text")
      assert.strictEqual(yield* text("./references//x.md"), "text")
      assert.strictEqual(yield* text("references/empty.md"), "")
      const refused: ReadonlyArray<readonly [string, string]> = [
        ["../secret.txt", "path.outside"],
        ["references/../../secret.txt", "path.outside"],
        ["references/../references/x.md", "path.outside"],
        ["..", "path.outside"],
        [`${root}/secret.txt`, "path.syntax"],
        ["/etc/passwd", "path.syntax"],
        ["C:/x", "path.syntax"],
        ["..\\secret.txt", "path.syntax"],
        ["references/x.md\0.png", "path.syntax"],
        ["", "path.syntax"],
        [".", "path.outside"],
        ["references", "file.type"],
        ["references/none.md", "NotFound"],
        ["references/x.md/y", "Broken"]
      ]
      for (const [path, rule] of refused) assert.strictEqual(ruleOf(yield* Effect.flip(file("a", path))), rule, path)
      assert.strictEqual(ruleOf(yield* Effect.flip(file("none", "references/x.md"))), "NotFound")
      // The name of one skill is the beginning of another's.
      assert.strictEqual(ruleOf(yield* Effect.flip(file("a", "../ab/SKILL.md"))), "path.outside")
    }).pipe(Effect.provide(platform))
  )

  it.effect("links that lead out are neither offered nor read; those that stay inside are", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const root = yield* tree({
        "a/SKILL.md": md("a"),
        "a/references/x.md": "text",
        "outside/secret.txt": "secret",
        "evil/notes.md": "x"
      })
      yield* fs.symlink(`${root}/outside/secret.txt`, `${root}/a/secret.txt`)
      yield* fs.symlink(`${root}/outside`, `${root}/a/out`)
      yield* fs.symlink("../a", `${root}/a/loop`)
      yield* fs.symlink("references", `${root}/a/refs`)
      yield* fs.symlink("references/x.md", `${root}/a/y.md`)
      yield* fs.symlink("nowhere", `${root}/a/dangling`)
      yield* fs.symlink(`${root}/outside/secret.txt`, `${root}/evil/SKILL.md`)
      const { file, findings, skills } = yield* open(root)
      assert.deepStrictEqual(
        skills.map(({ name }) => name),
        ["a"]
      )
      assert.deepStrictEqual(
        skills[0]?.files.map(({ path }) => path),
        ["references/x.md", "y.md"]
      )
      assert.deepStrictEqual(
        findings.map(({ file }) => file.slice(root.length + 1)),
        ["a/dangling", "a/loop", "a/out", "a/refs", "a/secret.txt", "evil/SKILL.md", "outside"]
      )
      assert.strictEqual(new TextDecoder().decode(yield* file("a", "y.md")), "text")
      assert.strictEqual(new TextDecoder().decode(yield* file("a", "refs/x.md")), "text")
      for (const path of ["secret.txt", "out/secret.txt", "loop/../../outside/secret.txt"]) {
        assert.strictEqual(ruleOf(yield* Effect.flip(file("a", path))), "path.outside", path)
      }
      assert.strictEqual(ruleOf(yield* Effect.flip(file("a", "loop"))), "path.outside")
      // What was a file when the skill was found may be a link when it is read.
      yield* fs.remove(`${root}/a/references/x.md`)
      yield* fs.symlink(`${root}/outside/secret.txt`, `${root}/a/references/x.md`)
      assert.strictEqual(ruleOf(yield* Effect.flip(file("a", "references/x.md"))), "path.outside")
    }).pipe(Effect.provide(platform))
  )

  it.effect("what is exchanged for a link between the check and the opening is not read", () =>
    Effect.gen(function* () {
      const root = yield* tree({ "a/SKILL.md": md("a"), "a/x/f.md": "text", "outside/f.md": "secret" })
      const fs = yield* FileSystem.FileSystem
      let exchanged = false
      // The attacker acts in the narrowest gap: after the path was resolved and checked, before it is opened.
      const racing = FileSystem.make({
        ...fs,
        open: (path, options) =>
          path.endsWith("/x/f.md") && !exchanged
            ? Effect.gen(function* () {
                exchanged = true
                yield* fs.rename(`${root}/a/x`, `${root}/a/was`)
                yield* fs.symlink(`${root}/outside`, `${root}/a/x`)
                return yield* fs.open(path, options)
              })
            : fs.open(path, options)
      })
      const { file } = yield* open(root).pipe(Effect.provideService(FileSystem.FileSystem, racing))
      assert.strictEqual(ruleOf(yield* Effect.flip(file("a", "x/f.md"))), "path.outside")
      assert.isTrue(exchanged)
    }).pipe(Effect.provide(platform))
  )

  it.effect("a pipe is refused without being waited for", () =>
    Effect.gen(function* () {
      const root = yield* tree({ "a/SKILL.md": md("a") })
      execFileSync("mkfifo", [`${root}/a/pipe`])
      const { file, findings } = yield* open(root)
      assert.strictEqual(ruleOf(yield* Effect.flip(file("a", "pipe"))), "file.type")
      assert.deepStrictEqual(
        findings.map(({ problem }) => problem),
        ["it is no regular file"]
      )
    }).pipe(Effect.provide(platform))
  )

  it.effect("files that are too large are refused, too many and too deep ones are told", () =>
    Effect.gen(function* () {
      const root = yield* tree({
        "a/SKILL.md": md("a"),
        "a/large.txt": "x".repeat(500),
        "a/1/2/3/4/5/6/7/8/9/deep.txt": "x",
        "b/SKILL.md": md("b"),
        ...Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`b/f${n}.txt`, "x"]))
      })
      const { file, findings, skills } = yield* open(root, { maxFileBytes: 400, maxFiles: 10 })
      const error = yield* Effect.flip(file("a", "large.txt"))
      assert.strictEqual(ruleOf(error), "LimitExceeded")
      assert.include(error.message, "500 bytes, more than 400")
      assert.deepStrictEqual(
        findings.map(({ problem }) => problem),
        ["it is deeper than 8 folders", "there are more than 10 files; the others are not offered"]
      )
      assert.lengthOf(skills[1]?.files ?? [], 10)
    }).pipe(Effect.provide(platform))
  )

  it.effect("a skill's own folder may be a link; its instructions are read anew each time", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const elsewhere = yield* tree({ "x/SKILL.md": md("a", "first") })
      const root = yield* tree({})
      yield* fs.symlink(`${elsewhere}/x`, `${root}/a`)
      const { read } = yield* open(root)
      assert.strictEqual(yield* read("a"), "first")
      yield* fs.writeFileString(`${elsewhere}/x/SKILL.md`, md("a", "second"))
      assert.strictEqual(yield* read("a"), "second")
    }).pipe(Effect.provide(platform))
  )
})
