/**
 * The tarball as a check: it is built and packed as for a release, linted, its types are resolved the way a consumer's
 * compiler does, and every entry is imported by plain Node from a folder that has nothing but the tarball and the peers.
 */
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { builtinModules } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, posix, relative, sep } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { build } from "./build.ts"
import { type Finding, parseText, type Report, run, visit } from "./sources.ts"

const about = (message: string, file = "package"): Finding => ({ file, line: 0, message })

const allFiles = (root: string): ReadonlyArray<string> =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))

/** The entries that the exports of package.json offer, as specifiers, with the file that plain Node loads. */
const entriesOf = (root: string): ReadonlyArray<readonly [specifier: string, file: string]> => {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const files = allFiles(root)
  return Object.entries<{ default?: string } | string>(exports).flatMap(([key, target]) => {
    const path = typeof target === "string" ? target : target.default
    if (path === undefined || !path.endsWith(".js")) return []
    const [before = "", after] = posix.normalize(path).split("*")
    const specifier = posix.join(name, key)
    if (after === undefined) return [[specifier, before] as const]
    return files
      .filter((file) => file.startsWith(before) && file.endsWith(after))
      .map((file) => [file.slice(before.length, file.length - after.length), file] as const)
      .filter(([part]) => !part.includes("/"))
      .map(([part, file]) => [specifier.replace("*", part), file] as const)
  })
}

/** The packages that a built module and all that it imports need; `.d.ts` files are followed like `.js` files. */
const packagesOf = (root: string, entry: string): ReadonlyMap<string, string> => {
  const packages = new Map<string, string>()
  const seen = new Set<string>()
  const walk = (file: string): void => {
    if (seen.has(file) || !existsSync(join(root, file))) return
    seen.add(file)
    const follow = (specifier: unknown) => {
      if (typeof specifier !== "string") return
      if (!specifier.startsWith("."))
        packages.set(
          specifier
            .split("/")
            .slice(0, specifier.startsWith("@") ? 2 : 1)
            .join("/"),
          file
        )
      else if (file.endsWith(".js")) walk(posix.join(dirname(file), specifier))
      else walk(posix.join(dirname(file), specifier.replace(/\.(ts|js)$/, ".d.ts")))
    }
    visit(parseText(file, readFileSync(join(root, file), "utf8")), {
      ImportDeclaration: (node) => follow(node.source.value),
      ExportAllDeclaration: (node) => follow(node.source.value),
      ExportNamedDeclaration: (node) => follow(node.source?.value),
      ImportExpression: (node) => follow(node.source.type === "Literal" ? node.source.value : undefined),
      TSImportType: (node) => follow(node.source.value)
    })
  }
  walk(entry)
  return packages
}

const contentFindings = (folder: string, root: string): ReadonlyArray<Finding> => {
  const findings: Array<Finding> = []
  const home = new RegExp(`${root.replace(/[^\w/]/g, "\\$&")}|/home/[a-z]|/Users/[A-Za-z]|file:///`)
  for (const file of allFiles(folder)) {
    if (/\.test\.|(^|\/)(test|examples|scripts|node_modules)\/|tsbuildinfo/.test(file)) {
      findings.push(about("does not belong into the tarball", file))
    }
    if (/\.(js|ts|json|map|md)$/.test(file)) {
      const text = readFileSync(join(folder, file), "utf8")
      const at = text.search(home)
      if (at >= 0)
        findings.push({ file, line: text.slice(0, at).split("\n").length, message: "holds a path of this machine" })
    }
  }
  return findings
}

const lintFindings = async (tarball: Uint8Array): Promise<ReadonlyArray<Finding>> => {
  const buffer = new Uint8Array(tarball).buffer
  const { messages, pkg } = await publint({ pack: { tarball: buffer } })
  return messages
    .filter(({ type }) => type !== "suggestion")
    .map((message) => about(formatMessage(message, pkg, { color: false }) ?? message.code, "package.json"))
}

/** Only what an ES module resolves counts: this package has no CommonJS form and needs Node's own resolution. */
const typesFindings = async (tarball: Uint8Array, entries: ReadonlyArray<string>): Promise<ReadonlyArray<Finding>> => {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)), {
    entrypoints: [...entries]
  })
  if (result.types === false) return [about("the tarball has no types")]
  return result.problems.flatMap((problem) => {
    const kind =
      "resolutionKind" in problem
        ? problem.resolutionKind
        : "resolutionOption" in problem
          ? problem.resolutionOption
          : ""
    if (kind === "node10" || kind === "node16-cjs" || problem.kind === "CJSResolvesToESM") return []
    const place = "entrypoint" in problem ? problem.entrypoint : "fileName" in problem ? problem.fileName : ""
    const detail = "moduleSpecifier" in problem ? ` of "${problem.moduleSpecifier}"` : ""
    return [about(`types: ${problem.kind}${detail} at ${place} (${kind})`)]
  })
}

/** A fresh folder with the tarball and the peers; every entry must load in plain Node. */
const importFindings = async (consumer: string, specifiers: ReadonlyArray<string>): Promise<ReadonlyArray<Finding>> => {
  const code = `const failed = []
for (const specifier of ${JSON.stringify(specifiers)}) {
  try { if (Object.keys(await import(specifier)).length === 0 && !specifier.includes("/services/")) failed.push([specifier, "exports nothing"]) }
  catch (error) { failed.push([specifier, String(error?.message ?? error).split("\\n")[0]]) }
}
console.log(JSON.stringify(failed))
process.exit(0)`
  writeFileSync(join(consumer, "main.mjs"), code)
  const { output, stdout } = await run("node", ["main.mjs"], { cwd: consumer, timeout: 30_000 })
  if (!stdout.startsWith("[")) return [about(`the entries could not be imported: ${output}`)]
  return JSON.parse(stdout).map(([specifier, why]: [string, string]) =>
    about(`import("${specifier}") fails in plain Node: ${why}`)
  )
}

/** The command line of the tarball makes a project, and the project answers, with nothing but the tarball and the peers; the studio has its pages. */
const commandFindings = async (consumer: string, bin: string): Promise<ReadonlyArray<Finding>> => {
  if (!existsSync(join(dirname(bin), "../../../studio/index.html")))
    return [about("the studio has no pages in the tarball")]
  const project = join(consumer, "project")
  for (const [cwd, args] of [
    [consumer, ["--version"]],
    [consumer, ["init", "project"]],
    [project, ["run", "triage", "The printer is on fire!", "--json"]]
  ] as const) {
    const { code, output } = await run("node", [bin, ...args], { cwd, timeout: 30_000 })
    if (code !== 0) return [about(`effigent ${args.join(" ")} fails from the tarball: ${output}`)]
  }
  return []
}

/** Builds, packs and checks the package below `root`. */
export const checkTarball = async (root: string): Promise<Report> => {
  const { code, output } = await build(root)
  if (code !== 0) {
    const errors = output.split("\n")
    return {
      findings: [about(`npm run build fails:\n${errors.slice(0, 5).join("\n")}${errors.length > 6 ? "\n..." : ""}`)]
    }
  }
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const folder = join(root, ".cache/package")
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const packed = await run("npm", ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder], {
    cwd: root
  })
  const file = readdirSync(folder).find((name) => name.endsWith(".tgz"))
  if (file === undefined) return { findings: [about(`npm pack fails: ${packed.output}`)] }
  const tarball = readFileSync(join(folder, file))

  const consumer = mkdtempSync(join(tmpdir(), "consumer-"))
  try {
    const modules = join(consumer, "node_modules")
    mkdirSync(join(modules, manifest.name), { recursive: true })
    const unpacked = await run(
      "tar",
      ["-xzf", join(folder, file), "--strip-components=1", "-C", join(modules, manifest.name)],
      { cwd: root }
    )
    if (unpacked.code !== 0) return { findings: [about(unpacked.output)] }
    for (const peer of Object.keys(manifest.peerDependencies)) {
      if (!existsSync(join(root, "node_modules", peer))) continue
      mkdirSync(dirname(join(modules, peer)), { recursive: true })
      symlinkSync(join(root, "node_modules", peer), join(modules, peer), "junction")
    }
    const installed = join(modules, manifest.name)
    const entries = entriesOf(installed)
    const specifiers = entries.map(([specifier]) => specifier)
    const foreign = ["dist/src/index.js", "dist/src/index.d.ts"].flatMap((entry) =>
      [...packagesOf(installed, entry)]
        .filter(([name]) => name !== "effect")
        .map(([name, by]) =>
          about(
            `the main entry needs ${builtinModules.includes(name) ? "node:" : ""}${name}, and may need effect alone`,
            by
          )
        )
    )
    const missing = existsSync(join(installed, "dist/src/index.js"))
      ? []
      : [about("the build has no main entry, dist/src/index.js")]
    const checks = await Promise.all([
      lintFindings(tarball),
      typesFindings(
        tarball,
        specifiers.map((one) => `.${one.slice(manifest.name.length)}`)
      ),
      importFindings(consumer, specifiers),
      manifest.bin === undefined ? [] : commandFindings(consumer, join(installed, manifest.bin.effigent))
    ])
    const findings = [...missing, ...contentFindings(installed, root), ...foreign, ...checks.flat()]
    return { findings, note: `${Math.round(tarball.length / 1024)} KiB, ${entries.length} entries` }
  } finally {
    rmSync(consumer, { recursive: true, force: true })
  }
}
