/**
 * `npm run screenshots`: the pictures of docs/studio.md, taken of the studio with its demo project: three pages at three
 * widths, light and dark.
 */
import { mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { launch, openPage } from "./browser.ts"
import { openStudio } from "./studio.ts"
import { setup } from "../support/studioPages.ts"

const folder = join(import.meta.dirname, "../../docs/studio")

const shots = [
  { width: 360, height: 760, dark: false },
  { width: 1280, height: 800, dark: false },
  { width: 1280, height: 800, dark: true },
  { width: 2560, height: 940, dark: true }
] as const

const ask = async (page: Page, text: string): Promise<void> => {
  await page.getByRole("textbox", { name: /^Message to/ }).fill(text)
  await page.keyboard.press("Enter")
}

/** What is done before a page is shown; gives its address. */
const scenes: Readonly<Record<string, (page: Page, go: (view: string) => Promise<void>) => Promise<string>>> = {
  agent: async (page, go) => {
    await go("#/agents/clerk")
    await ask(page, "What is the balance of the house?")
    await page.locator(".turn[data-status=completed]").waitFor()
    await ask(page, "Pay the rent, 900 euros.")
    await page.getByRole("group", { name: "Approval of pay" }).waitFor()
    return page.url()
  },
  answer: async (page, go) => {
    await go("#/agents/triage")
    await ask(page, "The lift is stuck between two floors, and something is wrong with the light. Please come now!")
    await page.locator(".turn[data-status=completed]").waitFor()
    await page.locator(".measures").getByText("Open the trace").waitFor()
    return page.url()
  },
  execution: async (page, go) => {
    await go("#/flows/publish")
    await page.getByRole("textbox", { name: "text" }).fill("The lift is repaired and runs again from Monday on.")
    await page.getByRole("radiogroup", { name: "large" }).getByText("Yes").click()
    await page.getByRole("button", { name: "Start publish" }).click()
    await page.getByRole("region", { name: "Question Approval" }).waitFor()
    await page.locator(".node[data-status=waiting]").waitFor()
    return page.url()
  },
  trace: async (page, go) => {
    await go("#/agents/triage")
    await ask(page, "The heating is wrong: it is cold in all rooms.")
    await page.locator(".turn[data-status=completed]").waitFor()
    await page.getByText("Open the trace").click()
    await page.getByRole("heading", { name: "Prompt as rendered" }).waitFor()
    return page.url()
  }
}

await setup()
mkdirSync(folder, { recursive: true })
const studio = await openStudio({ executions: 40, rows: 200 })
const browser = await launch()
const { close, go, page, problems } = await openPage(browser, studio)
for (const [name, scene] of Object.entries(scenes)) {
  const url = await scene(page, go)
  for (const { dark, height, width } of shots) {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" })
    await page.setViewportSize({ width, height })
    await page.goto(url)
    await page.reload()
    await page.locator("main h1").waitFor()
    await page.waitForLoadState("load")
    const ready = {
      agent: ".approval",
      answer: ".measures a",
      execution: ".node[data-status=waiting]",
      trace: ".message"
    }
    await page.locator(Reflect.get(ready, name)).first().waitFor()
    await page.mouse.move(0, 0)
    // What streams in and is laid out has come to rest once two pictures are the same.
    let before: Buffer | undefined
    for (let tries = 0; tries < 20; tries++) {
      const now = await page.screenshot()
      if (before !== undefined && now.equals(before)) break
      before = now
    }
    const file = join(folder, `${name}-${width}-${dark ? "dark" : "light"}.png`)
    await page.screenshot({ path: file })
    const { size } = statSync(file)
    console.log(`${file} ${Math.round(size / 1024)} KiB`)
  }
  await page.setViewportSize({ width: 1280, height: 820 })
  await page.emulateMedia({ colorScheme: "light" })
}
await close()
await browser.close()
await studio.close()
if (problems.length > 0) {
  console.error(problems.join("\n"))
  process.exitCode = 1
}
