/** `effigent/config`: what `effigent.config.ts` is written with, for the command line and whatever else serves a project. */

export { defineConfig } from "./Project.ts"
export type { AnyAgent, AnyEval, AnyFlow, Definition, Needs, Platform, Price, Project, ServicesOf } from "./Project.ts"
