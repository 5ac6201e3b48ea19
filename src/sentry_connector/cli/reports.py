"""`reports`: the catalogue."""

from __future__ import annotations

from typing import Annotated

import typer

from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import print_json, print_line
from sentry_connector.cli.tables import print_fields, print_table
from sentry_connector.operations.views import report_view
from sentry_connector.reports import catalogue
from sentry_connector.reports.model import Need, Report

app = typer_app()


@app.callback(invoke_without_command=True)
def reports(context: typer.Context, *, as_json: AsJson = False) -> None:
    """The catalogue: what can be pulled. Without a command it is listed."""
    if context.invoked_subcommand is None:
        _print_list(as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the reports."""
    _print_list(as_json=as_json)


@app.command()
def show(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="Name, alias or slug.")], *, as_json: AsJson = False
) -> None:
    """Show a report: its menus, scope, key and columns."""
    found = catalogue.find(report)
    view = report_view(found)
    if as_json:
        print_json(view)
        return
    print_fields(
        {
            "name": found.name,
            "slug": found.slug,
            "also": found.aliases,
            "about": found.about,
            "menus": _menus(found),
            "durations": view["durations"],
            "stats": found.stats,
            "scope": found.scope,
            "key": found.key,
            "time column": found.time_column,
            "check": f"{found.check}. {found.check_about}",
            "Sentry's page": found.docs,
        }
    )
    for line in found.notes:
        print_line(f"- {line}")
    print_line("")
    columns = view["columns"]
    print_table(
        ["column", "type", "about", "source"],
        [[one[name] for name in ("name", "type", "about", "source")] for one in columns],
    )


def _print_list(*, as_json: bool) -> None:
    if as_json:
        print_json([report_view(report) for report in catalogue.CATALOGUE])
        return
    print_table(
        ["report", "slug", "menus", "scope", "about"],
        [[report.name, report.slug, _menus(report), report.scope, report.about] for report in catalogue.CATALOGUE],
    )


def _menus(report: Report) -> str:
    """The menus, those that may stay empty in brackets."""
    return ", ".join(menu if need is Need.REQUIRED else f"[{menu}]" for menu, need in report.menus.items())
