"""How Sentry is asked: `client` speaks HTTP, `wire` knows its forms, `budget` its limits, `directory` who is there."""
