/** `effigent/layers/mcp`: the Model Context Protocol, both sides. */

/** Connecting to servers: their tools as actions, their resources and prompts. @category modules */
export * as Mcp from "./Mcp.ts"

/** Configuration files that name servers. @category modules */
export * as McpConfig from "./McpConfig.ts"

/** Being a server: actions, agents and flows for other programs' models. @category modules */
export * as McpOffer from "./McpOffer.ts"

/** The servers of a program as one service. @category modules */
export * as McpServers from "./McpServers.ts"
