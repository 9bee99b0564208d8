/** Where actions run that do not run in the program's own fibers: workers, child processes, commands, code. */

/** Which arguments commands may be given, with rules for common ones. */
export * as Arguments from "./Arguments.ts"
/** Commands of this machine, as far as a policy allows them. */
export * as CommandRunners from "./CommandRunners.ts"
/** Pieces of code, each in a fresh directory. */
export * as CodeRunners from "./CodeRunners.ts"
/** Where calls of actions run: in this process, in workers, in child processes. */
export * as Executors from "./Executors.ts"
