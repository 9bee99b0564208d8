import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ExecutorError } from "effigent/services/ActionExecutor"
import { createHash } from "node:crypto"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { ground, picture, workspace } from "./fixture.ts"

const ruleOf = (error: ExecutorError) => (error.reason._tag === "Refused" ? error.reason.rule : error.reason._tag)
const rejected = <A>(effect: Effect.Effect<A, ExecutorError>) => Effect.map(Effect.flip(effect), ruleOf)
const sha = (text: string) => createHash("sha256").update(text).digest("hex")

describe("reading", () => {
  it.live("gives lines by number, with the digest of the whole", () =>
    Effect.gen(function* () {
      const text = "one\ntwo\r\nthree\nfour"
      const { root } = yield* ground({ "a.txt": text, "empty.txt": "", "ended.txt": "x\n" })
      const files = yield* workspace(root)
      assert.deepStrictEqual(yield* files.read("./a.txt", { from: 2, count: 2 }), {
        path: "a.txt",
        text: "two\r\nthree\n",
        from: 2,
        to: 3,
        lines: 4,
        size: text.length,
        digest: sha(text),
        truncated: false
      })
      const whole = yield* files.read("a.txt")
      assert.deepStrictEqual([whole.text, whole.from, whole.to], [text, 1, 4])
      const behind = yield* files.read("a.txt", { from: 9 })
      assert.deepStrictEqual([behind.text, behind.from, behind.to, behind.truncated], ["", 9, 8, false])
      const empty = yield* files.read("empty.txt")
      assert.deepStrictEqual([empty.text, empty.lines, empty.to], ["", 0, 0])
      assert.strictEqual((yield* files.read("ended.txt")).lines, 1)
    })
  )

  it.live("goes on where it was cut, line by line", () =>
    Effect.gen(function* () {
      const text = Array.from({ length: 500 }, (_, n) => `line ${n}`).join("\n")
      const { root } = yield* ground({ "a.txt": text })
      const files = yield* workspace(root, { limits: { textLength: 333 } })
      let seen = ""
      let from = 1
      for (let more = true; more;) {
        const part = yield* files.read("a.txt", { from })
        assert.isAtMost(part.text.length, 333)
        seen += part.text
        from = part.to + 1
        more = part.truncated
      }
      assert.strictEqual(seen, text)
    })
  )

  it.live("follows links that stay inside, and tells where they lead", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "real/deep/a.txt": "inside" })
      symlinkSync("real/deep", join(root, "short"))
      symlinkSync(join(root, "real"), join(root, "absolute"))
      symlinkSync("../../short/a.txt", join(root, "real/deep/again.txt"))
      const files = yield* workspace(root)
      for (const path of ["short/a.txt", "absolute/deep/a.txt", "real/deep/again.txt", "short/again.txt"]) {
        const { path: real, text } = yield* files.read(path)
        assert.deepStrictEqual([real, text], ["real/deep/a.txt", "inside"], path)
      }
      yield* files.write("short/b.txt", "b")
      assert.strictEqual(readFileSync(join(root, "real/deep/b.txt"), "utf8"), "b")
    })
  )

  it.live("lists, finds and searches in order", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({
        "src/a.ts": "const a = 1\nconst B = 2\n",
        "src/deep/b.ts": "const b = 3",
        "src/deep/c.md": "# const",
        "node_modules/x/a.ts": "const hidden = 1",
        "z.txt": ""
      })
      const files = yield* workspace(root)
      const paths = (listing: { readonly entries: ReadonlyArray<{ readonly path: string }> }) =>
        listing.entries.map(({ path }) => path)
      assert.deepStrictEqual(yield* files.list("src"), {
        entries: [
          { path: "src/a.ts", kind: "file", size: 24 },
          { path: "src/deep", kind: "folder" }
        ],
        truncated: false
      })
      assert.deepStrictEqual(paths(yield* files.list(".", { depth: 2 })), [
        "node_modules",
        "src",
        "src/a.ts",
        "src/deep",
        "z.txt"
      ])
      assert.deepStrictEqual(paths(yield* files.glob("*.ts")), ["src/a.ts", "src/deep/b.ts"])
      assert.deepStrictEqual(paths(yield* files.glob("src/*.ts")), ["src/a.ts"])
      assert.deepStrictEqual(paths(yield* files.glob("**/deep/*.{ts,md}")), ["src/deep/b.ts", "src/deep/c.md"])
      assert.deepStrictEqual(paths(yield* files.glob("[!a].ts", { path: "src" })), ["src/deep/b.ts"])
      const lines = yield* files.grep("^const [a-z]", { glob: "*.ts" })
      assert.deepStrictEqual(
        lines.matches.map(({ line, path, text }) => [path, line, text]),
        [
          ["src/a.ts", 1, "const a = 1"],
          ["src/deep/b.ts", 1, "const b = 3"]
        ]
      )
      assert.strictEqual((yield* files.grep("CONST B", { ignoreCase: true, path: "src/deep" })).matches.length, 1)
      assert.strictEqual((yield* files.grep("a = 1", { literal: true })).matches.length, 1)
      assert.strictEqual((yield* files.grep(".", { literal: true })).matches.length, 0)
      assert.strictEqual(yield* rejected(files.grep("(")), "search.pattern")
      assert.strictEqual(yield* rejected(files.list("nowhere")), "NotFound")
      assert.strictEqual(yield* rejected(files.read("src")), "file.kind")
      assert.strictEqual(yield* rejected(files.read("z.txt/x")), "NotFound")
    })
  )

  it.live("the workspace has to be there", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "file.txt": "" })
      assert.strictEqual(yield* rejected(Effect.scoped(workspace(join(root, "nowhere")))), "NotFound")
      assert.strictEqual(yield* rejected(Effect.scoped(workspace(join(root, "file.txt")))), "NotFound")
      assert.strictEqual(yield* rejected(Effect.scoped(workspace(root, { hidden: ["{"] }))), "Broken")
    })
  )
})

describe("writing", () => {
  it.live("makes a file with its folders, and tells its digest", () =>
    Effect.gen(function* () {
      const { root } = yield* ground()
      const files = yield* workspace(root)
      assert.deepStrictEqual(yield* files.write("a/b/c.txt", "héllo"), {
        path: "a/b/c.txt",
        change: "created",
        size: 6,
        digest: sha("héllo")
      })
      assert.strictEqual(readFileSync(join(root, "a/b/c.txt"), "utf8"), "héllo")
      assert.deepStrictEqual(readdirSync(join(root, "a/b")), ["c.txt"])
    })
  )

  it.live("replaces a file only for those who read it as it is, and keeps its permissions", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "run.sh": "one" })
      chmodSync(join(root, "run.sh"), 0o751)
      const files = yield* workspace(root)
      assert.strictEqual(yield* rejected(files.write("run.sh", "two")), "write.digest")
      assert.strictEqual(yield* rejected(files.write("run.sh", "two", { digest: "abc" })), "write.digest")
      assert.strictEqual(yield* rejected(files.write("run.sh", "two", { digest: sha("none") })), "Stale")
      const { digest } = yield* files.read("run.sh")
      writeFileSync(join(root, "run.sh"), "others")
      assert.strictEqual(yield* rejected(files.write("run.sh", "two", { digest })), "Stale")
      assert.strictEqual(yield* rejected(files.edit("run.sh", [{ old: "others", new: "x" }], { digest })), "Stale")
      assert.strictEqual(readFileSync(join(root, "run.sh"), "utf8"), "others")
      yield* files.write("run.sh", "two", { digest: sha("others").slice(0, 12) })
      assert.strictEqual(readFileSync(join(root, "run.sh"), "utf8"), "two")
      assert.strictEqual(statSync(join(root, "run.sh")).mode & 0o777, 0o751)
      assert.strictEqual(yield* rejected(files.write("gone.txt", "x", { digest })), "Stale")
    })
  )

  it.live("of many who replace the same file at once, one does", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "a.txt": "start" })
      const files = yield* workspace(root)
      const { digest } = yield* files.read("a.txt")
      const results = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) => Effect.result(files.write("a.txt", `by ${n}`, { digest })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 1)
      const made = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => n),
        (n) => Effect.result(files.write("new.txt", `by ${n}`)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(made.filter(({ _tag }) => _tag === "Success").length, 1)
      assert.deepStrictEqual(readdirSync(root), ["a.txt", "new.txt"])
    })
  )

  it.live("readers see the old file or the new one, never a part", () =>
    Effect.gen(function* () {
      const texts = ["a".repeat(200_000), "b".repeat(200_000)]
      const { root } = yield* ground({ "a.txt": texts[0] ?? "" })
      const files = yield* workspace(root)
      const writer = Effect.gen(function* () {
        let digest = (yield* files.read("a.txt", { count: 0 })).digest
        for (let n = 1; n < 12; n++) digest = (yield* files.write("a.txt", texts[n % 2] ?? "", { digest })).digest
      })
      const fiber = yield* Effect.forkChild(writer, { startImmediately: true })
      while (fiber.pollUnsafe() === undefined) {
        const text = readFileSync(join(root, "a.txt"), "utf8")
        assert.isTrue(texts.includes(text))
        yield* Effect.sleep(0)
      }
    })
  )

  it.live("edits exactly, once, all of them or none", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "a.txt": "x = 1\ny = 1\nz = 2\n" })
      const files = yield* workspace(root)
      const { digest } = yield* files.read("a.txt")
      const edit = (...edits: Parameters<typeof files.edit>[1]) => files.edit("a.txt", edits, { digest })
      const ambiguous = yield* Effect.flip(edit({ old: "= 1", new: "= 3" }))
      assert.strictEqual(ruleOf(ambiguous), "edit.ambiguous")
      assert.include(ambiguous.message, "lines 1, 2")
      assert.strictEqual(yield* rejected(edit({ old: "z = 2", new: "z = 3" }, { old: "none", new: "" })), "NotFound")
      assert.strictEqual(yield* rejected(edit({ old: "", new: "x" })), "edit.same")
      assert.strictEqual(yield* rejected(edit({ old: "x", new: "x" })), "edit.same")
      assert.strictEqual(yield* rejected(edit()), "edit.same")
      assert.strictEqual(readFileSync(join(root, "a.txt"), "utf8"), "x = 1\ny = 1\nz = 2\n")
      const { digest: next } = yield* edit({ old: "= 1", new: "= $&", all: true }, { old: "z = 2\n", new: "" })
      assert.strictEqual(readFileSync(join(root, "a.txt"), "utf8"), "x = $&\ny = $&\n")
      assert.strictEqual(next, sha("x = $&\ny = $&\n"))
    })
  )

  it.live("keeps the line ends that a file has", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "dos.txt": "one\r\ntwo\r\nthree\r\n" })
      const files = yield* workspace(root)
      const { digest } = yield* files.read("dos.txt")
      yield* files.edit("dos.txt", [{ old: "one\ntwo", new: "1\n2" }], { digest })
      assert.strictEqual(readFileSync(join(root, "dos.txt"), "utf8"), "1\r\n2\r\nthree\r\n")
      yield* files.patch("--- a/dos.txt\n+++ b/dos.txt\n@@ -2,2 +2,2 @@\n 2\n-three\n+3\n")
      assert.strictEqual(readFileSync(join(root, "dos.txt"), "utf8"), "1\r\n2\r\n3\r\n")
    })
  )

  it.live("makes folders, moves and removes", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "a/x.txt": "x", "b.txt": "b" })
      const files = yield* workspace(root)
      assert.deepInclude(yield* files.makeFolder("new/deep"), { path: "new/deep", kind: "folder" })
      yield* files.makeFolder("new/deep")
      assert.strictEqual(yield* rejected(files.makeFolder("b.txt")), "write.exists")
      assert.deepInclude(yield* files.move("b.txt", "new/c.txt"), { path: "new/c.txt", kind: "file", size: 1 })
      yield* files.move("a", "new/deep/a")
      assert.strictEqual(readFileSync(join(root, "new/deep/a/x.txt"), "utf8"), "x")
      yield* files.write("taken.txt", "t")
      assert.strictEqual(yield* rejected(files.move("taken.txt", "new/c.txt")), "write.exists")
      assert.strictEqual(yield* rejected(files.move("new", "new/deep/into")), "path.root")
      assert.strictEqual(yield* rejected(files.move("nothing", "x")), "NotFound")
      assert.strictEqual(yield* rejected(files.move("taken.txt", ".")), "path.root")
      assert.strictEqual(yield* rejected(files.remove(".", { recursive: true })), "path.root")
      assert.strictEqual(yield* rejected(files.remove("new")), "write.recursive")
      assert.strictEqual(yield* rejected(files.remove("nothing")), "NotFound")
      yield* files.remove("new", { recursive: true })
      yield* files.remove("taken.txt")
      assert.deepStrictEqual(readdirSync(root), [])
      yield* files.makeFolder("empty")
      yield* files.remove("empty")
      assert.isFalse(existsSync(join(root, "empty")))
    })
  )

  it.live("what the file system refuses is told without paths of the machine", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ "locked/a.txt": "a" })
      chmodSync(join(root, "locked"), 0o500)
      const files = yield* workspace(root)
      const error = yield* Effect.flip(files.write("locked/b.txt", "b"))
      chmodSync(join(root, "locked"), 0o700)
      assert.strictEqual(ruleOf(error), "Broken")
      assert.notInclude(error.message, root)
    }).pipe((test) => (process.getuid?.() === 0 ? Effect.void : test))
  )
})

describe("patches", () => {
  const two = (second: string) =>
    `diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@
 one
-two
+TWO
 three
--- a/b.txt
+++ b/b.txt
@@ -1 +1 @@
-${second}
+B
--- /dev/null
+++ b/new/c.txt
@@ -0,0 +1,2 @@
+first
+second
\\ No newline at end of file
--- a/d.txt
+++ /dev/null
@@ -1 +0,0 @@
-d
`
  const before = { "a.txt": "one\ntwo\nthree\n", "b.txt": "b\n", "d.txt": "d\n" }

  it.live("change, make and remove files in one go", () =>
    Effect.gen(function* () {
      const { root } = yield* ground(before)
      const files = yield* workspace(root)
      const changed = yield* files.patch(two("b"))
      assert.deepStrictEqual(
        changed.map(({ change, path }) => `${change} ${path}`),
        ["updated a.txt", "updated b.txt", "created new/c.txt", "removed d.txt"]
      )
      assert.strictEqual(readFileSync(join(root, "a.txt"), "utf8"), "one\nTWO\nthree\n")
      assert.strictEqual(readFileSync(join(root, "b.txt"), "utf8"), "B\n")
      assert.strictEqual(readFileSync(join(root, "new/c.txt"), "utf8"), "first\nsecond")
      assert.deepStrictEqual(readdirSync(root), ["a.txt", "b.txt", "new"])
    })
  )

  it.live("change nothing where one file does not fit", () =>
    Effect.gen(function* () {
      const { root } = yield* ground(before)
      const files = yield* workspace(root)
      const picked = picture(root)
      const error = yield* Effect.flip(files.patch(two("other")))
      assert.strictEqual(ruleOf(error), "Stale")
      assert.include(error.message, "b.txt")
      assert.strictEqual(picture(root), picked)
      assert.isFalse(existsSync(join(root, "new")))
    })
  )

  it.live("are undone where the file system fails half-way", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({ ...before, "last/e.txt": "e\n" })
      const files = yield* workspace(root)
      const picked = picture(root)
      // A folder stands where a new file is to come: seen only when its name is to be taken.
      mkdirSync(join(root, "last/f.txt"))
      const diff = `${two("b")}--- /dev/null\n+++ b/last/f.txt\n@@ -0,0 +1 @@\n+f\n`
      assert.strictEqual(yield* rejected(files.patch(diff)), "file.kind")
      assert.strictEqual(picture(root), picked)
    })
  )

  it.live("find lines that have moved, and refuse what is not clear", () =>
    Effect.gen(function* () {
      const { root } = yield* ground({
        "a.txt": "new\nnew\nalpha\nbeta\n",
        "twice.txt": "x\ny\nx\ny\n",
        "open.txt": "end"
      })
      const files = yield* workspace(root)
      yield* files.patch("--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n alpha\n-beta\n+BETA\n")
      assert.strictEqual(readFileSync(join(root, "a.txt"), "utf8"), "new\nnew\nalpha\nBETA\n")
      const twice = "--- a/twice.txt\n+++ b/twice.txt\n@@ -9,2 +9,2 @@\n x\n-y\n+z\n"
      assert.strictEqual(yield* rejected(files.patch(twice)), "Stale")
      yield* files.patch(twice.replace("-9,2", "-3,2"))
      assert.strictEqual(readFileSync(join(root, "twice.txt"), "utf8"), "x\ny\nx\nz\n")
      yield* files.patch(
        "--- a/open.txt\n+++ b/open.txt\n@@ -1 +1,2 @@\n-end\n\\ No newline at end of file\n+end\n+more\n"
      )
      assert.strictEqual(readFileSync(join(root, "open.txt"), "utf8"), "end\nmore\n")
    })
  )

  const malformed = [
    "",
    "no diff at all",
    "--- a/x\n",
    "--- a/a.txt\n+++ b/a.txt\n",
    "--- a/a.txt\n+++ b/a.txt\n@@ nonsense @@\n",
    "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n",
    "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\nxone\n",
    "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n",
    "--- a/a.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-one\n+ONE\n",
    "rename from a.txt\nrename to b.txt\n",
    "GIT binary patch\n",
    "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+ONE\n--- a/a.txt\n+++ b/a.txt\n@@ -2 +2 @@\n-two\n+TWO\n"
  ]
  for (const diff of malformed) {
    it.live(`patch.malformed: ${JSON.stringify(diff.slice(0, 60))}`, () =>
      Effect.gen(function* () {
        const { root } = yield* ground(before)
        const files = yield* workspace(root)
        const picked = picture(root)
        assert.strictEqual(yield* rejected(files.patch(diff)), "patch.malformed")
        assert.strictEqual(picture(root), picked)
      })
    )
  }
})
