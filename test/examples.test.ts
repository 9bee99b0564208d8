// Every example runs offline, to its end, and says what it is meant to say.
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { promisify } from "node:util"

const root = new URL("../", import.meta.url).pathname

const said: { readonly [file: string]: ReadonlyArray<string> } = {
  "01-first-request.ts": [
    "name: 'Ada Lovelace'",
    "email: 'ada@engine.example'",
    "subject: 'The printer is on fire'",
    "urgent: true"
  ],
  "02-fields-as-they-stream.ts": ["finished: headline", "finished: requests[1]", "headline came in"],
  "03-work-on-each-item.ts": ["-> billing: Refund the second charge", "dispatched 3 of 3 actions"],
  "04-ensure-and-correct.ts": [
    "attempt 1: ",
    "Missing ensure key: resources[0].url",
    "attempt 2: accepted",
    "late reader: 1"
  ],
  "05-mock-layers.ts": ["Hello, Ada\n(later: slow down)\n"],
  "06-without-effect.ts": ["Heating\n", "requests[1] = "],
  "07-model-pool.ts": [
    "attempt 2 failed: fast: vendor-a",
    "next: spare",
    "attempt 3 completed",
    "asked: fast, fast, spare",
    "title: 'Heating is down'"
  ],
  "08-formats.ts": ["### stars JSON", "<field name=", "body: |-", "auto (took hybrid)", "in every format: true"],
  "09-prompt-file.ts": ["urgency: 'high'", "typed: high", "round trip: true", "broken.yaml:4: output > n > $type"],
  "10-concurrent-agents.ts": [
    "letter 3: { title: ",
    "asks for 1;",
    "the model was first",
    "keys in order: title, urgent"
  ],
  "11-guards.ts": [
    "sends: My card ******************* was charged twice. ****************\n",
    "answer: Refunded to ***************************. Questions: ******************\n",
    "blocked by prompt injection: ignore, reveal",
    "blocked by moderation: harassment"
  ],
  "12-session.ts": [
    "And some water. -> I see 3 messages.",
    "Thank you! -> I see 5 messages.",
    "kept: 8 messages",
    "anew: I see 5 messages.",
    "still shown: 8 messages",
    "forked: 1 turn"
  ],
  "13-knowledge.ts": [" reset\n", "For ten seconds. [reset, bulb]"],
  "14-effect-ai.ts": [
    "tool stock: { article: 'desk lamp', pieces: 17 }",
    "answer: There are 17 desk lamps.",
    "order: { article: 'desk lamp', pieces: 3 }",
    "again: { article: 'chair', pieces: 12 }"
  ],
  "15-fields-to-signals.ts": [
    "finished: goal\ngoal: Please refund",
    "finished: actions[0]\n",
    "-> billing: Refund the second charge\n",
    "-> support: Call me on Monday\n",
    "3 of 3 actions have a title"
  ],
  "16-hosted-flow.ts": [
    "paid on Fri Jan 02 2026",
    "Approval#1 asks: { order: 'B-2', euros: 150 }",
    "B-2: 150 reserved, 310 left\nB-2: approved by Ada\n",
    "refused, 310 left",
    "completed { order: 'D-4', paidOn: '2026-01-02T09:00:00.000Z' }",
    "3 refunds"
  ],
  "17-task-graph.ts": [
    'plan 1: tasks[0].binding: No handler is called "metric"',
    "plan 1: tasks[1].inputs.minutes: ${DEPS.measure.minutes} asks for",
    "measure: start\ncount: start\nmeasure: complete",
    "text writes: for 12 minutes.",
    'nothing stands behind ${INIT.service} in the input "service"'
  ],
  "18-save-and-load.ts": [
    "reserve a lamp\nreserve a bulb\nsaved: waiting, 1 handler\n",
    "version 1 asks Approval#1: { cents: 2400 }",
    "ship a lamp and a bulb for Ada"
  ],
  "19-order-flow.ts": [
    "B2: somebody says yes\n",
    "C3: somebody says no\n",
    "A1: asks the bank, try 2\n",
    "A1: on its way, boxes: 2\n",
    "B2: on its way, boxes: 1\n",
    "C3: declined, nothing was charged\n",
    "D4 failed: CardRefused: the card for D4 was refused\n",
    "completed: sent A1, B2, declined C3\n"
  ],
  "20-actions.ts": [
    '<- retry: "There is no sofa; there are: lamp, table, chair."\n',
    "110 euros: A lamp and two chairs; we have no sofas.\n2 rounds, answered\n"
  ],
  "23-team.ts": [
    "routed: { cents: 1900 }",
    "coordinated: A new lamp costs 19.00; try another bulb first.",
    "jury: { cents: 1900 } It is broken.",
    "handed on: support handed, sales success { cents: 900 }"
  ],
  "24-research-team.ts": [
    "leader plan: success\nmember researcher: success\nmember analyst: success\nmember writer: success\n",
    "completed: Tea in Europe\n",
    "sources: https://example.org/tea, https://example.org/trade"
  ],
  "28-workflow.ts": [
    "papers is left out: ModelError\n  the editor gives 5: say what it saves\n  the editor gives 8: fine\n",
    "sent back: name a price\n# Heat pumps\nThey are quiet. They halve the bill. They cost 9,000\n(Ada, 2 sources)\n",
    "sent back: name a price\n1/ They are quiet\n2/ They halve the bill\n3/ They cost 9,000\n",
    "nothing:\nno topic, no text\n"
  ],
  "26-patterns.ts": [
    "chain of thought: 10 apples, because Three times four is 12, two are rotten.",
    "self-consistency: 10 with 4 of 5, after one failure",
    "plan and solve: 2 boxes of 4 -> 8, take 2 away -> 6; 6 apples",
    "evaluator: accepted in round 2: Ten good apples.",
    "react: I look into the first. -> 0\nreact: None there; the others. -> 2, 0\nreact: 10 apples"
  ],
  "25-mcp.ts": [
    'shop__stock {"article":"lamp"} -> success: {"pieces":17}\n',
    'failed: {"error":"mcp: shop/order: there are 17 only"}\n',
    "Seventeen lamps are ordered.\n"
  ],
  "27-memory.ts": [
    "  added: The user is called Ada.; The user eats no meat.\nI am Ada, and I eat no meat. -> I know nothing of you.",
    "Meat is not what I eat. -> I know: The user eats no meat.",
    "  updated: The user eats meat since May.\nI eat meat again, since May. -> I know: The user eats no meat.",
    "bob: I know nothing of you.",
    "kept of ada: The user eats meat since May., The user is called Ada.",
    "after erasing: 0"
  ],
  "33-http-server.ts": [
    "subject: Heating\n",
    "told: RunStarted, ModelRequested, Text, ModelAnswered, RunCompleted, Custom, end\n",
    "words: 3\n",
    "404 RunNotFound: There is no run",
    "401 Unauthorized: The token is not known."
  ],
  "34-node-http.ts": [
    'own route: {"subject":"Heating"}\nthe API: {"subject":"Heating"}\n',
    'last event: event: end data: {"status":"completed"}\nresumed with: id: 3\n'
  ],
  "35-hono.ts": ['{"subject":"Heating"}\n400 application/problem+json\n'],
  "36-express.ts": [
    'own route: 201 {"subject":"Heating"}\nwords: true\nthe API: {"subject":"Heating"}\n',
    'last event: event: end data: {"status":"completed"}\na stranger: 401\n'
  ],
  "36-fastify.ts": [
    'own route: 201 {"subject":"Heating"}\nthe API: {"subject":"Heating"}\n',
    'last event: event: end data: {"status":"completed"}\na stranger: 401\n'
  ],
  "21-run-events.ts": [
    "● gardener\n> Why are my tomatoes yellow?\n",
    "│ ● botanist\n│ > What makes tomato leaves yellow?\n│ Age, water, nitrogen?\n",
    "✓ ask_botanist Too little **nitrogen**, mostly.",
    "- Water them in the morning.\n",
    "requests: 3, tokens out: 35, cost: 0.035",
    "roles: main; calls: ask_botanist",
    "job-1 is running\nRun job-1 was cancelled: it takes too long"
  ],
  "22-approvals.ts": [
    "reads the balance\npays telephone, 20 euros, as bills-11/call_2\nwaits: call_3\n",
    "asks: Pays a bill from the account. { bill: 'rent', euros: 900 } once\npays rent, 900 euros, as bills-11/call_3\n",
    "pay call_3: success by Ada\nBoth bills are paid.\n"
  ],
  "30-timers.ts": [
    "03-29T06:00  report of 2026-03-29: 2 trials\n",
    "04-07T12:00  Bob, shall we go on?\n04-07T12:00  report of 2026-04-07: 2 trials\n04-07T12:01  Ada is a customer\n",
    "04-10T12:01  Bob is gone\n"
  ],
  "29-coding-assistant.ts": [
    "refused by the rule path.outside",
    '✗ remove_file denied: {"error":"never remove a test"}',
    '"stdout":"all is well\\n"',
    "export const sum = (a, b) => a + b\n"
  ],
  "31-cluster.ts": [
    "charging 4900 cents\nanother runner has joined; the first one ends\nstill asked: Ship it? receipt for a chair\nshipped\n"
  ],
  "32-durable.ts": [
    "charging 4900 cents (order-1/2:charge)\nthe first process ends\nstill asked: Ship it? receipt for a chair\nshipped\n",
    "started, charge done, ask asked, resumed, answered, ship done, closed"
  ],
  "37-observability.ts": [
    "invoke_agent guide  ",
    "|- execute_tool weather  ",
    "123 in, 15 out  2 requests\n",
    "/v1/traces: arrived, Bergen: false\n/v1/metrics: arrived, Bergen: false\n"
  ],
  "38-evals.ts": [
    "fresh: passed\nold: passed\nrefunds: 2 of 2 cases passed, 480 tokens",
    "polite    0.850   0.600  -0.250",
    "broken 1 old\nsame 1\nMcNemar p 1.000; differs in: prompt\n",
    "gate: looks up is 0.5 worse than before, and may be 0 (old)\ngate: 1 broken and 0 fixed (old)\n"
  ]
}

describe("examples", () => {
  const files = readdirSync(`${root}examples`).filter((file) => file.endsWith(".ts"))

  it("all have an expectation here", () => {
    assert.deepStrictEqual(files.toSorted(), Object.keys(said).toSorted())
  })

  for (const file of files) {
    it(`${file} runs offline`, async () => {
      const { PATH = "", HOME = "" } = process.env
      const { stderr, stdout } = await promisify(execFile)(
        process.execPath,
        ["--conditions=effigent:source", `examples/${file}`],
        { cwd: root, env: { PATH, HOME } }
      )
      assert.strictEqual(stderr, "")
      for (const text of said[file] ?? []) assert.include(stdout, text)
    })
  }
})
