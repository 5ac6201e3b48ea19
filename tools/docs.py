"""Writes the generated pages under docs/, or checks that they are up to date (`--check`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from sentry_connector import errors
from sentry_connector.reports import pages
from sentry_connector.settings import SETTINGS

DOCS = Path(__file__).parent.parent / "docs"


def generated() -> dict[Path, str]:
    """Every generated page: its path and its text."""
    reports = {DOCS / "reports" / name: text for name, text in pages.pages().items()}
    return reports | {DOCS / "settings.md": settings_page(), DOCS / "errors.md": errors_page()}


def settings_page() -> str:
    """One row per setting."""
    rows = "\n".join(f"| `{one.variable}` | {one.about} | {one.default} |" for one in SETTINGS)
    return (
        "# Settings\n\n"
        "Every setting comes from the environment; `sentry-connector settings` prints those in force, secrets hidden.\n\n"
        "| variable | meaning | default |\n|---|---|---|\n" + rows + "\n"
    )


def errors_page() -> str:
    """One row per error, in the order of the tree."""
    rows = "\n".join(
        f"| `{one.name}` | {one.exit_code} | {'yes' if one.retryable else 'no'} | {first_line(one)} | {one.default_remedy} |"
        for one in tree(errors.ConnectorError)
        if "name" in vars(one)
    )
    return (
        "# Errors\n\n"
        "Each error has a name that programs can rely on, an exit code, and a remedy. The command line prints\n"
        "`error NAME: message` and the remedy to standard error, and with `--json` an object `error` to standard output.\n\n"
        "| name | exit code | may help to repeat | meaning | what to do |\n|---|---|---|---|---|\n" + rows + "\n\n"
        "Exit code 0 means done and complete. An interrupt ends with 130, a termination with 143; the run can be gone on with.\n"
    )


def tree(root: type[errors.ConnectorError]) -> Iterator[type[errors.ConnectorError]]:
    """The error and everything below it, in the order of their definition."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def first_line(one: type) -> str:
    """The first paragraph of the docstring in one line."""
    return " ".join((one.__doc__ or "").partition("\n\n")[0].split()).replace("|", "\\|")


def main() -> int:
    """Write, or check."""
    wanted = generated()
    if "--check" not in sys.argv[1:]:
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    stale += [path for path in (DOCS / "reports").glob("*.md") if path not in wanted]
    for path in stale:
        print(f"{path.relative_to(DOCS.parent)} is not up to date: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
