/** `effigent serve`: the agents and flows of the project over HTTP. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import type * as Option from "effect/Option"
import { hostname } from "node:os"
import { dirname } from "node:path"
import { ExecutionHost } from "../../../services/ExecutionHost.ts"
import { ExecutionKeeper } from "../../../services/ExecutionKeeper.ts"
import * as Auth from "../../http/Auth.ts"
import * as Http from "../../http/Http.ts"
import * as SessionStores from "../../store/SessionStores.ts"
import { variable } from "../../terminal/Environment.ts"
import * as Open from "../config/Open.ts"
import type { Project } from "../config/Project.ts"
import { definitionOf } from "../config/Served.ts"
import * as Studio from "../studio/Studio.ts"
import { Usage } from "./Exits.ts"
import * as Flags from "./Flags.ts"
import { ended } from "./Interruption.ts"
import * as Listening from "./Listening.ts"
import { note, Screen } from "./Screen.ts"
import { usualPort as usualStudioPort } from "./StudioCommand.ts"

/** The port that is listened to where none is named. @category constants */
export const usualPort = 4320

// One line of JSON for each thing that is logged, on standard error.
const logs = Logger.layer([Logger.withConsoleError(Logger.formatJson)])

// A line for each answer: a stream is told of as it begins.
const logging = HttpMiddleware.make((app) =>
  Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const begun = yield* Clock.currentTimeMillis
    return yield* Effect.onExit(app, (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.annotateLogs(Effect.logInfo("request"), {
          method,
          path: url.replace(/[?#].*$/s, ""),
          milliseconds: now - begun,
          ...(Exit.isSuccess(exit)
            ? { status: exit.value.status, requestId: exit.value.headers["x-request-id"] }
            : { status: "aborted" })
        })
      )
    )
  })
)

/** A server whose requests are logged. */
const logged = Layer.effect(
  HttpServer.HttpServer,
  Effect.map(HttpServer.HttpServer, ({ address, serve }) =>
    HttpServer.make({ address, serve: (app) => serve(logging(app)) })
  )
)

// `name=token`, or a token alone.
const tokensOf = (given: ReadonlyArray<string>): { readonly [principal: string]: Redacted.Redacted } =>
  Object.fromEntries(
    given.map((text, at) => {
      const [, name = given.length === 1 ? "client" : `client-${at + 1}`, token = ""] =
        /^(?:([\w.-]+)=)?(.*)$/s.exec(text) ?? []
      return [name, Redacted.make(token)]
    })
  )

const servicesOf = (project: Project, options: Open.HostOptions) =>
  Effect.gen(function* () {
    const services = yield* Open.services(project, SessionStores.memory)
    const { host, keeper } = yield* Open.hosting(project, services, options)
    const hosted = Context.add(services, ExecutionHost, host)
    return keeper === undefined ? hosted : Context.add(hosted, ExecutionKeeper, keeper)
  })

// The studio of what is served, at an address of its own.
const studioOf = (opened: Studio.Opened, folder: string, port: Option.Option<number>) =>
  Effect.map(
    Layer.build(
      Studio.serve(opened, { folder }).pipe(Layer.provide(Listening.server("127.0.0.1", port, usualStudioPort)))
    ),
    (built) => Context.get(built, Studio.Studio).url
  )

/** `effigent serve`. @category commands */
export const serve = Command.make(
  "serve",
  {
    port: Listening.port,
    host: Listening.host,
    token: Flag.String("token").pipe(
      Flag.withMetavar("<name=token>"),
      Flag.withDescription(
        "Who may use it: a token, with the name of whom it belongs to; may be given several times. Or EFFIGENT_TOKEN, which processes do not see"
      ),
      Flag.atLeast(0)
    ),
    auth: Flag.Boolean("auth").pipe(
      Flag.withDescription("--no-auth: ask nobody who they are; on this machine alone"),
      Flag.withDefault(true)
    ),
    cors: Flag.String("cors").pipe(
      Flag.withMetavar("<origin>"),
      Flag.withDescription("An origin whose pages may use it; may be given several times"),
      Flag.atLeast(0)
    ),
    disconnect: Flag.Literals("disconnect", ["abort", "detach"]).pipe(
      Flag.withDescription("What becomes of a run when its last reader has left"),
      Flag.withDefault("abort")
    ),
    studio: Flag.Boolean("studio").pipe(
      Flag.withDescription("Open the studio beside it, for this machine alone"),
      Flag.withDefault(false)
    ),
    studioPort: Flag.Int("studio-port").pipe(Flag.withDescription("The port of the studio"), Flag.optional),
    docs: Flag.Boolean("docs").pipe(Flag.withDescription("Serve /openapi.json and /docs"), Flag.withDefault(true))
  },
  ({ auth, cors, disconnect, docs, host, port, studio, studioPort, token }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const screen = yield* Screen
        const { file, project } = yield* Flags.loaded
        const fromEnvironment = yield* variable("EFFIGENT_TOKEN")
        const given = token.length > 0 ? token : fromEnvironment === "" ? [] : [fromEnvironment]
        if (!auth && token.length > 0)
          return yield* new Usage({ detail: "--no-auth and --token exclude each other: say which one you mean." })
        // What base64 ends with is no token behind a name: everybody could guess it.
        if (given.some((text) => /^=*$/.test(text.replace(/^[\w.-]+=/, ""))))
          return yield* new Usage({
            detail: "A token is empty. Give --token name=token; one that ends with = has to have a name before it."
          })
        const named = tokensOf(given)
        if (Object.keys(named).length < given.length)
          return yield* new Usage({ detail: "Two tokens have one name. Give each a name of its own." })
        const isAsked = auth && given.length > 0
        const wrong = cors.find((origin) => !/^https?:\/\/[^/\s]+$/.test(origin))
        if (wrong !== undefined)
          return yield* new Usage({
            detail: `"${wrong}" is no origin. Give --cors https://example.org, without a path.`
          })
        const listening = yield* Layer.build(Listening.server(host, port, usualPort))
        const { address } = Context.get(listening, HttpServer.HttpServer)
        const baseUrl = HttpServer.formatAddress(address)
        if (!isAsked && !NetAddress.isUnixPathAddress(address) && !NetAddress.isLoopback(address.address))
          return yield* new Usage({
            detail: `${baseUrl} may be reached by other machines: give --token name=token, or EFFIGENT_TOKEN, or listen on 127.0.0.1.`
          })
        const asServer = { isServer: true, runner: `${hostname()}:${baseUrl}` }
        const opened = studio ? yield* Studio.open(project, { host: asServer }) : undefined
        const all = opened === undefined ? yield* servicesOf(project, asServer) : opened.services
        const options = { cors, disconnect, docs, ...(isAsked ? { auth: Auth.bearer(named) } : {}) }
        const api = Http.layer(definitionOf(project, { title: "Effigent" }), options)
        // What the agents need is in the Layer of the project, as the type of `defineConfig` says.
        const needed = api as Layer.Layer<never, Http.UnsafeBinding, HttpServer.HttpServer>
        const server = needed.pipe(Layer.provide(logged))
        yield* Effect.provideContext(Layer.build(server), Context.merge(all, listening))
        const beside = opened === undefined ? undefined : yield* studioOf(opened, dirname(file), studioPort)
        yield* screen.json
          ? screen.out(
              `${JSON.stringify({ listening: baseUrl, auth: isAsked, ...(beside === undefined ? {} : { studio: beside }) })}\n`
            )
          : screen.out(`Listening: ${baseUrl}\n${beside === undefined ? "" : `Studio: ${beside}\n`}`)
        yield* note(
          `${isAsked ? "Bearer tokens are asked for." : "Nobody is asked who they are."}${docs ? ` The API: ${baseUrl}/docs` : ""}`
        )
        yield* ended
      })
    ).pipe(
      // Also what handlers log.
      Effect.provide(logs)
    )
).pipe(
  Command.withDescription("Serve the agents and flows of the project over HTTP"),
  Command.withExamples([
    { command: "effigent serve", description: "For programs of this machine" },
    { command: "effigent serve --studio", description: "The same, and a studio that sees what is asked of it" },
    {
      command: "EFFIGENT_TOKEN=ada=secret effigent serve --host 0.0.0.0 --port 8080 --json",
      description: "In a container: logs as JSON lines, the address as the first line of standard output"
    }
  ])
)
