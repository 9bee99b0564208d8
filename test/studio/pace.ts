// How fast the demo model writes in the tests: imported before the demo project, which reads it once.
process.env["EFFIGENT_DEMO_DELAY"] ??= "10"

export {}
