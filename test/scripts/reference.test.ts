import { assert, describe, it } from "vitest"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { firstSentence, readApi } from "../../scripts/api.ts"
import { apiPages } from "../../scripts/api-pages.ts"
import { fullText } from "../../scripts/llms.ts"
import { migrationFindings, taskFindings } from "../../scripts/migration.ts"
import { nameFindings } from "../../scripts/names.ts"
import { checkReference } from "../../scripts/reference.ts"
import { printFinding } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const files = {
  "src/index.ts": `/** The main entry. */

/** Things. @category modules */
export * as Thing from "./Thing.ts"
`,
  "src/Thing.ts": `/** What things are. */
import { Refused } from "./Refused.ts"

/** The one error. @category errors */
export { Late, Refused, type Told } from "./Refused.ts"

/** Either. @category errors */
export type ThingError = Refused

/**
 * Makes a thing. It is cheap.
 *
 * @category constructors
 */
export const make = <A>(value: A, options: { readonly name: string }): Effect.Effect<A, Refused> => go(value, options)

/** Two ways. @category combinators */
export const both: {
  (a: string): (b: number) => string
  (b: number, a: string): string
} = dual(2, (b: number, a: string) => a + b)

/** A shape. @category models */
export interface Shape {
  readonly width: number
  readonly height: number
}

/** Hidden. @internal */
export const secret = 1
`,
  "src/Refused.ts": `/** How things fail. */
import * as Schema from "effect/Schema"

/** Somebody said no: \`why\` says for what reason. @category errors */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  /** The reason | in words. */
  why: Schema.String
}) {
  override get message(): string {
    return \`It was refused: \${this.why}. Ask somebody \${1 + 1} times.\`
  }
}

/** What is told. @category models */
export const Told = Schema.Struct({ text: Schema.String })

/** What is told, as a type. @category models */
export type Told = typeof Told.Type

/** It was too late. @category errors */
export class Late extends Data.TaggedError("TooLate")<{
  /** By how much. */
  readonly millis: number
}> {}
`,
  "README.md": "# Effigent\n\nAn agent runtime. More of it.\n",
  "docs/README.md": "# Guides\n\n## Begin\n\n- [One](one.md): The first.\n",
  "docs/one.md": "# One\n\nThe first. Or not.\n",
  "docs/two.md": "# Two\n\nThe [second](one.md) guide. It has more.\n"
}

const written = `

## Why it happens

It does.

## What to do

Ask again.
`

describe("the reference", () => {
  it("tells what an entry offers: signatures, overloads, interfaces, what is handed on, nothing internal", () =>
    withFiles(files, (root) => {
      const page =
        apiPages(readApi(root), new Map([["src/Refused.ts Refused", "Refused"]])).get("docs/api/effigent.md") ?? ""
      for (const line of [
        "- **make**: Makes a thing.",
        "  - `make<A>(value: A, options: { readonly name: string }): Effect.Effect<A, Refused>`",
        "  - `both(a: string): (b: number) => string`",
        "  - `both(b: number, a: string): string`",
        "  - `interface Shape { width, height }`",
        "  - `type Told = typeof Told.Type`",
        "- **Refused**: Somebody said no: `why` says for what reason. ([src/Refused.ts](../../src/Refused.ts)) [Its page](../errors/Refused.md)."
      ])
        assert.include(page.split("\n"), line)
      assert.notInclude(page, "secret")
      // Handed on as a type alone: there is no such value.
      assert.notInclude(page, "Told = Schema.Struct")
    }))

  it("writes what is missing, keeps what is written by hand, and is current afterwards", () =>
    withFiles(files, (root) => {
      const before = checkReference(root).findings.map(printFinding)
      assert.include(before, "docs/errors/Refused.md: is not what the sources say; run npm run docs")
      checkReference(root, { write: true })
      const path = join(root, "docs/errors/Refused.md")
      const page = readFileSync(path, "utf8")
      for (const text of [
        "# Refused\n\nSomebody said no: `why` says for what reason.",
        '`import { Thing } from "effigent"`, as `Thing.Refused`',
        "| `why` | `String` | The reason \\| in words. |",
        "- It was refused: ‹why›. Ask somebody ‹…› times.",
        "Part of [`Thing.ThingError`](../api/effigent.md).",
        "In the types of [`Thing.make`](../api/effigent.md)."
      ])
        assert.include(page, text)
      assert.deepStrictEqual(checkReference(root).findings.map(printFinding), [
        'docs/errors/Refused.md: says nothing under "## Why it happens"; write it by hand',
        'docs/errors/Refused.md: says nothing under "## What to do"; write it by hand',
        'docs/errors/TooLate.md: says nothing under "## Why it happens"; write it by hand',
        'docs/errors/TooLate.md: says nothing under "## What to do"; write it by hand'
      ])
      const late = readFileSync(join(root, "docs/errors/TooLate.md"), "utf8")
      assert.include(late, "`Thing.Late`")
      assert.include(late, "| `millis` | `number` | By how much. |")
      const [head = ""] = page.split("\n\n## Why it happens")
      const [lateHead = ""] = late.split("\n\n## Why it happens")
      writeFileSync(path, head + written)
      writeFileSync(join(root, "docs/errors/TooLate.md"), lateHead + written)
      assert.deepStrictEqual(checkReference(root).findings, [])
      checkReference(root, { write: true })
      assert.strictEqual(readFileSync(path, "utf8"), head + written)
    }))

  it("tells of pages whose error or entry is gone, and of sources that have changed", () =>
    withFiles({ ...files, "docs/errors/Gone.md": "# Gone\n", "docs/api/gone.md": "# Gone\n" }, (root) => {
      checkReference(root, { write: true })
      assert.isFalse(existsSync(join(root, "docs/api/gone.md")))
      const path = join(root, "src/Thing.ts")
      writeFileSync(path, readFileSync(path, "utf8").replace("Makes a thing.", "Makes two things."))
      const found = checkReference(root).findings.map(printFinding)
      assert.include(found, "docs/errors/Gone.md: there is no such error tag any more; delete the page")
      assert.include(found, "docs/api/effigent.md: is not what the sources say; run npm run docs")
    }))

  it("puts a guide that nobody has listed at the end of the list, and the list into llms.txt", () =>
    withFiles(files, (root) => {
      checkReference(root, { write: true })
      const list = readFileSync(join(root, "docs/README.md"), "utf8")
      assert.isTrue(list.endsWith("## More\n\n- [Two](two.md): The second guide.\n"), list)
      const llms = readFileSync(join(root, "llms.txt"), "utf8")
      assert.include(llms, "> An agent runtime.")
      assert.include(llms, "## Begin\n\n- [One](docs/one.md): The first.\n\n## More\n\n- [Two](docs/two.md)")
      assert.isTrue(fullText(root).includes("<!-- docs/two.md -->\n\n# Two"))
      checkReference(root, { write: true })
      assert.strictEqual(readFileSync(join(root, "docs/README.md"), "utf8"), list)
    }))

  it("tells names of our modules that are not there, in prose alone", () =>
    withFiles(
      {
        ...files,
        "docs/one.md":
          "# One\n\nUse `Thing.make(1)`, not `Thing.mkae`.\n\n```sh\nThing.no `Thing.no`\n```\n\n`Other.x`, `src/Thing.ts`, Thing.no\n"
      },
      (root) => {
        assert.deepStrictEqual(nameFindings(root, readApi(root)).map(printFinding), [
          "docs/one.md:3: names Thing.mkae, which Thing does not export"
        ])
      }
    ))

  it("knows where a first sentence ends", () => {
    assert.strictEqual(firstSentence("Makes one, e.g. `a`. And more.\n\n@category x"), "Makes one, e.g. `a`.")
    assert.strictEqual(firstSentence("Takes 1.5 of\nthem. More."), "Takes 1.5 of them.")
    assert.strictEqual(firstSentence("No end\n\nNext."), "No end")
  })
})

describe("guides for those who come from elsewhere", () => {
  const python = "```python\nx()\n```\n"
  const ts = "```ts\nconst x = 1\n```\n"
  const found = (text: string) =>
    withFiles({ "docs/from-x.md": `# From x\n\n${text}` }, (root) => migrationFindings(root).map(printFinding))

  it("number what they take over, and show our code behind theirs", async () => {
    assert.deepStrictEqual(await found(`### X1. One\n\n${python}\n${ts}\n### X2. Two\n\n${python}${python}\n${ts}`), [])
    assert.deepStrictEqual(await found(`### X1. One\n\n${python}\n### X3. Three\n\n${ts}`), [
      "docs/from-x.md:3: X1 shows code of theirs with no ts block behind it",
      "docs/from-x.md:9: X3 comes where number 2 is due"
    ])
  })

  it("are found by a task where the README names them", async () => {
    const readme =
      "# A\n\n[not in a table](docs/z.md)\n\n| **x** | y ([guide](docs/a.md)) |\n| **y** | z ([b](docs/b.md#c)) |\n"
    const missing = await withFiles(
      { "README.md": readme, "docs/how-do-i.md": "| x | [guide](a.md#top) |\n" },
      (root) => taskFindings(root).map(printFinding)
    )
    assert.deepStrictEqual(missing, ["docs/how-do-i.md: has no task that links to b.md"])
  })
})
