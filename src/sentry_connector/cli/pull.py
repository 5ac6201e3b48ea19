"""`pull`: one report, straight to a file or standard output."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.details import DetailsOptions, filled_from_environment
from sentry_connector.cli.files import FileOptions, Target
from sentry_connector.cli.options import AccountName, AsJson, typer_app, with_options
from sentry_connector.cli.output import counted, note, note_days
from sentry_connector.cli.progress import shown_progress
from sentry_connector.errors import RunIncomplete
from sentry_connector.operations import accounts
from sentry_connector.operations import pull as operations
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Report
from sentry_connector.sentry.client import Connection

app = typer_app()


@app.command()
@with_options(options=DetailsOptions, files=FileOptions)
def pull(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="Name, alias or slug.")],
    options: DetailsOptions,
    files: FileOptions,
    account: AccountName = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many rows.")] = None,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say what would be read, how, and how long it should take.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read one report, straight to a file or standard output. Nothing is stored.

    A file appears whole or not at all; where something is missing, it is left as FILE.partial and the exit code is 40.
    """
    found = catalogue.find(report)
    with connector() as house:
        details = filled_from_environment(options.applied_to(Details()), found, house.settings)
        details = menus.check(found, details, storing=False)
        target = files.checked()
        connection = accounts.connection(house, account)
        if explain:
            from sentry_connector.cli.explain import print_explained  # noqa: PLC0415  # loads Rich, which rows do without

            plan = asyncio.run(operations.explain(found, details, connection, house, limit=limit))
            print_explained(plan, found, limit, as_json=as_json)
            return
        summary = asyncio.run(_pull(found, details, connection, house, target, limit))
    _tell(summary, target, as_json=as_json)
    if summary["incomplete"]:
        raise typer.Exit(RunIncomplete.exit_code)


async def _pull(
    report: Report, details: Details, connection: Connection, house: App, target: Target, limit: int | None
) -> dict[str, Any]:
    """Read, write, and answer the summary."""
    began = house.clock.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        with shown_progress(report.name) as progress:
            reading = operations.pull(
                report, details, connection, house, progress=progress, limit=limit, on_windows=note_days
            )
            pulled = await stack.enter_async_context(reading)
        target.write(pulled.schema, pulled.batches(), whole=not pulled.incomplete)
    return {
        "report": report.slug,
        "verdict": "INCOMPLETE" if pulled.incomplete else "COMPLETE",
        "limited": pulled.limited,
        "rows": pulled.rows,
        "requests": progress.requests,
        "bytes": progress.bytes,
        "seconds": round(house.clock.monotonic() - began, 3),
        "waited_seconds": round(progress.waited_seconds, 3),
        "windows": list(pulled.windows),
        "warnings": list(pulled.warnings),
        "incomplete": [{"scope": one.label, "reason": one.reason} for one in pulled.incomplete],
        "format": target.format_name,
        "output": target.output,
    }


def _tell(summary: dict[str, Any], target: Target, *, as_json: bool) -> None:
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    for one in summary["incomplete"]:
        note(f"Missing: {one['scope']}: {one['reason']}")
    limited = ", limited by request" if summary["limited"] else ""
    figures = (
        f"{counted(summary['rows'], 'row')}, {counted(summary['requests'], 'request')}, {summary['seconds']:.1f} s"
    )
    target.tell(summary, f"{figures}, {summary['verdict']}{limited}", as_json=as_json)
