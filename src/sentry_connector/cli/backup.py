"""`backup`: a copy of the connector's database, while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentry_connector.app import app as connector
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json
from sentry_connector.operations import backup as operations

app = typer_app()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, which only its owner may read.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the connector's database (SQLite) in one state, whoever writes to it meanwhile.

    It holds accounts with sealed tokens, DataSets and runs; the vault's key and the tables are to be copied beside it.
    """
    target = file.expanduser().absolute()
    with connector() as house:
        size = operations.backup(house, target)
    if as_json:
        print_json({"file": str(target), "bytes": size})
    else:
        note(f"{target}: {size:,} bytes. Keep a copy of the key elsewhere, and copy the tables after this file.")
