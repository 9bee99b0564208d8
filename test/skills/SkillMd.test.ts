import { assert, describe, it } from "@effect/vitest"
import { SkillMd } from "effigent/skills"

const md = (front: string, body = "Do it.") => `---\n${front}\n---\n${body}\n`
const told = (text: string, source?: SkillMd.Source) =>
  SkillMd.parse(text, source).findings.map(({ level, line, problem }) => `${level} ${line}: ${problem}`)

describe("SkillMd", () => {
  it("reads manifest and instructions", () => {
    const { body, findings, manifest } = SkillMd.parse(
      md(
        [
          "name: fill-forms",
          "description: |",
          "  Fills PDF forms in.",
          "  Use it for forms.",
          "license: MIT",
          "compatibility: needs pdftk",
          "allowed-tools: Bash(git add:*) Read, Write",
          "metadata:",
          "  author: ada",
          "  version: 1.5"
        ].join("\n"),
        "# Forms\n\n---\n\nRead the form.\n"
      ),
      { folder: "fill-forms" }
    )
    assert.deepStrictEqual(findings, [])
    assert.deepStrictEqual(manifest, {
      name: "fill-forms",
      description: "Fills PDF forms in.\nUse it for forms.",
      license: "MIT",
      compatibility: "needs pdftk",
      allowedTools: ["Bash(git add:*)", "Read", "Write"],
      metadata: { author: "ada", version: "1.5" }
    })
    assert.strictEqual(body, "# Forms\n\n---\n\nRead the form.")
  })

  it("takes line ends of every kind, a byte order mark, and lists of tools", () => {
    const text = `\ufeff${md("name: a\ndescription: b\nallowed-tools: [Read, Write]").replaceAll("\n", "\r\n")}`
    const { body, findings, manifest } = SkillMd.parse(text)
    assert.deepStrictEqual([findings, body, manifest?.allowedTools], [[], "Do it.", ["Read", "Write"]])
  })

  it("tells what makes a skill unusable, with the line, all of it at once", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, SkillMd.Source?]> = [
      ["Do it.", ["error 1: it does not begin with front matter"]],
      ["", ["error 1: it does not begin with front matter"]],
      ["---\nname: a\n", ["error 1: the front matter has no end"]],
      [md("- a\n- b"), ["error 1: the front matter has no keys"]],
      [md("license: MIT"), ["error 1: the name is missing", "error 1: the description is missing"]],
      [
        md("description: ' '\nname: [a]"),
        ["error 3: the name is blank or no text", "error 2: the description is blank or no text"]
      ],
      [
        md("license: MIT\nname: Fill_Forms\ndescription: b"),
        ['error 3: the name "Fill_Forms" is not made of small letters, digits and single dashes']
      ],
      ...["-a", "a-", "a--b", "a b", "../a", "\u00e4"].map((name): readonly [string, ReadonlyArray<string>] => [
        md(`name: ${name}\ndescription: b`),
        [`error 2: the name ${JSON.stringify(name)} is not made of small letters, digits and single dashes`]
      ]),
      [md(`name: ${"a".repeat(65)}\ndescription: b`), ["error 2: the name has 65 characters, more than 64"]],
      [md("name: a\ndescription: b"), ["error 2: the name is a and the folder c"], { folder: "c" }],
      [
        md(`name: a\ndescription: ${"b".repeat(1_025)}`),
        ["error 3: the description has 1025 characters, more than 1024"]
      ]
    ]
    for (const [text, expected, source] of cases) {
      assert.deepStrictEqual(told(text, source), expected)
      assert.isUndefined(SkillMd.parse(text, source).manifest)
    }
  })

  it("YAML that cannot be read is told with its line and what mostly helps", () => {
    const { findings, manifest } = SkillMd.parse(md("name: a\ndescription: Use when: forms"), { file: "x/SKILL.md" })
    assert.isUndefined(manifest)
    assert.lengthOf(findings, 1)
    const [first] = findings
    assert.deepStrictEqual(
      [first?.file, first?.level, first?.fix],
      ["x/SKILL.md", "error", "Quote texts that hold a colon"]
    )
    assert.include(first?.problem ?? "", "the front matter is no YAML")
  })

  it("warnings leave the skill usable", () => {
    const text = md("name: a\ndescription: b\nversion: 2\nmetadata: x\nlicense: [MIT]\nallowed-tools: 7", "")
    assert.deepStrictEqual(told(text).toSorted(), [
      "warning 4: version is no key of a skill",
      "warning 5: the metadata are no texts by name",
      "warning 6: the license is no text",
      "warning 7: the allowed-tools are no text",
      "warning 8: there are no instructions"
    ])
    assert.strictEqual(SkillMd.parse(text).manifest?.name, "a")
    assert.deepStrictEqual(told(md("name: a\ndescription: b", "line\n".repeat(501))), [
      "warning 4: the instructions have 501 lines, more than 500"
    ])
    assert.deepStrictEqual(told(md(`name: a\ndescription: b\ncompatibility: ${"c".repeat(501)}`)), [
      "warning 4: the compatibility has 501 characters, more than 500"
    ])
  })

  it("a key of an object's own is read as a key, nothing else", () => {
    const { manifest } = SkillMd.parse(md("name: a\ndescription: b\nmetadata:\n  constructor: c"))
    assert.deepStrictEqual(Object.entries(manifest?.metadata ?? {}), [["constructor", "c"]])
  })
})
