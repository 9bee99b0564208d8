// The demo model writes as fast as it can: imported before everything else by tests of long answers.
process.env["EFFIGENT_DEMO_DELAY"] = "0"

export {}
