/** `effigent/studio`: the project in a browser. */

/** The studio's server. @category modules */
export * as Studio from "./Studio.ts"
/** What its server says: Schemas and paths, for pages and programs of your own. @category modules */
export * as StudioApi from "./Api.ts"
