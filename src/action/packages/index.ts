/** `effigent/action/packages`: ready-made actions over what acts on the world. */

/** Commands and code: over `CommandRunner` and `CodeRunner`. @category modules */
export * as CommandActions from "./Commands.ts"
