/** What composes several layers, for use in other programs. */

/** Picks a model from the environment. @category modules */
export * as ModelProviders from "./ModelProviders.ts"
