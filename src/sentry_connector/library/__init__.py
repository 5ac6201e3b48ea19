"""The library: `sentry_connector.pull(...)` for one report, `sentry_connector.open()` for everything else. No global state."""
