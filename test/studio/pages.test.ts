// The pages of the studio in a real browser, against the real server: what people do with agents and flows.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Browser, Page, Request } from "playwright-core"
import { browserNote, hasBrowser, launch, type Opened, openPage } from "./browser.ts"
import { openStudio, type OpenStudio } from "./studio.ts"

const say = async (page: Page, text: string): Promise<void> => {
  await page.getByRole("textbox", { name: /^Message to/ }).fill(text)
  await page.getByRole("button", { name: "Send" }).click()
}

const turnIs = (page: Page, status: string): Promise<void> =>
  page.locator(`.turn[data-status=${status}]`).last().waitFor()

// What stands in the values of an execution, sooner or later.
const panelSays = async (page: Page, what: RegExp): Promise<void> => {
  const says = ([source]: ReadonlyArray<string>) =>
    new RegExp(source ?? "").test(document.querySelector("[role=tabpanel]")?.textContent ?? "")
  await page.waitForFunction(says, [what.source])
}

const choose = (page: Page, question: string, answer: string): Promise<void> =>
  page.getByRole("radiogroup", { name: question }).getByText(answer, { exact: true }).click()

describe.skipIf(!hasBrowser)(`the pages of the studio${browserNote}`, () => {
  let studio: OpenStudio
  let browser: Browser
  let opened: Opened

  beforeAll(async () => {
    studio = await openStudio({ executions: 20, rows: 0 })
    browser = await launch()
    opened = await openPage(browser, studio)
  }, 60_000)
  afterAll(async () => {
    // An execution was asked for that is not there: the browser writes of its own accord that the answer was 404.
    const problems = opened.problems.filter((problem) => !/status of 404/.test(problem))
    await browser.close()
    await studio.close()
    assert.deepStrictEqual(problems, [])
  }, 30_000)

  it("an agent is asked, and the fields of its answer fill in one by one", async () => {
    const { go, page } = opened
    await go("#/agents/triage")
    await say(page, "The lift is stuck. Come now!")
    // The contract stands there before anything has come, and the first field is written while the others wait.
    await page.waitForFunction(() => {
      const status = (name: string) => document.querySelector(`[data-field=${name}]`)?.getAttribute("data-status")
      return status("subject") !== "waiting" && status("summary") === "waiting" && status("tasks") === "waiting"
    })
    await page.waitForFunction(
      () => document.querySelector("[data-field=summary]")?.getAttribute("data-status") === "streaming"
    )
    await turnIs(page, "completed")
    assert.match(await page.locator("[data-field=subject] .tree-value").innerText(), /The lift is stuck/)
    assert.strictEqual(await page.locator("[data-status=waiting][data-field]").count(), 0)
    const measures = page.locator(".measures").last()
    await measures.getByText("Open the trace").waitFor()
    assert.match(
      (await measures.innerText()).replaceAll("\n", " "),
      /Time .* First token .* Tokens \d+ in, \d+ out Cost \$/
    )
  })

  it("a field that was void is written anew and counts as corrected", async () => {
    const { go, page } = opened
    await go("#/agents/triage")
    await page.getByRole("button", { name: "New session" }).click()
    await say(page, "Everything is wrong here.")
    await page.locator(".correction").waitFor()
    await turnIs(page, "completed")
    assert.strictEqual(await page.locator("[data-field=subject]").getAttribute("data-status"), "corrected")
    assert.strictEqual(await page.locator("[data-field=tasks]").getAttribute("data-status"), "done")
  })

  it("a call waits for approval, is approved, and its conversation can be linked to", async () => {
    const { go, page } = opened
    await go("#/agents/clerk")
    await say(page, "Pay the rent, 900 euros.")
    await page.getByRole("group", { name: "Approval of pay" }).waitFor()
    assert.match(await page.locator(".call[data-status=waiting]").innerText(), /bill\s*rent/)
    await page.getByRole("button", { name: "Approve" }).click()
    await page.locator(".call[data-status=success]").nth(1).waitFor()
    await turnIs(page, "completed")
    assert.match(await page.locator(".answer").last().innerText(), /paid 900 euros for rent/)
    await page.locator(".call-head", { hasText: "pay" }).last().click()
    assert.match(await page.locator(".call-body").last().innerText(), /Result\s+paid 900 euros for rent[\s\S]*Approved/)
    assert.match(page.url(), /session=studio-/)
    await page.reload()
    await turnIs(page, "completed")
    assert.match(await page.locator(".answer").last().innerText(), /paid 900 euros/)
    assert.strictEqual(await page.locator(".turn").count(), 1)
  })

  it("a call that is denied is not run, and the model is told why", async () => {
    const { go, page } = opened
    await go("#/agents/clerk")
    await page.getByRole("button", { name: "New session" }).click()
    await say(page, "Pay the rent, 800 euros.")
    await page.getByRole("textbox", { name: "Note, if you deny" }).fill("The flat is empty.")
    await page.getByRole("button", { name: "Deny" }).click()
    await page.locator(".call[data-status=denied]").waitFor()
    await turnIs(page, "completed")
    assert.match(await page.locator(".answer").last().innerText(), /The flat is empty/)
  })

  it("calls that wait are listed on a page of their own, and counted beside its name", async () => {
    const { go, page } = opened
    await go("#/agents/clerk")
    await page.getByRole("button", { name: "New session" }).click()
    await say(page, "Pay the rent, 600 euros.")
    await page.getByRole("link", { name: /Approvals 1 waiting/ }).click()
    await page.getByRole("heading", { level: 1, name: "Approvals" }).waitFor()
    await page.getByText("600").first().waitFor()
    // The trace of what waits has no time yet, and no end.
    await go("#/traces?status=running")
    await page.getByRole("grid", { name: "Traces" }).getByRole("row", { name: /clerk/ }).click()
    await page.getByRole("grid", { name: "Spans" }).waitFor()
    assert.match(
      (await page.locator(".page-about").innerText()).replaceAll("\n", " "),
      /^running since \d\d:\d\d:\d\d /
    )
    await go("#/approvals")
    await page.getByRole("button", { name: "Approve" }).click()
    await page.getByText("Nothing waits for you").waitFor()
  })

  it("Approve decides on the call that it stands beside, also where programs may decide on that; another waits on", async () => {
    const { go, page } = opened
    const begin = (query: string, text: string) =>
      fetch(`${studio.url}/api/agents/clerk/runs?disconnect=detach&${query}`, {
        method: "POST",
        headers: { authorization: `Bearer ${studio.token}`, "content-type": "application/json" },
        body: JSON.stringify(text)
      })
    assert.strictEqual((await begin("run=plain", "Pay the power, 700 euros.")).status, 202)
    await page.getByRole("link", { name: /Approvals 1 waiting/ }).waitFor()
    const asked = await begin("run=asked&session=asked&approvals=ask", "Pay the water, 500 euros.")
    assert.strictEqual(asked.status, 202)
    await page.getByRole("link", { name: /Approvals 2 waiting/ }).waitFor()
    await go("#/agents/clerk?session=asked")
    await page.getByRole("button", { name: "Approve" }).click()
    await turnIs(page, "completed")
    assert.match(await page.locator(".answer").last().innerText(), /paid 500 euros for water/)
    await page.getByRole("link", { name: /Approvals 1 waiting/ }).click()
    await page.getByText("700").first().waitFor()
    assert.strictEqual(await page.locator(".waiting-one").count(), 1)
    await page.getByRole("button", { name: "Deny" }).click()
    await page.getByText("Nothing waits for you").waitFor()
  })

  it("a run is stopped", async () => {
    const { go, page } = opened
    await go("#/agents/echo")
    await say(page, "Tell me a very long story about a house with many floors and many tenants.")
    await page.getByRole("button", { name: "Stop" }).click()
    await turnIs(page, "cancelled")
  })

  it("what is no JSON is refused before it is sent", async () => {
    const { go, page } = opened
    await go("#/agents/echo")
    await page.getByRole("button", { name: "New session" }).click()
    await page.getByRole("button", { name: "JSON" }).click()
    await say(page, "{ no")
    await page.getByText("This is no JSON").waitFor()
    assert.strictEqual(await page.locator(".turn").count(), 0)
  })

  it("a flow is started, asks a person, is answered and ends; its graph, state and stream follow", async () => {
    const { go, page } = opened
    await go("#/flows/publish")
    await page.getByRole("button", { name: "Start publish" }).click()
    await page.getByText("This is needed.").waitFor()
    // Nothing is said for whoever sends the form: neither yes nor no is chosen.
    const large = page.getByRole("radiogroup", { name: "large" })
    await large.getByText("Choose one.").waitFor()
    assert.strictEqual(await large.getByRole("radio", { checked: true }).count(), 0)
    await page.getByRole("textbox", { name: "text" }).fill("A letter with five words")
    await choose(page, "large", "Yes")
    assert.strictEqual(await large.getByText("Choose one.").count(), 0)
    await page.getByRole("button", { name: "Start publish" }).click()
    await page.getByRole("region", { name: "Question Approval" }).waitFor()
    await page.locator(".node[data-status=waiting]", { hasText: "ask a person" }).waitFor()
    await page.locator(".node[data-status=done]", { hasText: "check spelling" }).waitFor()
    await panelSays(page, /checked.*spelling/)
    await page.getByRole("tab", { name: /Stream/ }).click()
    await page.getByRole("grid", { name: "Runtime stream" }).getByText("read", { exact: true }).waitFor()
    await page.getByRole("textbox", { name: /note/ }).fill("Fine.")
    await page.getByRole("button", { name: "Answer" }).click()
    await page.getByRole("radiogroup", { name: "approved" }).getByText("Choose one.").waitFor()
    await choose(page, "approved", "Yes")
    await page.getByRole("button", { name: "Answer" }).click()
    await page.locator(".node[data-status=done]", { hasText: "answered" }).waitFor()
    // It still takes signals; left alone it would close by itself after a while.
    await page.getByRole("button", { name: "Close" }).click()
    await page.locator(".page-about .status", { hasText: "completed" }).waitFor()
    // The tab that was chosen stays; without a choice the page opens on what it came to.
    assert.strictEqual(await page.getByRole("tab", { name: /Stream/ }).getAttribute("aria-selected"), "true")
    await page.reload()
    await page.getByRole("tabpanel", { name: "Result" }).getByText("published after a look").waitFor()
    assert.strictEqual(await page.getByRole("region", { name: "Question Approval" }).count(), 0)
  })

  it("an execution is forked from a row of its timeline", async () => {
    const { page } = opened
    const before = page.url()
    const row = page.getByRole("grid", { name: "Timeline" }).getByRole("row", { name: /ask a person/ })
    await row.first().click()
    await page.getByRole("button", { name: "Fork from here" }).click()
    await page.waitForURL((url) => url.href !== before && url.hash.startsWith("#/executions/"))
    await page.getByRole("region", { name: "Question Approval" }).waitFor()
    await page.locator(".page-about .status", { hasText: "waiting" }).waitFor()
    await page.getByRole("button", { name: "Cancel" }).click()
    await page.locator(".page-about .status", { hasText: "cancelled" }).waitFor()
  })

  it("a signal is sent to an execution", async () => {
    const { go, page } = opened
    await go("#/flows/publish")
    await page.getByRole("textbox", { name: "text" }).fill("Short")
    await choose(page, "large", "Yes")
    await page.getByRole("button", { name: "Start publish" }).click()
    await page.getByRole("button", { name: "Send a signal" }).click()
    await page.getByRole("textbox", { name: "why" }).fill("They wait")
    await page.getByRole("button", { name: "Send Hurry" }).click()
    await page.getByRole("tab", { name: "State" }).click()
    await panelSays(page, /hurried1/)
  })

  it("a question of yes or no is answered by neither until one is chosen, and may be left out where it is optional", async () => {
    const { go, page } = opened
    const sent: Array<unknown> = []
    const sending = (request: Request): void => {
      if (request.method() === "POST") sent.push(request.postDataJSON())
    }
    page.on("request", sending)
    await go("#/flows/yesno")
    const loud = page.getByRole("radiogroup", { name: "loud (optional)" })
    assert.isTrue(await loud.getByRole("radio", { name: "Leave out" }).isChecked())
    await page.getByRole("button", { name: "Start yesno" }).click()
    await page.getByRole("region", { name: "Question Sure" }).waitFor()
    assert.deepStrictEqual(sent, [{ input: {} }])
    await page.getByRole("button", { name: "Answer" }).click()
    await page.getByRole("radiogroup", { name: "Answer" }).getByText("Choose one.").waitFor()
    assert.strictEqual(sent.length, 1)
    // By keys: the arrows choose.
    await page.getByRole("radiogroup", { name: "Answer" }).getByRole("radio", { name: "Yes" }).focus()
    await page.keyboard.press("ArrowRight")
    await page.getByRole("button", { name: "Answer" }).click()
    await page.locator(".page-about .status", { hasText: "completed" }).waitFor()
    page.off("request", sending)
    assert.deepStrictEqual(sent.slice(1), [{ value: false }])
    // Nobody chose a tab: the result comes up by itself.
    await page.getByRole("tabpanel", { name: "Result" }).getByText("not sure").waitFor()
  })

  it("an execution that failed opens on how it failed", async () => {
    const { go, page } = opened
    await go("#/flows/letter")
    await page.getByRole("textbox", { name: "Input" }).fill("This will fail.")
    await page.getByRole("button", { name: "Start letter" }).click()
    await page.locator(".page-about .status", { hasText: "failed" }).waitFor()
    await page
      .getByRole("tabpanel", { name: "Result" })
      .getByText(/the desk is closed/)
      .waitFor()
  })

  it("a contract says none of what nothing can be", async () => {
    const { go, page } = opened
    await go("#/flows/letter")
    const contract = page.getByRole("region", { name: "Contract" })
    assert.match(await contract.innerText(), /State\s+none\s+Result/)
    assert.notMatch(await contract.innerText(), /\bnot\b/)
    await go("#/flows")
    assert.match(await page.getByRole("link", { name: /^yesno/ }).innerText(), /Input\s+loud/)
  })

  it("the trace of an answer shows the prompt as it was rendered, and gives it to the clipboard", async () => {
    const { go, page } = opened
    await go("#/agents/clerk")
    await page.getByRole("button", { name: "New session" }).click()
    await say(page, "What is the balance?")
    await turnIs(page, "completed")
    await page.getByText("Open the trace").last().click()
    const grid = page.getByRole("grid", { name: "Spans" })
    await grid.getByRole("row", { name: /chat/ }).first().waitFor()
    // The first request to the model is chosen by itself.
    await page.getByRole("heading", { name: "Prompt as rendered" }).waitFor()
    assert.match(await page.getByRole("region", { name: "Prompt as rendered" }).innerText(), /What is the balance\?/)
    await page.getByRole("button", { name: "Copy the prompt" }).click()
    await page.getByRole("button", { name: "Copied" }).waitFor()
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /user:\n[\s\S]*What is the balance\?/)
    await grid.getByRole("row", { name: /tool/ }).first().click()
    await page.getByRole("region", { name: "Output" }).getByText("1310").waitFor()
    assert.match(page.url(), /span=/)
  })

  it("reports of evals are compared", async () => {
    const { go, page } = opened
    await go("#/evals")
    await page.getByText("100.0 % passed, 1 case", { exact: true }).waitFor()
    await page
      .getByRole("link", { name: /letters/ })
      .first()
      .click()
    await page.getByRole("button", { name: /Compare with/ }).click()
    // What another eval says of other cases is no comparison.
    const options = page.getByRole("option")
    await options.first().waitFor()
    assert.deepStrictEqual(await options.allTextContents(), ["Compare with none", "letters, etters-1"])
    await options.nth(1).click()
    await page.getByText("6 fixed, 6 broken").waitFor()
    await page
      .getByRole("row", { name: /letter-2/ })
      .first()
      .click()
    await page
      .getByRole("region", { name: /Case letter-2/ })
      .getByText("The lift is stuck.")
      .waitFor()
  })

  it("what is not there says what to do", async () => {
    const { page } = opened
    await page.evaluate(() => {
      window.location.hash = "#/executions/nobody"
    })
    await page.getByRole("alert").waitFor()
    assert.match(
      await page.getByRole("alert").innerText(),
      /The execution could not be loaded[\s\S]*nobody[\s\S]*Try again/
    )
    await page.evaluate(() => {
      window.location.hash = "#/agents/nobody"
    })
    await page.getByText("There is no agent nobody").waitFor()
  })

  it("everything is done by keys alone: pages, search, an answer, an approval", async () => {
    const { close, go, page, problems } = await openPage(browser, studio)
    const focused = () =>
      page.evaluate(() => {
        const { activeElement: at } = document
        return `${at?.getAttribute("aria-label") ?? ""} ${at?.textContent ?? ""}`.trim()
      })
    // Tab until something has the focus: no mouse, no script.
    const tabTo = async (what: RegExp): Promise<void> => {
      for (let steps = 0; steps < 80; steps++) {
        await page.keyboard.press("Tab")
        if (what.test(await focused())) return
      }
      assert.fail(`Tab does not come to ${what}`)
    }
    await go("#/agents")
    await page.keyboard.press("Tab")
    assert.match(await focused(), /Skip to the content/)
    await page.keyboard.press("Enter")
    assert.strictEqual(await page.evaluate(() => document.activeElement?.id), "main")
    await page.keyboard.press("?")
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    // With another address the help closes, as nothing behind it could be used.
    await page.keyboard.press("?")
    await page.getByRole("dialog").waitFor()
    await page.evaluate(() => {
      window.location.hash = "#/traces"
    })
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await page.getByRole("heading", { level: 1, name: "Traces" }).waitFor()
    await page.keyboard.press("g")
    await page.keyboard.press("x")
    await page.getByRole("heading", { level: 1, name: "Executions" }).waitFor()
    await page.getByRole("grid", { name: "Executions" }).waitFor()
    await page.keyboard.press("/")
    await page.keyboard.type("order-00007")
    await page.waitForFunction(() => document.querySelector("[role=grid]")?.getAttribute("aria-rowcount") === "2")
    await tabTo(/^Executions /)
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { level: 1, name: "order-00007" }).waitFor()
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await page.getByRole("heading", { level: 1, name: "Agents" }).waitFor()
    await tabTo(/^clerk/)
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { level: 1, name: "clerk" }).waitFor()
    await tabTo(/^Message to clerk/)
    await page.keyboard.type("Pay the rent, 700 euros.")
    await page.keyboard.press("Enter")
    await page.getByRole("group", { name: "Approval of pay" }).waitFor()
    await page.keyboard.press("Shift+Tab")
    for (let steps = 0; steps < 20 && !(await focused()).startsWith("Approve"); steps++)
      await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await turnIs(page, "completed")
    await page.keyboard.press("Escape")
    assert.deepStrictEqual(problems, [])
    await close()
  })

  it("a server that has gone away is told of, with what to do", async () => {
    const other = await openStudio({ executions: 3, rows: 0 })
    const { close, go, page } = await openPage(browser, other)
    await go("#/executions")
    await page.getByRole("grid", { name: "Executions" }).waitFor()
    await other.close()
    await page.getByText("The server of the studio does not answer.").waitFor()
    await page.evaluate(() => {
      window.location.hash = "#/traces"
    })
    await page.getByRole("button", { name: "Try again" }).waitFor()
    await close()
  })

  it("the theme is remembered, and the menu of a narrow page opens and closes", async () => {
    const { close, page, problems } = await openPage(browser, studio, { width: 360, height: 780 })
    const theme = () => page.evaluate(() => document.documentElement.dataset["theme"])
    assert.strictEqual(await theme(), "light")
    await page.getByRole("button", { name: "Open the menu" }).click()
    await page.getByRole("button", { name: /^Theme: system/ }).click()
    await page.getByRole("button", { name: /^Theme: light/ }).click()
    assert.strictEqual(await theme(), "dark")
    await page.reload()
    await page.locator("main h1").waitFor()
    assert.strictEqual(await theme(), "dark")
    await page.getByRole("button", { name: "Open the menu" }).click()
    await page.getByRole("link", { name: /Traces/ }).click()
    await page.getByRole("heading", { level: 1, name: "Traces" }).waitFor()
    await page.getByRole("navigation", { name: "Studio" }).waitFor({ state: "hidden" })
    assert.deepStrictEqual(problems, [])
    await close()
  })
})
