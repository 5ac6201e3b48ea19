"""`python -m sentry_connector` is `sentry-connector`."""

from __future__ import annotations

from sentry_connector.cli import main

if __name__ == "__main__":
    main()
