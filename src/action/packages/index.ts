/** `effigent/action/packages`: ready-made actions over what acts on the world. */

/** Commands and code: over `CommandRunner` and `CodeRunner`. @category modules */
export * as CommandActions from "./Commands.ts"
/** Files: over a `Workspace`. @category modules */
export * as WorkspaceActions from "./Workspace.ts"

/** HTTP: over `HttpAccess`. @category modules */
export * as HttpActions from "./Http.ts"

/** Databases: over `SqlAccess`. @category modules */
export * as SqlActions from "./Sql.ts"
