/** P5, the parser alone: its time against parsers that also tell what is complete, and its memory. */
import assert from "node:assert/strict"
import * as JsonScanner from "../../src/parse/JsonScanner.ts"
import * as Path from "../../src/parse/Path.ts"
import { document, inChunks, scan, seen, shape } from "./items.ts"
import { collect, type Figure, figure, heap, inUse, kept, megabytes, race, slope } from "./measure.ts"
import * as Peers from "./peers.ts"

const jsonRiver =
  ({ parse }: Peers.JsonRiver) =>
  async (chunks: ReadonlyArray<string>) => {
    const source = (async function* () {
      yield* chunks
    })()
    const options = {
      completeCallback: (_: unknown, path: { segments(): ReadonlyArray<unknown> }) => {
        seen.total += path.segments().length
      }
    }
    for await (const value of parse(source, options)) if (value !== undefined) seen.total++
  }

const streamParser =
  ({ JSONParser }: Peers.StreamParser) =>
  (chunks: ReadonlyArray<string>) => {
    const parser = new JSONParser()
    parser.onValue = ({ key }) => {
      seen.total += String(key).length
    }
    for (const chunk of chunks) parser.write(chunk)
  }

const reparse =
  ({ parsePartialJson }: Peers.AiSdk) =>
  async (chunks: ReadonlyArray<string>) => {
    let soFar = ""
    for (const chunk of chunks) {
      soFar += chunk
      if ((await parsePartialJson(soFar)).value !== undefined) seen.total++
    }
  }

const timeFigures = async (): Promise<ReadonlyArray<Figure>> => {
  const river = jsonRiver(await Peers.jsonRiver())
  const stream = streamParser(await Peers.streamParser())
  const partial = reparse(await Peers.aiSdk())
  const results: Array<{ name: string; length: number; times: Record<string, number> }> = []
  for (const [name, size] of [
    ["10KB", 10_000],
    ["100KB", 100_000],
    ["1MB", 1_000_000]
  ] as const) {
    const source = document(size)
    const chunks = inChunks(source)
    // One sample parses a megabyte in all, however small the text, so that warm-up weighs the same for every size.
    const times = 1_000_000 / size
    const repeated = (parse: () => unknown) => async () => {
      for (let time = 0; time < times; time++) await parse()
    }
    const samples = await race(
      {
        effigent: repeated(() => scan(chunks)),
        "jsonriver + completeCallback": repeated(() => river(chunks)),
        "@streamparser/json": repeated(() => stream(chunks)),
        "JSON.parse of the whole": repeated(() => JSON.parse(source))
      },
      { rounds: 9, warmUp: 4 }
    )
    const each: Record<string, number> = Object.fromEntries(
      Object.entries(samples).map(([contender, time]) => [contender, time / times])
    )
    if (size === 10_000) {
      const { again } = await race({ again: () => partial(chunks) }, { rounds: 5, warmUp: 1 })
      each["ai parsePartialJson per chunk"] = again
    }
    results.push({ name, length: source.length, times: each })
  }
  const exponent = slope(results.map(({ length, times }) => [length, times["effigent"] ?? NaN]))
  return results.map(({ name, times: { effigent = NaN, ...peers } }) =>
    figure({
      id: `P5.${name}`,
      value: effigent,
      unit: "ms",
      bound: 0.45 * (peers["jsonriver + completeCallback"] ?? NaN),
      anchor: "0.45x jsonriver with completion callbacks",
      peers,
      ...(name === "1MB" ? { exponent, maxExponent: 1.05 } : {})
    })
  )
}

/** A figure of a parser that reads something else would be worth nothing. */
const verify = async (): Promise<void> => {
  const source = document(20_000)
  const chunks = inChunks(source)
  assert.deepStrictEqual(scan(chunks).result().value, JSON.parse(source))
  const paths: Array<string> = []
  const scanner = JsonScanner.make({ shape })
  for (const event of [...chunks.flatMap((chunk) => scanner.write(chunk)), ...scanner.end("complete")]) {
    if (event._tag === "Field" && event.isComplete) paths.push(event.path)
  }
  const completed: Array<string> = []
  const { parse } = await Peers.jsonRiver()
  const completeCallback = (_: unknown, path: { segments(): ReadonlyArray<string | number> }) => {
    const segments = path.segments()
    if (segments.length > 0) completed.push(Path.print(segments))
  }
  for await (const value of parse(ReadableStream.from(chunks), { completeCallback })) assert.ok(value)
  assert.deepStrictEqual(paths, completed)
}

/** The most that is alive on the heap while a megabyte is parsed, seen at 64 points. */
const memoryFigure = async (): Promise<Figure> => {
  const source = document(1_000_000)
  const chunks = inChunks(source)
  const value = await kept(() => JSON.parse(source))

  scan(chunks)
  const before = await heap()
  let peak = 0
  const scanner = JsonScanner.make({ shape, attempt: 1 })
  const step = Math.ceil(chunks.length / 64)
  for (const [index, chunk] of chunks.entries()) {
    for (const event of scanner.write(chunk)) seen.total += event.path.length
    if (index % step === 0) {
      collect()
      peak = Math.max(peak, inUse() - before)
    }
  }
  seen.total += scanner.end("complete").length
  peak = Math.max(peak, (await heap()) - before)

  return figure({
    id: "P5.peak",
    value: megabytes(peak),
    unit: "MB",
    bound: megabytes(4 * source.length + value),
    anchor: `4x the text (${megabytes(source.length).toFixed(2)} MB) + its value (${megabytes(value).toFixed(2)} MB)`
  })
}

/** Measures. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  await verify()
  return [...(await timeFigures()), await memoryFigure()]
}
