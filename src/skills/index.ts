/** Skills by the public SKILL.md convention: discovered, told by their descriptions, read on demand. */

/** Skills in prompts, and reading them. @category modules */
export * as Skills from "./Skills.ts"
/** Reads `SKILL.md`. @category modules */
export * as SkillMd from "./SkillMd.ts"
/** Skills as actions. @category modules */
export * as SkillActions from "./SkillActions.ts"
/** Scripts of skills as an action. @category modules */
export * as SkillScripts from "./SkillScripts.ts"
