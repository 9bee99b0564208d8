/** `effigent studio`: the project in a browser. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { spawn } from "node:child_process"
import { dirname } from "node:path"
import { variable } from "../../terminal/Environment.ts"
import * as Studio from "../studio/Studio.ts"
import * as Flags from "./Flags.ts"
import { ended } from "./Interruption.ts"
import * as Listening from "./Listening.ts"
import { note, Screen } from "./Screen.ts"
import * as Load from "../config/Load.ts"

/** The port that is listened to where none is named. @category constants */
export const usualPort = 4319

// Whether it has opened is the desktop's business.
const browse = (url: string) =>
  Effect.gen(function* () {
    const { platform } = process
    const hasDesktop =
      platform === "darwin" ||
      platform === "win32" ||
      (yield* variable("DISPLAY")) !== "" ||
      (yield* variable("WAYLAND_DISPLAY")) !== ""
    if (!hasDesktop) return
    const [command, ...args] =
      platform === "darwin"
        ? ["open", url]
        : platform === "win32"
          ? ["rundll32", "url.dll,FileProtocolHandler", url]
          : ["xdg-open", url]
    yield* Effect.sync(() => {
      const child = spawn(command ?? "", args, { detached: true, stdio: "ignore" })
      child.on("error", () => {})
      child.unref()
    })
  })

/** `effigent studio`. @category commands */
export const studio = Command.make(
  "studio",
  {
    port: Listening.port,
    host: Listening.host,
    token: Flag.String("token").pipe(
      Flag.withDescription("What the address of the studio has to bring; default: a random one"),
      Flag.filter(
        (token) => /^[\w.~-]+$/.test(token),
        () => "a token has letters, digits, and - _ . ~ alone"
      ),
      Flag.optional
    ),
    open: Flag.Boolean("open").pipe(
      Flag.withDescription("Open it in the browser; default: where a person sits at the terminal"),
      Flag.optional
    )
  },
  ({ host, open, port, token }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const screen = yield* Screen
        const named = yield* Flags.ConfigFile
        const { file, project } = yield* Load.load(yield* Load.find(process.cwd(), Option.getOrUndefined(named)))
        const options = { folder: dirname(file), token: Option.getOrUndefined(token) }
        const layer = Studio.layer(project, { ...options, hosts: [host] }).pipe(
          Layer.provide(Listening.server(host, port, usualPort))
        )
        const { url } = Context.get(yield* Layer.build(layer), Studio.Studio)
        yield* screen.json ? screen.out(`${JSON.stringify({ studio: url })}\n`) : screen.out(`Studio: ${url}\n`)
        yield* note("Ctrl-C ends it.")
        if (Option.getOrElse(open, () => screen.live)) yield* browse(url)
        yield* ended
      })
    )
).pipe(
  Command.withDescription("Look at the agents and flows of the project in a browser, and let them work"),
  Command.withExamples([
    { command: "effigent studio", description: "At an address with a token, which it prints and opens" },
    { command: "effigent studio --port 4000 --no-open", description: "At a port of your own, without a browser" }
  ])
)
