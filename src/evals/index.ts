/** `effigent/evals`: how good agents, flows and functions are: datasets, scorers, runs with reports, comparisons, gates. */

/** What scores actions and performance. @category modules */
export * as ActionScorer from "./ActionScorer.ts"
/** Cases with their expected answers. @category modules */
export * as Dataset from "./Dataset.ts"
/** Models as judges. @category modules */
export * as Judge from "./Judge.ts"
/** What a run leaves behind. @category modules */
export * as Report from "./Report.ts"
/** What says how good an answer is. @category modules */
export * as Scorer from "./Scorer.ts"
/** The statistics of reports and comparisons. @category modules */
export * as Statistics from "./Statistics.ts"
/** Reports beside each other. @category modules */
export * as Compare from "./Compare.ts"
/** Evals: made, run, asserted. @category modules */
export * as Evals from "./Evals.ts"
/** What a report has to reach. @category modules */
export * as Gate from "./Gate.ts"
/** Reports and comparisons for people. @category modules */
export * as Tables from "./Tables.ts"
