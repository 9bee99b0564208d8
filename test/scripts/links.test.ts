import { assert, describe, it } from "vitest"
import { checkLinks, slug } from "../../scripts/links.ts"
import { printFinding } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const found = (files: Readonly<Record<string, string>>) =>
  withFiles(files, (root) => checkLinks(root).findings.map(printFinding))

describe("links", () => {
  it("to pages, folders and headings that are there are fine", async () => {
    assert.deepStrictEqual(
      await found({
        "README.md": "# A\n[b](docs/b.md), [c](docs/b.md#two-words), [d](#a), [e](docs), [f](https://x.example/y)\n",
        "docs/b.md": "# B\n\n## Two words\n\n[up](../README.md#a)\n"
      }),
      []
    )
  })

  it("to what is not there are told with their lines", async () => {
    assert.deepStrictEqual(
      await found({
        "README.md": "# A\n\n[b](docs/b.md) and [c](docs/c.md#x)\n",
        "docs/b.md": "# B\n\n[a](../README.md#b)\n"
      }),
      [
        "README.md:3: links to docs/c.md#x, which does not exist",
        "docs/b.md:3: links to ../README.md#b: README.md has no such heading"
      ]
    )
  })

  it("in code are none, and headings in code are none", async () => {
    const text = "# A\n\n```md\n[b](nowhere.md)\n# Inside\n```\n\n`[b](nowhere.md)`\n"
    assert.deepStrictEqual(await found({ "README.md": text }), [])
    assert.deepStrictEqual(await found({ "README.md": `${text}[i](#inside)\n` }), [
      "README.md:9: links to #inside: README.md has no such heading"
    ])
  })

  it("name headings as GitHub does", async () => {
    assert.strictEqual(slug("What `run` does, and why"), "what-run-does-and-why")
    assert.strictEqual(slug("effect/ai both ways"), "effectai-both-ways")
    assert.deepStrictEqual(await found({ "README.md": "# A\n## A\n[a](#a) [b](#a-1)\n" }), [])
  })
})
