"""The catalogue as pages of Markdown: one per report and an index.

`python -m sentry_connector.reports.pages DIRECTORY` writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.menus import LABELS
from sentry_connector.reports.model import Column, Need, Report

INDEX = "README.md"
SYSTEM_COLUMNS = (
    "Every table also has `_host`, `_run_id`, `_extracted_at` and `_extra` "
    "(JSON: fields that the catalogue does not know, and values that did not fit)."
)


def render(report: Report) -> str:
    """The page of a report."""
    sections = (
        f"# {report.name}",
        report.about,
        _bullets(_facts(report)),
        "## Menus",
        _menus(report),
        "## Columns",
        _table(
            ("column", "type", "key", "meaning", "in Sentry's answer"), (_row(report, each) for each in report.columns)
        ),
        SYSTEM_COLUMNS,
        *_left_out(report),
        *_notes(report),
    )
    return "\n\n".join(sections) + "\n"


def render_index(reports: Sequence[Report] = CATALOGUE) -> str:
    """The page that lists the reports, in the order of the catalogue."""
    table = _table(
        ("report", "rows", "scope", "menus"),
        (
            (f"[{report.name}]({report.slug}.md)", _cell(report.about), f"`{report.scope}`", _menu_names(report))
            for report in reports
        ),
    )
    return f"# Reports\n\nWhat can be pulled from Sentry, with the scope that a token needs for it.\n\n{table}\n"


def pages(reports: Sequence[Report] = CATALOGUE) -> dict[str, str]:
    """File name → text of every page, the index included."""
    return {INDEX: render_index(reports)} | {f"{report.slug}.md": render(report) for report in reports}


def write_pages(directory: Path) -> None:
    """Write the index and every report's page into the directory, which is made if missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (directory / name).write_text(page, encoding="utf-8", newline="\n")


def _facts(report: Report) -> Iterable[str]:
    yield f"Name for commands: `{report.slug}`" + "".join(f", also “{alias}”" for alias in report.aliases)
    yield f"Scope that the token needs: `{report.scope}`"
    yield f"Key: {_codes(report.key)}"
    if report.time_column:
        yield f"Dates apply to: `{report.time_column}`"
    yield f"Update methods: replace, append, upsert{', partition' if report.immutable_time else ''}"
    yield f"Read from: {_codes(dict.fromkeys(endpoint.path for endpoint in report.endpoints))}"
    yield f"Check: {report.check}. {report.check_about}"
    if report.bodies:
        yield "Full event bodies: `--with-bodies`"
    if report.docs:
        yield f"Sentry's own page: <{report.docs}>"


def _menus(report: Report) -> str:
    if not report.menus:
        return "None: the report needs no choice."
    lines = [f"{LABELS[menu]}{' (optional)' if need is Need.OPTIONAL else ''}" for menu, need in report.menus.items()]
    if report.stats:
        lines.append(f"Choices of Stat: {_codes(report.stats)}; the first is the default")
    return _bullets(lines)


def _menu_names(report: Report) -> str:
    return ", ".join(LABELS[menu] for menu in report.menus) or "none"


def _row(report: Report, column: Column) -> tuple[str, ...]:
    about = _cell(column.about) + (" Not counted as a change of the row." if column.noise else "")
    return f"`{column.name}`", column.type.value, "yes" if column.name in report.key else "", about, _origin(column)


def _origin(column: Column) -> str:
    """Where a value comes from: the first of these paths that is there."""
    if column.is_ours:
        return "found out by the connector"
    return _codes(column.paths) if column.paths else "what was asked for"


def _left_out(report: Report) -> Iterable[str]:
    if report.left_out:
        yield "## Left out"
        yield _table(("field", "why"), ((f"`{path}`", _cell(reason)) for path, reason in report.left_out.items()))


def _notes(report: Report) -> Iterable[str]:
    if report.notes:
        yield "## Notes"
        yield _bullets(report.notes)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    """Text that cannot end its cell of a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
