/**
 * What a web page says, as text for a model: headings, lists and links as Markdown, no scripts, no styles. It is a reader,
 * not a browser: one pass over the page, in time proportional to its length, whatever stands in it.
 */

const skipped = new Set(["script", "style", "template", "svg", "noscript", "iframe", "object", "math", "canvas"])
const blocks = new Set(
  "address article aside blockquote body br dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section select table tbody td th thead title tr ul".split(
    " "
  )
)

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  copy: "©",
  reg: "®",
  trade: "™",
  laquo: "«",
  raquo: "»",
  ldquo: "“",
  rdquo: "”",
  lsquo: "‘",
  rsquo: "’",
  bull: "•",
  middot: "·",
  euro: "€",
  times: "×",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  Auml: "Ä",
  Ouml: "Ö",
  Uuml: "Ü",
  szlig: "ß",
  eacute: "é",
  egrave: "è",
  agrave: "à"
}

const decode = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]{2,8}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name] ?? whole
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    const isCharacter = point > 0 && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff)
    return isCharacter ? String.fromCodePoint(point) : "\ufffd"
  })

const linkOf = (tag: string, base: string): string | undefined => {
  const found = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(tag.slice(0, 4000))
  const text = decode(found?.[1] ?? found?.[2] ?? found?.[3] ?? "").trim()
  if (text === "" || text.startsWith("#") || !URL.canParse(text, base)) return undefined
  const url = new URL(text, base)
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : undefined
}

/** The text of a page that came from `base`. */
export const textOf = (html: string, base: string): string => {
  // Letters of ASCII alone, so that places in both are the same.
  const lower = html.replace(/[A-Z]+/g, (text) => text.toLowerCase())
  const parts: Array<string> = []
  let link: string | undefined
  let pre = 0
  // What was found further on is still the next one: so all searches together go through the page once.
  const ahead = new Map<string, number>()
  const endOf = (what: string, from: number) => {
    const known = ahead.get(what)
    if (known !== undefined && known >= from) return known
    const at = lower.indexOf(what, from)
    const end = at < 0 ? html.length : at
    ahead.set(what, end)
    return end
  }
  const say = (text: string) => {
    if (text === "") return
    parts.push(pre > 0 ? decode(text) : decode(text.replace(/[ \t\r\n\f]+/g, " ")))
  }
  const close = () => {
    if (link !== undefined) parts.push(`](${link})`)
    link = undefined
  }
  for (let at = 0; at < html.length;) {
    const open = endOf("<", at)
    say(html.slice(at, open))
    if (open === html.length) break
    if (lower.startsWith("<!--", open)) {
      at = endOf("-->", open + 4) + 3
      continue
    }
    const end = endOf(">", open)
    const tag = html.slice(open, end)
    const name = /^<\/?([a-z][a-z0-9]{0,20})/i.exec(tag)?.[1]?.toLowerCase() ?? ""
    at = end + 1
    const isEnd = tag.startsWith("</")
    if (name === "" && !/^<[!?/]/.test(tag)) {
      // A lonely "<" is text.
      parts.push("<")
      at = open + 1
    } else if (!isEnd && skipped.has(name) && !tag.endsWith("/")) {
      at = endOf(">", endOf(`</${name}`, at)) + 1
    } else if (name === "a") {
      close()
      link = isEnd ? undefined : linkOf(tag, base)
      if (link !== undefined) parts.push("[")
    } else if (name === "pre") {
      pre = isEnd ? Math.max(0, pre - 1) : pre + 1
      parts.push("\n")
    } else if (name === "td" || name === "th") {
      parts.push(isEnd ? " | " : "")
    } else if (blocks.has(name)) {
      parts.push(name === "br" || name === "li" || name === "tr" ? "\n" : "\n\n")
      if (!isEnd && name === "li") parts.push("- ")
      if (!isEnd && /^h[1-6]$/.test(name)) parts.push(`${"#".repeat(Number(name[1]))} `)
    }
  }
  close()
  const lines = parts.join("").split("\n")
  const kept: Array<string> = []
  for (const line of lines) {
    const text = line.trimEnd().replace(/^ +(?=\S)/, (spaces) => (spaces.length > 3 ? spaces : ""))
    if (text.trim() !== "" || (kept.length > 0 && kept.at(-1) !== "")) kept.push(text.trim() === "" ? "" : text)
  }
  return kept.join("\n").trim()
}
