// Tests read the sources, not the build: the export condition resolves `effigent` to the .ts files.
import { defineConfig } from "vitest/config"

const conditions = ["effigent:source"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/postgresServer.ts", "test/support/studioPages.ts"],
    exclude: ["**/node_modules/**", "test/bench/**"],
    testTimeout: 30_000,
    hookTimeout: 30_000
  }
})
