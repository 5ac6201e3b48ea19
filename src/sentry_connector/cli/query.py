"""`query`: read-only SQL over the DataSets."""

from __future__ import annotations

from typing import Annotated

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli.files import TABLE, FileOptions, print_json_of, print_table_of
from sentry_connector.cli.options import AsJson, typer_app, with_options
from sentry_connector.cli.output import counted
from sentry_connector.operations.export import STANDARD_OUTPUT
from sentry_connector.operations.query import run_query

app = typer_app()


@app.command()
@with_options(files=FileOptions)
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; each DataSet is a view under its slug.")],
    files: FileOptions,
    *,
    as_json: AsJson = False,
) -> None:
    """Run one read-only SELECT over the DataSets. --format can also be `table`, the default on standard output.

    connector.datasets and connector.runs tell what DataSets there are, and what became of each run.
    """
    with connector() as house:
        print_rows_of(house, sql, files, as_json=as_json)


def print_rows_of(house: App, sql: str, files: FileOptions, *, as_json: bool) -> None:
    """Run a statement, and bring its rows to where the options say; a terminal gets a table."""
    for_people = files.output == STANDARD_OUTPUT and files.format_name in (None, TABLE)
    target = None if for_people else files.checked()
    with run_query(house, sql) as reader:
        if target is not None:
            written = target.write(reader.schema, reader)
            summary = {"rows": written.rows, "format": target.format_name, "output": target.output}
            target.tell(summary, counted(written.rows, "row"), as_json=as_json)
        elif as_json:
            print_json_of(reader.schema, reader)
        else:
            print_table_of(reader.schema, reader)
