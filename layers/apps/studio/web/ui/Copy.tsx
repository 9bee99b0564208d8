/** A button that copies a text, and says that it did. */
import { useEffect, useState } from "react"
import { announce } from "../app/Announcer.tsx"
import { IconButton } from "./Controls.tsx"

export const Copy = ({ label, text }: { readonly label: string; readonly text: () => string }) => {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = window.setTimeout(() => setDone(false), 1500)
    return () => window.clearTimeout(timer)
  }, [done])
  const copy = (): void => {
    navigator.clipboard.writeText(text()).then(
      () => {
        setDone(true)
        announce("Copied")
      },
      () => announce("The browser does not allow copying here. Select the text instead.")
    )
  }
  return <IconButton icon={done ? "check" : "copy"} label={done ? "Copied" : label} onPress={copy} />
}
