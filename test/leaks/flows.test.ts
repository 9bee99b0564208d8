import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

const root = new URL("../../", import.meta.url).pathname

describe("100,000 executions of a flow", () => {
  it("leave nothing behind, however they ended", { timeout: 240_000 }, async () => {
    const { PATH = "", HOME = "" } = process.env
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "--conditions=effigent:source", "test/leaks/flows.ts"],
      { cwd: root, env: { PATH, HOME } }
    )
    const { after, before } = JSON.parse(stdout)
    assert.isAtMost(after / before, 1.02, stdout)
  })
})
