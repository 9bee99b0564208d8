/** The pages of the studio as files: found beside the package, whether it runs from its sources or built. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { dirname, extname, join, resolve, sep } from "node:path"
import { own } from "../cli/Manifest.ts"

/** The folder of the package that this module belongs to. @category reading */
export const packageFolder = (): string => {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json")) && existsSync(join(at, "docs"))) return at
    if (dirname(at) === at) return import.meta.dirname
  }
}

/** Where the pages are built to. @category reading */
export const defaultFolder = (): string => join(packageFolder(), "dist", "studio")

/** The version of the package. @category reading */
export const version = (): string => own().version

const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json"
}

/** Headers of every page: nothing of elsewhere is loaded, and nobody frames it. @category constants */
export const headers = {
  "content-security-policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
} as const

/** A plain page that says something. @category constructors */
export const plain = (status: number, title: string, text: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1><p>${text}</p></body></html>\n`,
    { status, contentType: "text/html; charset=utf-8", headers: { ...headers, "cache-control": "no-store" } }
  )

const unbuilt = plain(
  503,
  "The pages of the studio are not built",
  "Run <code>npm run build</code> in the folder of effigent and load this page again. The API is at <code>/studio</code> and <code>/api</code>."
)

// What a path names inside a folder; nothing where it leads out of it.
const inside = (folder: string, path: string): string | undefined => {
  let name: string
  try {
    name = decodeURIComponent(path)
  } catch {
    return undefined
  }
  if (name.includes("\0") || name.includes("\\")) return undefined
  const file = resolve(folder, `.${name}`)
  return file === folder || file.startsWith(folder + sep) ? file : undefined
}

const read = (file: string): Effect.Effect<Uint8Array | undefined> =>
  Effect.promise(() => readFile(file).catch(() => undefined))

/** Whether the name of a file has a hash of what is in it. @category guards */
const isHashed = (path: string): boolean => /^\/assets\/.*[-.][\w-]{8,}\.\w+$/.test(path)

/**
 * Answers with a file of the folder; every other path is one of the page itself, which knows its own paths.
 *
 * @category handlers
 */
export const respond = (folder: string, path: string): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.gen(function* () {
    const extension = extname(path)
    const named = extension === "" ? undefined : inside(folder, path)
    const found = named === undefined ? undefined : yield* read(named)
    if (found !== undefined)
      return HttpServerResponse.uint8Array(found, {
        contentType: types[extension] ?? "application/octet-stream",
        headers: {
          ...headers,
          "cache-control": isHashed(path) ? "public, max-age=31536000, immutable" : "no-cache"
        }
      })
    if (extension !== "" && path.startsWith("/assets/"))
      return plain(404, "Not found", "There is no such file. Load the page again: it may have been built anew.")
    const index = yield* read(join(folder, "index.html"))
    if (index === undefined) return unbuilt
    return HttpServerResponse.uint8Array(index, {
      contentType: types[".html"] ?? "",
      headers: { ...headers, "cache-control": "no-cache" }
    })
  })
