import { assert, describe, it } from "@effect/vitest"
import { Arguments } from "effigent/layers/executors"
import { commandRules } from "effigent/services/CommandRunner"

const ruleOf = (rule: Arguments.ArgumentRule, args: ReadonlyArray<string>): string => {
  const judged = Arguments.inspect(rule, args)
  return "rule" in judged ? judged.rule : `ok ${judged.join(" ")}`.trim()
}

describe("Arguments", () => {
  it("lets operands through and no option, where the rule is empty", () => {
    assert.deepEqual(
      [["a", "b"], ["-a"], ["--a"], ["-"], ["--"], [""], ["a", "-rf"]].map((args) => ruleOf({}, args)),
      ["ok a b", "argument.option", "argument.option", "ok -", "argument.option", "ok", "argument.option"]
    )
  })

  it("takes the value of an option from the next argument, behind = and right behind one letter", () => {
    const rule = { options: { "-n": /\d+/, "--max": /\d+/, "-name": /[a-z]+/, "-q": true } } as const
    const good = [["-n", "5"], ["-n5"], ["--max", "5"], ["--max=5"], ["-name", "abc"], ["-q"]]
    assert.deepEqual(
      good.map((args) => ruleOf(rule, args)),
      good.map(() => "ok")
    )
    const bad = [
      ["-n"],
      ["-n", "x"],
      ["-nx"],
      ["-n5;id"],
      ["-n5\n6"],
      ["--max="],
      ["--max", "-1"],
      ["-qn5"],
      ["--q"],
      ["-q=1"]
    ]
    assert.deepEqual(
      bad.map((args) => ruleOf(rule, args)),
      bad.map(() => "argument.option")
    )
  })

  it("refuses abbreviations of options, bundles and options that look like names of Object", () => {
    const rule = { options: { "--oneline": true, "-a": true, "-l": true } } as const
    for (const arg of ["--one", "-al", "--constructor", "--__proto__", "-ab"])
      assert.strictEqual(ruleOf(rule, [arg]), "argument.option", arg)
    assert.strictEqual(ruleOf({ subcommands: ["log"] }, ["constructor"]), "argument.subcommand")
    assert.strictEqual(ruleOf({ subcommands: ["log"] }, []), "argument.subcommand")
  })

  it("takes all that follows -- as operands, where -- is listed", () => {
    assert.strictEqual(ruleOf({ options: { "--": true } }, ["--", "-rf", "a"]), "ok -rf a")
    assert.strictEqual(ruleOf({ options: { "--": true }, operands: "none" }, ["--", "a"]), "argument.operand")
    assert.strictEqual(ruleOf({ options: { "--": true }, operands: /[a-z]+/ }, ["--", "-a"]), "argument.operand")
  })

  it("matches operands from begin to end, whatever the flags of the pattern", () => {
    const rule = { operands: /a|ab/gm }
    assert.deepEqual(
      ["a", "ab", "abc", "a\nb", "xa"].map((operand) => ruleOf(rule, [operand])),
      ["ok", "ok", "argument.operand", "argument.operand", "argument.operand"]
    )
  })

  it("asks the check of the policy, and says what it says", () => {
    const rule: Arguments.ArgumentRule = { check: (args) => (args.length > 1 ? "one at a time" : undefined) }
    assert.deepEqual(Arguments.inspect(rule, ["a", "b"]), { rule: "argument.check", detail: "one at a time" })
    assert.strictEqual(ruleOf({ ...rule, unchecked: true }, ["--anything"]), "ok")
  })

  it("refuses what is known to break out of git, find, grep, tail and tar", () => {
    const attacks: ReadonlyArray<readonly [Arguments.ArgumentRule, ReadonlyArray<string>]> = [
      [Arguments.git, ["clone", "ext::sh -c id"]],
      [Arguments.git, ["ls-remote", "--upload-pack=id", "."]],
      [Arguments.git, ["log", "--upload-pack=id"]],
      [Arguments.git, ["-c", "core.pager=id", "log"]],
      [Arguments.git, ["--exec-path=/tmp", "log"]],
      [Arguments.git, ["log", "--output=/tmp/x"]],
      [Arguments.git, ["diff", "--no-index", "a", "b"]],
      [Arguments.git, ["diff", "--ext-diff"]],
      [Arguments.git, ["diff", "/etc/passwd", "/dev/null"]],
      [Arguments.git, ["diff", "../../etc/passwd", "a"]],
      [Arguments.git, ["show", "--textconv"]],
      [Arguments.git, ["log", "-O/etc/passwd"]],
      [Arguments.git, ["status", "--", "a/../../b"]],
      [Arguments.find, [".", "-exec", "id", ";"]],
      [Arguments.find, [".", "-execdir", "id", "+"]],
      [Arguments.find, [".", "-ok", "id", ";"]],
      [Arguments.find, [".", "-delete"]],
      [Arguments.find, [".", "-fprintf", "x", "y"]],
      [Arguments.find, [".", "-fls", "x"]],
      [Arguments.find, ["-L", "."]],
      [Arguments.find, [".", "-newer", "/etc/shadow"]],
      [Arguments.grep, ["-f", "/etc/passwd", "a"]],
      [Arguments.grep, ["-e", "a", "b"]],
      [Arguments.grep, ["--file=/etc/passwd", "a"]],
      [Arguments.grep, ["a", "b", "-P"]],
      [Arguments.head, ["-f", "a"]],
      [Arguments.head, ["--follow=name", "a"]],
      [Arguments.paths, ["--files0-from=/etc/passwd"]],
      [Arguments.paths, ["--use-compress-program=id", "a"]],
      [Arguments.paths, ["-oProxyCommand=id", "host"]],
      [Arguments.paths, ["-o", "ProxyCommand=id", "host"]],
      [Arguments.ls, ["--hyperlink"]],
      [Arguments.none, ["a"]]
    ]
    for (const [rule, args] of attacks) assert.match(ruleOf(rule, args), /^argument\./, args.join(" "))
  })

  it("lets the plain use of the presets through", () => {
    const uses: ReadonlyArray<readonly [Arguments.ArgumentRule, ReadonlyArray<string>, string]> = [
      [Arguments.git, ["log", "--oneline", "-n5", "HEAD~3..main", "--", "src/a.ts"], "ok"],
      [Arguments.git, ["diff", "--stat", "main...feature/x"], "ok"],
      [Arguments.find, ["src", "-name", "*.ts", "-type", "f", "-maxdepth", "2"], "ok src"],
      [Arguments.grep, ["-rn", "--include=*.ts", "a.*b", "src"], "ok src"],
      [Arguments.head, ["-n", "20", "a.txt"], "ok a.txt"],
      [Arguments.ls, ["-la", "src"], "ok src"],
      [Arguments.paths, ["--", "-odd-name"], "ok -odd-name"]
    ]
    for (const [rule, args, expected] of uses) assert.strictEqual(ruleOf(rule, args), expected, args.join(" "))
  })

  it("puts what a rule adds where the command expects it", () => {
    const rule = { subcommands: ["log"], before: ["-c", "x"], after: { log: ["--safe"] } }
    assert.deepEqual(Arguments.complete(rule, ["log", "a"]), ["-c", "x", "log", "--safe", "a"])
    assert.deepEqual(Arguments.complete({ before: ["-x"] }, ["a"]), ["-x", "a"])
    assert.deepEqual(Arguments.complete(Arguments.git, ["status"]).slice(-1), ["status"])
  })

  it("names its rules in one list, each with what it is for", () => {
    for (const [rule, purpose] of Object.entries(commandRules)) {
      assert.match(rule, /^[a-z]+\.[a-zA-Z]+$/)
      assert.match(purpose, /\.$/)
    }
  })
})
