/** Numbers and times as people read them. Durations are milliseconds, times milliseconds since 1970. */

/** `420 ms`, `3.2 s`, `2 m 05 s`, `1 h 04 m`. */
export const duration = (millis: number | undefined): string => {
  if (millis === undefined) return "\u2013"
  if (millis < 1) return millis <= 0 ? "0 ms" : "<1 ms"
  if (millis < 999.5) return `${Math.round(millis)} ms`
  const seconds = millis / 1000
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, "0")} s`
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} m`
}

const plain = new Intl.NumberFormat("en")

export const count = (value: number | undefined): string => (value === undefined ? "\u2013" : plain.format(value))

/** `1 run`, `2 runs`. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${plain.format(value)} ${value === 1 ? one : many}`

/** `812`, `4.2k`, `1.1M`. */
export const tokens = (value: number | undefined): string => {
  if (value === undefined) return "\u2013"
  if (value < 1000) return String(value)
  if (value < 1_000_000) return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)}k`
  return `${(value / 1_000_000).toFixed(1)}M`
}

/** US dollars. */
export const cost = (value: number | undefined): string => {
  if (value === undefined) return "\u2013"
  if (value === 0) return "$0"
  return value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(value < 1 ? 3 : 2)}`
}

const two = (value: number): string => String(value).padStart(2, "0")

/** `14:03:27` today, `Nov 21, 14:03:27` before. */
export const time = (at: number | undefined, now = Date.now()): string => {
  if (at === undefined) return "\u2013"
  const date = new Date(at)
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  if (date.toDateString() === new Date(now).toDateString()) return clock
  return `${date.toLocaleDateString("en", { month: "short", day: "numeric" })}, ${clock}`
}

/** `14:03:27.120`. */
export const timeExact = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`
}

/** All of it, for titles. */
export const timeFull = (at: number | undefined): string => (at === undefined ? "" : new Date(at).toISOString())
