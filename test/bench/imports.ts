/** P8: what importing the main entry costs, against the six core modules of Effect; each import in a process of its own. */
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "../../scripts/build.ts"
import { child, type Figure, figure, median, root } from "./measure.ts"
import { addressOf } from "./peers.ts"

const rounds = 9
const core = ["Effect", "Stream", "Schema", "Layer", "Context", "Schedule"].map((name) => `effect/${name}`)

const milliseconds = (specifiers: ReadonlyArray<string>): number => {
  const imports = specifiers.map((specifier) => `await import(${JSON.stringify(specifier)})`).join("\n")
  const program = `const since = performance.now()\n${imports}\nconsole.log(performance.now() - since)\nprocess.exit(0)`
  return Number(child(["--input-type=module", "--eval", program], root))
}

/** Measures the built package, as a consumer imports it, and apart from `dist`. */
export const measure = async (): Promise<ReadonlyArray<Figure>> => {
  const folder = ".cache/bench"
  const built = await build(root, folder)
  if (built.code !== 0) throw new Error(`npm run build fails:\n${built.output}`)
  const contenders: Record<string, ReadonlyArray<string>> = {
    effigent: [pathToFileURL(join(root, folder, "src/index.js")).href],
    "six Effect modules": core,
    "effect (barrel)": ["effect"],
    ai: [addressOf("ai")]
  }
  const samples: Record<string, Array<number>> = {}
  // The first round fills the file cache and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, specifiers] of Object.entries(contenders)) {
      const time = milliseconds(specifiers)
      if (round > 0) (samples[name] ??= []).push(time)
    }
  }
  const { effigent = NaN, ...peers } = Object.fromEntries(
    Object.entries(samples).map(([name, times]) => [name, median(times)])
  )
  return [
    figure({
      id: "P8",
      value: effigent,
      unit: "ms",
      bound: 1.3 * (peers["six Effect modules"] ?? NaN),
      anchor: "1.3x the import of six Effect modules",
      peers
    })
  ]
}
