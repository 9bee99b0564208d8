/** State that a team shares: isolated while members work, merged with nothing lost, conflicts told. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Agent } from "effigent"
import { Action, Actions } from "effigent/action"
import { Team } from "effigent/team"
import { ScriptedModel } from "effigent/testing"
import * as State from "../../src/team/State.ts"

const { text, toolCalls } = ScriptedModel

const Board = Schema.Struct({ count: Schema.Int, title: Schema.String, notes: Schema.Array(Schema.String) })
const initial = { count: 0, title: "", notes: [] }
const board = Team.state("board", Board, { initial })

const increment = Action.make("increment", {
  description: "Counts.",
  run: () => board.update((state) => ({ ...state, count: state.count + 1 }))
})

const caller = (times: number, ...actions: ReadonlyArray<typeof increment>) =>
  Agent.make({}).pipe(
    Agent.provideModel(
      ScriptedModel.layer([
        toolCalls(Array.from({ length: times }, () => ({ name: String(actions[0]?.name), input: {} }))),
        text("done")
      ])
    ),
    Actions.use(actions)
  )

const retitle = (title: string) =>
  Action.make("retitle", {
    description: "Sets the title.",
    run: () => Effect.flatMap(board.get, (state) => board.set({ ...state, title }))
  })

describe("the state of a team", () => {
  it.effect("S26 five members at once, each with an increment: five", () =>
    Effect.gen(function* () {
      const member = (name: string) => Team.member(name, caller(1, increment), { description: "Counts." })
      const team = Team.make({
        name: "five",
        mode: "broadcast",
        state: board,
        members: [member("a"), member("b"), member("c"), member("d"), member("e")]
      })
      const { conflicts, state } = yield* Team.whole(team, "Count.")
      assert.strictEqual(state.count, 5)
      assert.deepStrictEqual(conflicts, [])
    })
  )

  it.effect("S26 five calls at once in one turn of one member: five", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "one",
        mode: "broadcast",
        state: board,
        members: [Team.member("a", caller(5, increment), { description: "Counts." })]
      })
      assert.strictEqual((yield* Team.whole(team, "Count.")).state.count, 5)
    })
  )

  it.effect("members of a team inside count in the state of the team around it", () =>
    Effect.gen(function* () {
      const inner = Team.make({
        name: "inner",
        mode: "broadcast",
        state: board,
        members: [
          Team.member("c", caller(1, increment), { description: "Counts." }),
          Team.member("d", caller(1, increment), { description: "Counts." })
        ]
      })
      const outer = Team.make({
        name: "outer",
        mode: "broadcast",
        state: board,
        members: [
          Team.member("a", caller(1, increment), { description: "Counts." }),
          Team.member("inner", inner, { description: "Counts twice." })
        ]
      })
      assert.strictEqual((yield* Team.whole(outer, "Count.")).state.count, 3)
    })
  )

  it.effect("two values for one place: the first stands, the other is a conflict", () =>
    Effect.gen(function* () {
      const team = Team.make({
        name: "two",
        mode: "broadcast",
        concurrency: 2,
        state: board,
        members: [
          Team.member("a", caller(1, retitle("A")), { description: "Titles." }),
          Team.member("b", caller(1, retitle("B")), { description: "Titles." })
        ]
      })
      const { conflicts, state } = yield* Team.whole(team, "Title.")
      assert.strictEqual(conflicts.length, 1)
      const other = state.title === "A" ? "B" : "A"
      assert.deepStrictEqual(conflicts[0], {
        member: other.toLowerCase(),
        path: "/title",
        kept: state.title,
        refused: other
      })
    })
  )

  it.effect("outside of a team the state is a layer of its own", () =>
    Effect.gen(function* () {
      yield* Action.call(increment, {})
      assert.strictEqual((yield* board.get).count, 1)
    }).pipe(Effect.provide(Team.stateLayer(board)))
  )
})

const codec = State.codecOf(board)
const start = Result.getOrThrow(codec.encode(initial))

describe("merging", () => {
  // A small generator with a seed: the same seed, the same programs.
  const random = (seed: number) => {
    let state = seed
    return (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
  }

  it("S26 updates of any members, merged in any order, are all there", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed)
      let shared = start
      let total = 0
      const notes: Array<string> = []
      const open: Array<{ readonly name: string; readonly copy: State.Isolated<typeof Board.Type> }> = []
      for (let step = 0; step < 40; step++) {
        const what = next(3)
        if (what === 0 || open.length === 0) {
          open.push({ name: `m${step}`, copy: new State.Isolated(codec, shared) })
        } else if (what === 1) {
          const { copy, name } = open[next(open.length)] ?? assert.fail("there is one")
          const by = next(10)
          total += by
          notes.push(`${name}.${step}`)
          copy.updateNow((state) => ({
            ...state,
            count: state.count + by,
            notes: [...state.notes, `${name}.${step}`]
          }))
        } else {
          const [done] = open.splice(next(open.length), 1)
          if (done === undefined) continue
          const { conflicts, json } = State.merged(codec, done.name, shared, done.copy.work)
          assert.deepStrictEqual(conflicts, [])
          shared = json
        }
      }
      for (const { copy, name } of open) shared = State.merged(codec, name, shared, copy.work).json
      const end = Result.getOrThrow(codec.decode(shared))
      assert.strictEqual(end.count, total, `seed ${seed}`)
      assert.deepStrictEqual(end.notes.toSorted(), notes.toSorted(), `seed ${seed}`)
    }
  })

  it("what was set in different places is joined; an update that no longer fits is told", () => {
    const Small = Schema.Struct({
      n: Schema.Int.check(Schema.isLessThanOrEqualTo(1)),
      a: Schema.String,
      b: Schema.String
    })
    const small = State.codecOf(Team.state("small", Small, { initial: { n: 0, a: "", b: "" } }))
    const base = Result.getOrThrow(small.encode({ n: 0, a: "", b: "" }))
    const copies = [new State.Isolated(small, base), new State.Isolated(small, base)]
    copies[0]?.setNow({ n: 0, a: "A", b: "" })
    copies[1]?.setNow({ n: 0, a: "", b: "B" })
    for (const copy of copies) copy.updateNow((state) => ({ ...state, n: state.n + 1 }))
    let shared = base
    const conflicts = copies.flatMap((copy, index) => {
      const done = State.merged(small, `m${index}`, shared, copy.work)
      shared = done.json
      return done.conflicts
    })
    assert.deepStrictEqual(shared, { n: 1, a: "A", b: "B" })
    assert.strictEqual(conflicts.length, 1)
    assert.strictEqual(conflicts[0]?.member, "m1")
  })

  it("a typed merge makes one of two", () => {
    const summed = State.codecOf(
      Team.state("summed", Schema.Int, { initial: 0, merge: (base, mine, current) => current + (mine - base) })
    )
    const copy = new State.Isolated(summed, 1)
    copy.setNow(5)
    assert.deepStrictEqual(State.merged(summed, "m", 10, copy.work), { json: 14, conflicts: [] })
  })
})
