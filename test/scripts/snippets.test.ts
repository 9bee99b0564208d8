import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { agrees, blocksOf, checkSnippets, instrument } from "../../scripts/snippets.ts"
import { printFinding } from "../../scripts/sources.ts"
import { withFiles } from "./fixture.ts"

const index = { "src/index.ts": "/** x */\nexport const add = (a: number, b: number): number => a + b\n" }

const findings = (files: Readonly<Record<string, string>>) =>
  withFiles({ ...index, ...files }, async (root) => {
    const report = await checkSnippets(root)
    return { found: report.findings.map(printFinding), note: report.note }
  })

const page = (code: string, info = "ts") => ({ "README.md": `# Title\n\n\`\`\`${info}\n${code}\n\`\`\`\n` })

describe("snippets", () => {
  it("runs what asserts something, and only that", async () => {
    const { found, note } = await findings({
      "README.md":
        '```ts\nimport { add } from "effigent"\nconsole.log(add(1, 2)) // => 3\n```\n\n' +
        '```ts\nimport { add } from "effigent"\nadd(1, 2)\nthrow new Error("only compiled")\n```\n\n```json\n{ broken\n```\n'
    })
    assert.deepStrictEqual(found, [])
    assert.strictEqual(note, "2 ts blocks, 1 run")
  })

  it("catches a wrong assertion at its line", async () => {
    const { found } = await findings(page('import { add } from "effigent"\n\nconsole.log(add(1, 2)) // => 4'))
    assert.deepStrictEqual(found, ["README.md:6: prints: 3\n  expected: 4"])
  })

  it("catches a type error at its line, without running the block", async () => {
    const { found } = await findings(page('import { add } from "effigent"\nconsole.log(add("1", 2)) // => 3'))
    assert.strictEqual(found.length, 1, found.join("\n"))
    assert.match(found[0] ?? "", /^README\.md:5: TS2345: /)
  })

  it("catches an example that fails, in doc comments too", async () => {
    const { found } = await findings({
      "src/a/A.ts":
        '/**\n * Doc.\n *\n * @example\n * ```ts run\n * const a: number = 1\n * if (a === 1) throw new Error("no good")\n * ```\n */\nexport const x = 1\n'
    })
    assert.strictEqual(found.length, 1, found.join("\n"))
    assert.match(found[0] ?? "", /^src\/a\/A\.ts:7: the example fails: Error: no good/)
  })

  it("waits for what an example did not await, and tells what never prints", async () => {
    const { found } = await findings(page("setTimeout(() => console.log(1), 20) // => 1"))
    assert.deepStrictEqual(found, [])
    const { found: late } = await findings(
      page("setTimeout(() => {\n  console.log(1) // => 2\n}, 20)\nif (Date.now() === 0) {\n  console.log(2) // => 2\n}")
    )
    assert.deepStrictEqual(late, ["README.md:5: prints: 1\n  expected: 2", "README.md:8: prints nothing, expected: 2"])
  })

  it("an example that fails late does not hide the others", async () => {
    const { found } = await findings({
      "README.md": '```ts run\nvoid Promise.reject(new Error("late"))\n```\n\n```ts\nconsole.log(1) // => 1\n```\n'
    })
    assert.strictEqual(found.length, 1, found.join("\n"))
    assert.match(found[0] ?? "", /^README\.md:2: the example fails: Error: late/)
  })

  it("refuses blocks that would escape", async () => {
    assert.match((await findings(page("const a = 1", "ts no-check"))).found[0] ?? "", /README\.md:3: .*"no-check"/)
    assert.match(
      (await findings(page("const a = 1", "typescript"))).found[0] ?? "",
      /README\.md:3: write this block as "ts"/
    )
    assert.match((await findings(page("const a = 1 // => 1"))).found[0] ?? "", /README\.md:4: .*asserts nothing/)
  })

  it("npm scripts and files that a page names exist", async () => {
    const { found } = await findings(
      page(
        "npm ci\nnpm start # offline\nnpm run check -- types\nnpm run nope\nnpm test\nnode src/index.ts\nnode examples/01.ts",
        "sh"
      )
    )
    assert.deepStrictEqual(found, [
      'README.md:7: package.json has no script "nope"',
      'README.md:8: package.json has no script "test"',
      "README.md:10: examples/01.ts does not exist"
    ])
  })
})

describe("diagrams", () => {
  // What stands for the export of the library here.
  const mermaid =
    "/** x */\nexport const Mermaid = { toMermaid: (flow: { name: string }) => `flowchart TD\\n  ${flow.name}` }\n"
  const text = (diagrams: string) =>
    `# Title\n\n\`\`\`ts\nconst order = { name: "a" }\nconst drawn = "flowchart LR"\n\`\`\`\n\n${diagrams}\nThe end.\n`
  const diagram = (marker: string, body: string) => `${marker}\n\`\`\`mermaid\n${body}\`\`\`\n`
  const right =
    diagram("<!-- mermaid: order -->\n", "flowchart TD\n  a\n") + diagram("<!-- mermaid: drawn -->", "flowchart LR\n")
  const check = (page: string, write = false) =>
    withFiles({ ...index, "src/triggerflow/index.ts": mermaid, "docs/a.md": page }, async (root) => {
      const report = await checkSnippets(root, { write })
      const { findings: again } = write ? await checkSnippets(root) : report
      return { found: again.map(printFinding), text: readFileSync(`${root}/docs/a.md`, "utf8"), note: report.note }
    })

  it("are what the block before them draws, a flow or a text", async () => {
    const { found, note } = await check(text(right))
    assert.deepStrictEqual(found, [])
    assert.strictEqual(note, "1 ts blocks, 1 run")
  })

  it("that show something else are told", async () => {
    const { found } = await check(text(right.replace("  a\n", "  b\n")))
    assert.deepStrictEqual(found, [
      'docs/a.md:11: is not what "order" looks like; run npm run check -- snippets --write'
    ])
  })

  it("are written anew on request, empty ones too, and nothing else is", async () => {
    const wrong = diagram("<!-- mermaid: order -->\n", "") + diagram("<!-- mermaid: drawn -->", "flowchart\n  x\n  y\n")
    const { found, text: written } = await check(text(wrong), true)
    assert.deepStrictEqual(found, [])
    assert.strictEqual(written, text(right))
  })

  it("that nothing draws are refused", async () => {
    const { found } = await check(`${diagram("<!-- mermaid: order -->", "")}${text(diagram("", "flowchart TD\n"))}`)
    assert.match(found.join("\n"), /^docs\/a\.md:2: no ts block .*"order"\ndocs\/a\.md:\d+: nothing draws this diagram/)
  })

  it("of what the block does not have fail", async () => {
    const { found } = await check(text(diagram("<!-- mermaid: odrer -->", "flowchart TD\n")))
    assert.match(found.join("\n"), /the example fails: ReferenceError: odrer is not defined/)
  })
})

describe("assertions", () => {
  it("stand behind the last call that ends on their line, and may go on below", () => {
    const { assertions, code } = instrument("x", "console.log(\n  1\n) // => 1\n// => 2\n// => 3\n\n// => 4\n")
    assert.deepStrictEqual(assertions, [{ line: 3, expected: ["1", "2", "3"] }])
    assert.isTrue(code.startsWith('globalThis.__snippet("x", 3)(\n  1\n) // => 1'), code)
  })

  it("may stand alone beneath their call", () => {
    const { assertions, findings } = instrument("x", "console.log(1)\n// => 1\n// => 2\n\n// => 3\n")
    assert.deepStrictEqual(assertions, [{ line: 1, expected: ["1", "2"] }])
    assert.deepStrictEqual(
      findings.map(([line]) => line),
      [5]
    )
  })

  it("agree as a reader would say", () => {
    assert.isTrue(agrees(['"a"'], ["a"]))
    assert.isTrue(agrees(["a"], ["a"]))
    assert.isTrue(agrees(['{ title: "a", items: [1, 2] }'], ["{ title: 'a', items: [ 1, 2 ] }"]))
    assert.isTrue(agrees(["1", "2"], ["1", "2"]))
    assert.isTrue(agrees(["a", "b"], ["a\nb"]))
    assert.isTrue(agrees(['"the moon\'s"'], ["the moon's"]))
    assert.isTrue(agrees(['"a\\nb"'], ["a\nb"]))
    assert.isFalse(agrees(['"a"'], ["b"]))
    assert.isFalse(agrees(["1"], ["1", "1"]))
    assert.isFalse(agrees(["1"], []))
    assert.isFalse(agrees(["a b"], ["ab"]))
    assert.isFalse(agrees(["{ a: 1 }"], ["{ a: 1, b: 2 }"]))
  })

  it("blocks are found with their lines, indented ones too", () => {
    const blocks = blocksOf("a.md", "x\n- item\n\n  ```ts run\n  const a = 1\n    a\n  ```\n````md\n```ts\n```\n````\n")
    assert.deepStrictEqual(blocks, [
      { file: "a.md", line: 5, info: "ts run", code: "const a = 1\n  a\n" },
      { file: "a.md", line: 9, info: "md", code: "```ts\n```\n" }
    ])
  })
})
