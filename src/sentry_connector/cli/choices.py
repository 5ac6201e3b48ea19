"""`choices`: what a menu offers now."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AccountName, AsJson, typer_app
from sentry_connector.cli.output import print_json
from sentry_connector.cli.tables import print_table
from sentry_connector.errors import UsageError
from sentry_connector.operations import accounts
from sentry_connector.operations import choices as operations
from sentry_connector.operations.choices import Choice

app = typer_app()


@app.command()
def choices(
    menu: Annotated[str, typer.Argument(metavar="MENU", help="organizations, projects, teams or stats.")],
    account: AccountName = None,
    organization: Annotated[
        list[str] | None, typer.Option(metavar="SLUG", help="Only what belongs to it; repeat for several.")
    ] = None,
    report: Annotated[
        str | None, typer.Option("--report", metavar="REPORT", help="The report whose stats are listed.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List what a menu offers now, as the account sees it."""
    found = _stats(report) if menu == "stats" else _asked(menu, account, organization or [])
    if as_json:
        print_json([msgspec.structs.asdict(one) for one in found])
        return
    print_table(["value", "label", "parent"], [[one.value, one.label, one.parent] for one in found])


def _stats(report: str | None) -> list[Choice]:
    if report is None:
        raise UsageError("Each report has stats of its own.", remedy="Give --report, such as events-counts-project.")
    return operations.stats(report)


def _asked(menu: str, account: str | None, organizations: list[str]) -> list[Choice]:
    operations.check_menu(menu)
    with connector() as house:
        connection = accounts.connection(house, account)
        return asyncio.run(operations.choices(house, connection, menu, organizations))
