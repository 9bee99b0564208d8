/**
 * Texts for regular expressions: a small reader of patterns that writes the shortest text it can see to match. It knows
 * what contracts use (classes, groups, alternatives, repetition, anchors); for the rest it has no answer. What it writes
 * is to be checked by the pattern itself.
 */

type Node =
  | { readonly _tag: "Chars"; readonly chars: string }
  | { readonly _tag: "Either"; readonly options: ReadonlyArray<ReadonlyArray<Node>> }
  | { readonly _tag: "Repeat"; readonly node: Node; readonly min: number; readonly max: number }

const letters = "abcdefghijklmnopqrstuvwxyz"
const digits = "0123456789"
// What stands for "any character", in the order of preference.
const alphabet = `${letters}${letters.toUpperCase()}${digits} -_.:,/@#+`

const escapes: { readonly [letter: string]: string } = {
  d: "1234567890",
  w: `${letters}${letters.toUpperCase()}${digits}_`,
  s: " ",
  D: letters,
  W: " -",
  S: alphabet.replace(" ", ""),
  n: "\n",
  t: "\t",
  r: "\r"
}

// Thrown by the reader for what it does not know, and caught where it was called.
class Unknown extends Error {}

class Reader {
  private at = 0
  private readonly source: string

  constructor(source: string) {
    this.source = source
  }

  pattern(): Node {
    const node = this.alternatives()
    if (this.at < this.source.length) throw new Unknown()
    return node
  }

  private peek(): string {
    return this.source.charAt(this.at)
  }

  private eat(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false
    this.at += text.length
    return true
  }

  private alternatives(): Node {
    const options = [this.sequence()]
    while (this.eat("|")) options.push(this.sequence())
    return { _tag: "Either", options }
  }

  private sequence(): ReadonlyArray<Node> {
    const nodes: Array<Node> = []
    while (this.at < this.source.length && this.peek() !== "|" && this.peek() !== ")") {
      const node = this.atom()
      if (node !== undefined) nodes.push(this.repeated(node))
    }
    return nodes
  }

  private atom(): Node | undefined {
    if (this.eat("^") || this.eat("$") || this.eat("\\b") || this.eat("\\B")) return undefined
    if (this.eat("(")) {
      const ahead = this.eat("?=") || this.eat("?!") || this.eat("?<=") || this.eat("?<!")
      if (!ahead && !this.eat("?:") && this.eat("?<")) this.at = this.source.indexOf(">", this.at) + 1
      const inner = this.alternatives()
      if (!this.eat(")")) throw new Unknown()
      return ahead ? undefined : inner
    }
    if (this.eat("[")) return { _tag: "Chars", chars: this.charClass() }
    if (this.eat(".")) return { _tag: "Chars", chars: alphabet }
    if (this.eat("\\")) return { _tag: "Chars", chars: this.escaped() }
    const char = String.fromCodePoint(this.source.codePointAt(this.at) ?? 0)
    this.at += char.length
    return { _tag: "Chars", chars: char }
  }

  private escaped(): string {
    const letter = this.peek()
    this.at++
    const unicode = letter === "u" ? /^\{?([0-9a-fA-F]{4,6})\}?/.exec(this.source.slice(this.at)) : null
    if (unicode?.[1] !== undefined) {
      this.at += unicode[0].length
      return String.fromCodePoint(Number.parseInt(unicode[1], 16))
    }
    if (letter === "p") {
      const property = /^\{([^}]*)\}/.exec(this.source.slice(this.at))
      if (property === null) throw new Unknown()
      this.at += property[0].length
      const name = property[1] ?? ""
      return name.startsWith("Lu") ? letters.toUpperCase() : name.startsWith("N") ? digits : letters
    }
    if (/[1-9k]/.test(letter)) throw new Unknown()
    return escapes[letter] ?? letter
  }

  private charClass(): string {
    const negated = this.eat("^")
    let chars = ""
    while (!this.eat("]")) {
      if (this.at >= this.source.length) throw new Unknown()
      const from = this.eat("\\") ? this.escaped() : this.source.charAt(this.at++)
      if (this.peek() === "-" && this.source.charAt(this.at + 1) !== "]" && from.length === 1) {
        this.at++
        const to = this.eat("\\") ? this.escaped() : this.source.charAt(this.at++)
        for (let code = from.charCodeAt(0); code <= to.charCodeAt(0) && chars.length < 200; code++) {
          chars += String.fromCharCode(code)
        }
      } else chars += from
    }
    const allowed = negated ? [...alphabet].filter((char) => !chars.includes(char)).join("") : chars
    if (allowed === "") throw new Unknown()
    return allowed
  }

  private repeated(node: Node): Node {
    const found = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.source.slice(this.at))?.[0]
    if (found === undefined) return node
    this.at += found.length
    this.eat("?")
    if (found === "*") return { _tag: "Repeat", node, min: 0, max: Infinity }
    if (found === "+") return { _tag: "Repeat", node, min: 1, max: Infinity }
    if (found === "?") return { _tag: "Repeat", node, min: 0, max: 1 }
    const [min = "0", max] = found.slice(1, -1).split(",")
    return {
      _tag: "Repeat",
      node,
      min: Number(min),
      max: max === undefined ? Number(min) : max === "" ? Infinity : Number(max)
    }
  }
}

// A walk through the alphabet of each class, so that a text of several characters is not one character repeated.
const write = (node: Node, extra: number, seed: { value: number }): string => {
  switch (node._tag) {
    case "Chars":
      return node.chars.charAt(seed.value++ % node.chars.length)
    case "Either": {
      const option = node.options[node.options.length === 1 ? 0 : seed.value % node.options.length] ?? []
      return option.map((part) => write(part, extra, seed)).join("")
    }
    case "Repeat":
      return Array.from({ length: Math.min(node.max, node.min + extra, 200) }, () =>
        write(node.node, extra, seed)
      ).join("")
  }
}

/**
 * Texts that may match a pattern, short ones first; none where the pattern cannot be read. `seed` varies them.
 *
 * @category sampling
 */
export const samples = (source: string, seed: number): ReadonlyArray<string> => {
  try {
    const node = new Reader(source).pattern()
    const out = [0, 1, 2, 4, 8, 16, 32].flatMap((extra) => [
      write(node, extra, { value: 0 }),
      write(node, extra, { value: seed % 7 })
    ])
    return [...new Set(out)]
  } catch (error) {
    if (error instanceof Unknown) return []
    throw error
  }
}
