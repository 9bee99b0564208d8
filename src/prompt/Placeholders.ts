/**
 * Placeholders in the texts of prompt files: `${name}` stands for a mapped value, `${INPUT.path}` for a pointer to another
 * slot. Every text is read once, so that nothing that was filled in is read again.
 */

const placeholder = /\$\{\s*([^${}]+?)\s*\}/g
const whole = /^\$\{\s*([^${}]+?)\s*\}$/

const sections: { readonly [slot: string]: string } = {
  SYSTEM: "SYSTEM",
  DEVELOPER: "DEVELOPER",
  INFO: "INFO",
  INSTRUCT: "INSTRUCT",
  EXAMPLES: "EXAMPLES",
  INPUT: "INPUT",
  OUTPUT: "OUTPUT REQUIREMENT"
}

// A pointer to a slot: `[INPUT > items[0] > name]`; absent where the name is no slot.
const pointer = (name: string): string | undefined => {
  const [slot = "", ...path] = name.split(".")
  const key = slot.toUpperCase()
  const section = Object.hasOwn(sections, key) ? sections[key] : undefined
  return section === undefined ? undefined : `[${[section, ...path].join(" > ")}]`
}

const asText = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

const fillText = (text: string, mappings: { readonly [name: string]: unknown }): unknown => {
  const name = whole.exec(text)?.[1]
  if (name !== undefined && Object.hasOwn(mappings, name)) return mappings[name]
  return text.replace(placeholder, (all, name: string) =>
    Object.hasOwn(mappings, name) ? asText(mappings[name]) : (pointer(name) ?? all)
  )
}

/**
 * A value with its placeholders filled: a text that is one placeholder and nothing else takes the mapped value as it is,
 * one among other text its text; a name that is neither mapped nor a slot stays as it stands. Keys are filled as well.
 *
 * @category rendering
 */
export const fill = (value: unknown, mappings: { readonly [name: string]: unknown }): unknown => {
  if (typeof value === "string") return fillText(value, mappings)
  if (Array.isArray(value)) return value.map((item) => fill(item, mappings))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [asText(fillText(key, mappings)), fill(item, mappings)])
  )
}
