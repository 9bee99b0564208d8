// A real browser for the tests of the studio's pages, and what all of them ask of a page: no error in its console, and no
// request to another host.
import { existsSync } from "node:fs"
import { type Browser, chromium as playwright, type Page } from "playwright-core"
import { chromium } from "../support/studioPages.ts"
import type { OpenStudio } from "./studio.ts"

/** Whether the tests can run. `EFFIGENT_BROWSER=required` lets them fail where they cannot. */
export const hasBrowser = existsSync(chromium) || process.env["EFFIGENT_BROWSER"] === "required"

/** What stands in the name of the tests where they are skipped. */
export const browserNote = hasBrowser ? "" : ` (skipped: there is no browser at ${chromium}; set CHROMIUM_PATH)`

export const launch = (): Promise<Browser> =>
  playwright.launch({
    executablePath: chromium,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync"
    ]
  })

export interface Opened {
  readonly page: Page
  /** Goes to a view, `#/agents`, and waits for its heading. */
  readonly go: (view: string) => Promise<void>
  /** Errors of the console and of scripts, and requests to other hosts. */
  readonly problems: ReadonlyArray<string>
  readonly close: () => Promise<void>
}

interface PageOptions {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
}

/** Opens a page of the studio, signed in. */
export const openPage = async (browser: Browser, studio: OpenStudio, options: PageOptions = {}): Promise<Opened> => {
  const { dark = false, height = 820, width = 1280 } = options
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    permissions: ["clipboard-read", "clipboard-write"]
  })
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  const problems: Array<string> = []
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(`console: ${message.text()}`)
  })
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`))
  page.on("request", (request) => {
    if (!request.url().startsWith(studio.url) && !request.url().startsWith("data:"))
      problems.push(`request: ${request.url()}`)
  })
  await page.goto(`${studio.url}/?token=${studio.token}`)
  await page.locator("main h1").waitFor()
  const go = async (view: string): Promise<void> => {
    await page.evaluate((hash) => {
      window.location.hash = hash
    }, view)
    await page.locator("main h1").waitFor()
  }
  return { page, go, problems, close: () => context.close() }
}
