/** Counting tokens as OpenAI's models do. */
export * as GptTokenizer from "./GptTokenizer.ts"
