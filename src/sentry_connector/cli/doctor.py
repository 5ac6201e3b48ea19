"""`doctor`: everything that a run needs, looked at piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AccountName, AsJson, typer_app
from sentry_connector.cli.output import message, print_json, print_line
from sentry_connector.cli.tables import print_table
from sentry_connector.errors import EXIT_UNEXPECTED, ConnectorError
from sentry_connector.operations import accounts
from sentry_connector.operations import doctor as operations
from sentry_connector.sentry.doctor import Check

app = typer_app()

OnlyStorage = Annotated[
    bool, typer.Option("--storage", help="Look at the tables' storage alone, without asking Sentry.")
]


@app.command()
def doctor(account: AccountName = None, *, storage: OnlyStorage = False, as_json: AsJson = False) -> None:
    """Look at everything that a run needs: URL, DNS, TLS, token, scopes, organizations, limits, clock, storage.

    The storage is tried: of those who write under one name only the first may succeed. What is written for it is deleted again.
    The exit code is that of the first check that fails.
    """
    with connector() as house:
        look = (
            operations.doctor_of_storage(house)
            if storage
            else operations.doctor(house, accounts.connection(house, account))
        )
        checks = asyncio.run(look)
    if as_json:
        print_json(operations.checks_view(checks))
    else:
        _print(checks)
    raise typer.Exit(_exit_code(checks))


def _print(checks: Sequence[Check]) -> None:
    rows = [[check.name, _state(check), check.error, message(check.message)] for check in checks]
    print_table(["check", "state", "error", "found"], rows)
    for check in checks:
        if check.remedy:
            print_line(f"{check.name}: {message(check.remedy)}")


def _state(check: Check) -> str:
    if check.ok:
        return "warning" if check.remedy else "ok"
    return "FAILED" if check.error else "not checked"


def _exit_code(checks: Sequence[Check]) -> int:
    """The code of the first error; 0 where there is none."""
    first = next((check.error for check in checks if check.error), None)
    if first is None:
        return 0
    return next((error.exit_code for error in _tree(ConnectorError) if error.name == first), EXIT_UNEXPECTED)


def _tree(error: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _tree(kind)
