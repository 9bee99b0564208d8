/** `effigent/layers/http`: agents and flows over HTTP. */

/** Who may use a server. @category modules */
export * as Auth from "./Auth.ts"

/** The server, the web handler and the typed client. @category modules */
export * as Http from "./Http.ts"

/** What went wrong, as problem details. @category modules */
export { Problem } from "./Problem.ts"
