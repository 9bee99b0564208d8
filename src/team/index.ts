/** `effigent/team`: agents that work together. */

/** Teams: members, a mode, limits. @category modules */
export * as Team from "./Team.ts"
