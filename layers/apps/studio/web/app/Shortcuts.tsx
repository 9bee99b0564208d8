/**
 * Keys for those who do not want to reach for the mouse: `g` and a letter goes to a page, `/` to the search field, `?`
 * shows them all. They rest while somebody types.
 */
import { useEffect, useState } from "react"
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components"
import { Button } from "../ui/Controls.tsx"
import { go, href, useRoute } from "./Router.tsx"

/** The pages with the letter that goes to each. */
export const places = [
  { key: "a", name: "Agents", path: "agents" },
  { key: "f", name: "Flows", path: "flows" },
  { key: "x", name: "Executions", path: "executions" },
  { key: "t", name: "Traces", path: "traces" },
  { key: "e", name: "Evals", path: "evals" },
  { key: "p", name: "Approvals", path: "approvals" }
] as const

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) ||
    target.closest("[role=listbox], [role=dialog]") !== null)

const others: ReadonlyArray<readonly [keys: ReadonlyArray<string>, what: string]> = [
  [["/"], "Search on this page"],
  [["?"], "Show this help"],
  [["\u2191", "\u2193"], "Move in a list; Page Up, Page Down, Home and End too"],
  [["Enter"], "Open what is selected"],
  [["Ctrl", "Enter"], "Send, from a text field"],
  [["Esc"], "Close a dialog"]
]

const Keys = ({ keys }: { readonly keys: ReadonlyArray<string> }) => (
  <>
    {keys.map((key) => (
      <kbd key={key}>{key}</kbd>
    ))}
  </>
)

export const Shortcuts = () => {
  const [isOpen, setOpen] = useState(false)
  // Behind the dialog nothing can be used: another page closes it.
  const place = useRoute().parts.join("/")
  useEffect(() => setOpen(false), [place])
  useEffect(() => {
    let awaits = Number.NEGATIVE_INFINITY
    const pressed = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (performance.now() - awaits < 1200) {
        awaits = Number.NEGATIVE_INFINITY
        const place = places.find(({ key }) => key === event.key)
        if (place === undefined) return
        event.preventDefault()
        go(href([place.path]))
      } else if (event.key === "g") awaits = performance.now()
      else if (event.key === "?") setOpen(true)
      else if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("main input[type=search]")
        if (field === null) return
        event.preventDefault()
        field.focus()
        field.select()
      }
    }
    const asked = () => setOpen(true)
    // Before controls hear of it, as they keep to themselves what they hear.
    window.addEventListener("keydown", pressed, true)
    window.addEventListener("studio:shortcuts", asked)
    return () => {
      window.removeEventListener("keydown", pressed, true)
      window.removeEventListener("studio:shortcuts", asked)
    }
  }, [])
  return (
    <ModalOverlay className="overlay" isDismissable isOpen={isOpen} onOpenChange={setOpen}>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">Keyboard shortcuts</Heading>
          <dl className="shortcuts">
            {places.map(({ key, name }) => (
              <div key={key}>
                <dt>
                  <Keys keys={["g", key]} />
                </dt>
                <dd>Go to {name}</dd>
              </div>
            ))}
            {others.map(([keys, what]) => (
              <div key={what}>
                <dt>
                  <Keys keys={keys} />
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <div className="dialog-end">
            <Button slot="close">Close</Button>
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
