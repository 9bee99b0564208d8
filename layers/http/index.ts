/** `effigent/layers/http`: agents and flows over HTTP. */

/** Who may use a server. @category modules */
export * as Auth from "./Auth.ts"

/** Who asks, while a request is answered: the id of the principal, or the address. @category references */
export { Client } from "./Serving.ts"

/** The server, the web handler and the typed client. @category modules */
export * as Http from "./Http.ts"

/** The web handler for programs that do not use Effect. @category modules */
export { mount, type Mounted } from "./Mount.ts"

/** A web handler as a listener of Node's own `http`. @category modules */
export { nodeListener } from "./NodeListener.ts"

/** What went wrong, as problem details. @category modules */
export { Problem } from "./Problem.ts"
