/** The main job of `npm start`: what a support team wants to know of a letter before anybody has read it. */
import * as Schema from "effect/Schema"
import * as Agent from "../../../src/agent/Agent.ts"
import * as Output from "../../../src/output/Output.ts"

const Issue = Schema.Struct({
  title: Output.ensure(Schema.String, "The problem in a few words"),
  detail: Output.ensure(Schema.String, "What happened, with dates, numbers and amounts from the letter"),
  severity: Output.ensure(Schema.Literals(["low", "medium", "high"]), "How much it hurts the customer")
})

/** What a team has to do. @category schemas */
export const Action = Schema.Struct({
  team: Output.ensure(Schema.Literals(["support", "billing", "logistics", "engineering"]), "Who has to act"),
  task: Output.ensure(Schema.String, "What has to be done, as an instruction"),
  due: Schema.optionalKey(Output.field(Schema.String, "Until when, as the letter says it"))
})

/** A triaged letter. @category schemas */
export const Ticket = Schema.Struct({
  subject: Output.ensure(Schema.String, "What the letter is about, in one line"),
  customer: Schema.Struct({
    name: Output.ensure(Schema.String, "Name of the sender"),
    email: Schema.optionalKey(Output.field(Schema.String, "Email address of the sender")),
    phone: Schema.optionalKey(Output.field(Schema.String, "Telephone number of the sender"))
  }),
  order: Schema.optionalKey(Output.field(Schema.String, "Order number")),
  mood: Output.ensure(Schema.Literals(["calm", "annoyed", "angry"]), "The sender's mood"),
  urgency: Output.ensure(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
    "1 can wait, 5 has to be done today"
  ),
  issues: Output.ensure(Schema.Array(Issue), "Every separate problem of the letter", "notEmpty"),
  actions: Output.ensure(Schema.Array(Action), "What has to be done, one entry a task", "notEmpty"),
  reply: Output.ensure(Schema.String, "A first answer to the sender, two or three sentences")
})

/** The agent that triages a letter. @category agents */
export const triage = Agent.make({
  name: "triage",
  system: "You triage letters for the support team of a hardware shop. You are exact and invent nothing.",
  instruct: "Read the letter. Name every separate problem and everything that has to be done.",
  output: Ticket
})
