// Every page of the studio, light and dark, at three widths: what axe-core finds wrong with it, and whether it fits.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Browser, Page } from "playwright-core"
import { browserNote, hasBrowser, launch, type Opened, openPage } from "./browser.ts"
import { openStudio, type OpenStudio } from "./studio.ts"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

const widths = [360, 1280, 2560] as const
const themes = ["light", "dark"] as const

/** The part of axe's answer that is read here. */
interface Violation {
  readonly id: string
  readonly help: string
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary?: string }>
}

const violationsOf = (page: Page): Promise<ReadonlyArray<string>> =>
  page.evaluate(async () => {
    // axe-core has put itself there.
    const { run } = Reflect.get(window, "axe") as {
      run: (options: object) => Promise<{ readonly violations: ReadonlyArray<Violation> }>
    }
    const { violations } = await run({ resultTypes: ["violations"] })
    return violations.flatMap(({ help, id, nodes }) =>
      nodes
        .slice(0, 3)
        .map(({ failureSummary, html }) => `${id}: ${help}: ${html.slice(0, 160)} ${failureSummary ?? ""}`)
    )
  })

const overflowOf = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

describe.skipIf(!hasBrowser)(`the looks of the studio${browserNote}`, () => {
  let studio: OpenStudio
  let browser: Browser
  let opened: Opened

  beforeAll(async () => {
    studio = await openStudio({ executions: 200, rows: 60 })
    browser = await launch()
    opened = await openPage(browser, studio)
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    await studio.close()
    assert.deepStrictEqual(
      opened.problems.filter((problem) => !/status of 404/.test(problem)),
      []
    )
  }, 30_000)

  // In every theme at every width, without leaving the page.
  const look = async (): Promise<void> => {
    const { page } = opened
    const found: Array<string> = []
    await page.evaluate(axe)
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" })
      for (const width of widths) {
        await page.setViewportSize({ width, height: width === 360 ? 780 : 1000 })
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
        const where = `${colorScheme} at ${width}: `
        const overflow = await overflowOf(page)
        if (overflow > 0) found.push(`${where}the page is ${overflow} px too wide`)
        for (const violation of await violationsOf(page)) found.push(where + violation)
      }
    }
    await page.setViewportSize({ width: 1280, height: 820 })
    assert.deepStrictEqual(found, [])
  }

  const views: ReadonlyArray<readonly [name: string, view: string, ready: string]> = [
    ["the agents", "#/agents", ".card"],
    ["an agent before a question", "#/agents/triage", ".composer"],
    ["the flows", "#/flows", ".card"],
    ["a flow", "#/flows/publish", ".node"],
    ["the executions", "#/executions", ".vrow .status"],
    ["an empty list", "#/executions?status=waiting", ".state"],
    ["an execution", "#/executions/long", ".timeline .vrow .status"],
    ["the traces", "#/traces", ".vrow .status"],
    ["the reports", "#/evals", ".row"],
    ["a report", "#/evals/letters-2", ".vrow .status"],
    ["a page that is not there", "#/nothing", ".state"]
  ]
  for (const [name, view, ready] of views)
    it(`${name}: nothing is found by axe, and the page fits`, async () => {
      const { page } = opened
      await page.evaluate((hash) => {
        window.location.hash = hash
      }, view)
      await page.locator(ready).first().waitFor()
      await look()
    }, 60_000)

  it("a conversation with a correction and an approval", async () => {
    const { go, page } = opened
    await go("#/agents/clerk")
    await page.getByRole("textbox", { name: /^Message to/ }).fill("Pay the rent, 900 euros.")
    await page.keyboard.press("Enter")
    await page.getByRole("group", { name: "Approval of pay" }).waitFor()
    await look()
    await go("#/approvals")
    await page.getByRole("group", { name: "Approval of pay" }).waitFor()
    await look()
    await go("#/agents/triage")
    await page.getByRole("textbox", { name: /^Message to/ }).fill("The lift is wrong.")
    await page.keyboard.press("Enter")
    await page.locator(".turn[data-status=completed]").waitFor()
    await look()
  }, 60_000)

  it("a trace with the prompt of a request", async () => {
    const { page } = opened
    await page.getByText("Open the trace").last().click()
    await page.getByRole("heading", { name: "Prompt as rendered" }).waitFor()
    await look()
  }, 60_000)

  it("an execution that waits for an answer", async () => {
    const { go, page } = opened
    await go("#/flows/publish")
    await page.getByRole("textbox", { name: "text" }).fill("A letter")
    // With what is missing said, and without.
    await page.getByRole("button", { name: "Start publish" }).click()
    await page.getByText("Choose one.").waitFor()
    await look()
    await page.getByRole("radiogroup", { name: "large" }).getByText("Yes").click()
    await page.getByRole("button", { name: "Start publish" }).click()
    await page.getByRole("region", { name: "Question Approval" }).waitFor()
    await page.locator(".node[data-status=waiting]").waitFor()
    await look()
  }, 60_000)

  it("the help on keys", async () => {
    const { page } = opened
    await page.getByRole("button", { name: "Keyboard shortcuts" }).click()
    await page.getByRole("dialog").waitFor()
    await look()
    await page.keyboard.press("Escape")
  }, 60_000)
})
