/**
 * `npm run newcomer`: the path of a new user, timed. It packs this repository, and goes with an empty npm cache from an
 * empty folder to the first answer by the commands that `effigent init` tells. It needs the npm registry.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "newcomer-"))
const run = (cwd: string, command: string, ...args: ReadonlyArray<string>) => {
  const began = performance.now()
  const env = { ...process.env, npm_config_cache: join(folder, "cache"), NODE_OPTIONS: "" }
  execFileSync(command, args, { cwd, env, stdio: ["ignore", "ignore", "inherit"] })
  const seconds = (performance.now() - began) / 1000
  console.log(`${seconds.toFixed(1).padStart(6)} s  ${[command, ...args].join(" ")}`)
  return seconds
}

try {
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: root, stdio: "ignore" })
  const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? ""
  const project = join(folder, "agents")
  const seconds = [
    run(
      folder,
      "npx",
      "--yes",
      "--package",
      `./${tarball}`,
      "effigent",
      "init",
      "agents",
      "--effigent",
      `file:../${tarball}`
    ),
    run(project, "npm", "install"),
    run(project, "npm", "test"),
    run(project, "npx", "effigent", "run", "triage", "The printer is on fire!")
  ]
  const all = seconds.reduce((sum, one) => sum + one, 0)
  console.log(`${all.toFixed(1).padStart(6)} s  from nothing to the first answer (at most 120)`)
  if (all > 120) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
