/**
 * `npm run build:studio`: bundles the pages of the studio, with all that they need, so that users install no package for
 * them. They stand in `dist/studio`, for a studio that runs from the sources too.
 */
import react from "@vitejs/plugin-react"
import { join } from "node:path"
import { build } from "vite"

/** Where the pages stand. */
export const pages = "layers/apps/studio/web"

/** Bundles the pages below `root` into `outDir` below it; fails with what the bundler says. */
export const buildStudio = async (root: string, outDir = "dist/studio"): Promise<void> => {
  // The plugin for React looks there, and a test run says "test".
  const before = process.env["NODE_ENV"]
  process.env["NODE_ENV"] = "production"
  await build({
    root: join(root, pages),
    // Relative, so that the pages work below any path.
    base: "./",
    configFile: false,
    logLevel: "error",
    mode: "production",
    define: { "process.env.NODE_ENV": JSON.stringify("production") },
    plugins: [react()],
    resolve: { conditions: ["effigent:source", "module", "browser", "production"] },
    build: {
      outDir: join(root, outDir),
      emptyOutDir: true,
      target: "es2023",
      sourcemap: false,
      reportCompressedSize: false,
      chunkSizeWarningLimit: 4096,
      // The pages ask no other host, and the policy of the page allows no inline script.
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0
    }
  }).finally(() => {
    if (before === undefined) delete process.env["NODE_ENV"]
    else process.env["NODE_ENV"] = before
  })
}

if (import.meta.main) await buildStudio(join(import.meta.dirname, ".."))
