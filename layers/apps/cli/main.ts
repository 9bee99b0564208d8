#!/usr/bin/env node
/**
 * The process of the command line. It begins with nothing but Node, so that it can say what is missing: a newer Node, or
 * the packages that it stands on.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

const fail = (message: string): never => {
  process.stderr.write(`✗ ${message}\n`)
  process.exit(4)
}

if (major < 22 || (major === 22 && minor < 19))
  fail(
    `effigent needs Node 22.19 or newer, and this is ${process.versions.node}. Install a newer one: https://nodejs.org`
  )

// Node's notes on its own features (type stripping, SQLite) are no business of those who run a command.
process.removeAllListeners("warning")
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") process.stderr.write(`${warning.name}: ${warning.message}\n`)
})

try {
  const { start } = await import("./process.ts")
  start()
} catch (error) {
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(String(error))?.[1]
  if (missing === undefined) throw error
  const { alone } = await import("./Begin.ts")
  const code = await alone(process.argv.slice(2))
  if (code !== undefined) process.exit(code)
  fail(`The package ${missing} is missing. Run: npm install effect @effect/platform-node`)
}

export {}
