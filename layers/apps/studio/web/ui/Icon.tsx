/** The icons of the studio: 16 units square, drawn with the colour of the text around them. */

const paths = {
  logo: "M4 4.5h8M4 8h5.5M4 11.5h8",
  agents:
    "M8 2.5v2M4 4.5h8a1.5 1.5 0 0 1 1.5 1.5v5a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 11V6A1.5 1.5 0 0 1 4 4.5ZM5.75 8v1.25M10.25 8v1.25",
  flows: "M2.5 2.5h4v3h-4zM9.5 6.5h4v3h-4zM2.5 10.5h4v3h-4zM6.500 4h1.500v8H6.500M8 8h1.500",
  executions: "M2.500 4h1M6 4h7.500M2.500 8h1M6 8h7.500M2.500 12h1M6 12h7.500",
  traces: "M2.500 3.500h6M4.500 6.500h6M7 9.500h4M9.500 12.500h4",
  evals: "M3 13V9M6.500 13V5M10 13V7.500M13.250 13V3",
  approvals:
    "M8 2.250 12.750 4v4c0 2.800-2 4.800-4.750 5.750C5.250 12.800 3.250 10.800 3.250 8V4zM5.750 8 7.500 9.750 10.500 6.500",
  sun: "M8 5.250a2.750 2.750 0 1 0 0 5.500 2.750 2.750 0 0 0 0-5.500ZM8 1.500V3M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1.050 1.050M11.550 11.550l1.050 1.050M3.400 12.600l1.050-1.050M11.550 4.450l1.050-1.050",
  moon: "M13.250 9.500A5.500 5.500 0 0 1 6.500 2.750a5.500 5.500 0 1 0 6.750 6.750Z",
  system: "M2.500 3h11v7.500h-11zM6 13.500h4M8 10.500v3",
  keyboard: "M1.750 4.250h12.500v7.500H1.750zM4 6.750h.010M6.700 6.750h.010M9.300 6.750h.010M12 6.750h.010M5 9.250h6",
  menu: "M2.500 4.500h11M2.500 8h11M2.500 11.500h11",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.500 5.500v-3h8v8h-3M2.500 5.500h8v8h-8z",
  check: "M3 8.500 6.500 12 13 4.500",
  send: "M8 13V3M4 7l4-4 4 4",
  stop: "M4.500 4.500h7v7h-7z",
  right: "M6 3.500 10.500 8 6 12.500",
  down: "M3.500 6 8 10.500 12.500 6",
  fork: "M4.500 3.500v4a2 2 0 0 0 2 2h5M9 7l2.500 2.500L9 12M4.500 12.500v-5",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9ZM10.250 10.250 13.500 13.500",
  play: "M5 3.500v9l7.500-4.500z",
  tool: "M9.500 3.250a3.250 3.250 0 0 0-3 4.500L2.750 11.500l1.750 1.750L8.250 9.500a3.250 3.250 0 0 0 4.250-4L10.500 7.500 8.500 5.500l2-2a3.300 3.300 0 0 0-1-.250Z",
  alert: "M8 2.250 14.250 13H1.750zM8 6.500v3M8 11.250h.010",
  plus: "M8 3v10M3 8h10",
  trash: "M3 4.500h10M6 4.500v-2h4v2M4.250 4.500l.500 9h6.500l.500-9",
  back: "M10 3.500 5.500 8l4.500 4.500",
  empty: "M2.500 9h3l1 2h3l1-2h3M4 3.500h8l1.500 5.500v4h-11V9z"
} as const

export type IconName = keyof typeof paths

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg aria-hidden className="icon" fill="none" height="16" viewBox="0 0 16 16" width="16">
    <path d={paths[name]} stroke="currentColor" strokeLinecap="round" strokeLinejoin="round" strokeWidth="1.4" />
  </svg>
)
