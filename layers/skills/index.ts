/** The skill stores of this room under one name. */

/** Skills in folders with a `SKILL.md`. @category layers */
export * as FolderSkills from "./FolderSkills.ts"
