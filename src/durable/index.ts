/** Durable executions: `effigent/durable`. */
export * as Hosting from "./Hosting.ts"
export * as Keeper from "./Keeper.ts"
export * as Measures from "./Measures.ts"
export * as Operations from "./Operations.ts"
export * as Settings from "./Settings.ts"
/** What must not be done twice. */
export * as Once from "./Once.ts"
