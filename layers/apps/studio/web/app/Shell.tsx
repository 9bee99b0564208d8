/** What surrounds every page: the way to the others, the theme, and where this page begins for those who use keys. */
import { type ReactNode, useEffect, useRef, useState } from "react"
import { Announcer } from "./Announcer.tsx"
import { href, Link, useRoute } from "./Router.tsx"
import { places, Shortcuts } from "./Shortcuts.tsx"
import { setTheme, type Theme, useTheme } from "./Theme.ts"
import { useWaiting } from "../data/News.ts"
import { Icon } from "../ui/Icon.tsx"
import { IconButton } from "../ui/Controls.tsx"

const nextTheme: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" }
const themeIcon = { system: "system", light: "sun", dark: "moon" } as const

const ThemeButton = () => {
  const theme = useTheme()
  return (
    <IconButton
      icon={themeIcon[theme]}
      label={`Theme: ${theme}. Change to ${nextTheme[theme]}`}
      onPress={() => setTheme(nextTheme[theme])}
    />
  )
}

interface ShellProps {
  readonly project: string
  readonly version: string
  readonly children: ReactNode
}

export const Shell = ({ children, project, version }: ShellProps) => {
  const { parts } = useRoute()
  const waiting = useWaiting()
  const [isOpen, setOpen] = useState(false)
  const main = useRef<HTMLElement>(null)
  const place = parts.slice(0, 2).join("/")
  useEffect(() => {
    setOpen(false)
  }, [place])
  return (
    <div className="shell" data-open={isOpen || undefined}>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          main.current?.focus()
        }}
      >
        Skip to the content
      </a>
      <header className="bar">
        <Link className="brand" to={href([])}>
          <Icon name="logo" />
          <span>Effigent</span>
          <span className="brand-studio">Studio</span>
        </Link>
        <span className="bar-project" title={project}>
          {project}
        </span>
        <IconButton
          aria-expanded={isOpen}
          aria-controls="nav"
          className="bar-menu"
          icon={isOpen ? "close" : "menu"}
          label={isOpen ? "Close the menu" : "Open the menu"}
          onPress={() => setOpen(!isOpen)}
        />
      </header>
      <nav aria-label="Studio" className="nav" id="nav">
        <ul>
          {places.map(({ key, name, path }) => (
            <li key={path}>
              <Link
                aria-current={(parts[0] ?? "agents") === path ? "page" : undefined}
                aria-keyshortcuts={`g ${key}`}
                className="nav-link"
                to={href([path])}
              >
                <Icon name={path} />
                <span>{name}</span>
                {path === "approvals" && waiting.length > 0 ? (
                  <span className="nav-count">
                    {waiting.length}
                    <span className="sr-only"> waiting</span>
                  </span>
                ) : null}
                <span aria-hidden className="nav-keys">
                  g {key}
                </span>
              </Link>
            </li>
          ))}
        </ul>
        <div className="nav-foot">
          <span className="nav-version">{version === "" ? "" : `v${version}`}</span>
          <IconButton
            icon="keyboard"
            label="Keyboard shortcuts"
            onPress={() => window.dispatchEvent(new Event("studio:shortcuts"))}
          />
          <ThemeButton />
        </div>
      </nav>
      <main className="main" id="main" ref={main} tabIndex={-1}>
        {children}
      </main>
      <Announcer />
      <Shortcuts />
    </div>
  )
}
