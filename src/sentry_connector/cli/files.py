"""Rows to files, pipes and terminals: the options --format, --output and --profile."""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sentry_connector.cli.output import json_text, note, print_json
from sentry_connector.errors import UnknownName, UsageError, nearest
from sentry_connector.formats.model import FORMATS, Profile, Summary
from sentry_connector.operations.export import STANDARD_OUTPUT, check_output, is_special, write

if TYPE_CHECKING:
    import pyarrow as pa

BINARY = {"parquet", "arrow", "xlsx"}
"""Formats that no terminal can show."""

TABLE = "table"
"""The format for people, which is no file's."""

MOST_ROWS = 1000
"""Rows that a table shows; more are for files and pipes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileOptions:
    """Where rows go, as given."""

    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl, csv, parquet, arrow or xlsx; by default what the output's extension says, else jsonl.",
        ),
    ] = None
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="A file, or - for standard output.")
    ] = STANDARD_OUTPUT
    profile: Annotated[
        str, typer.Option(metavar="data|spreadsheet", help="Whom the file is for; in `spreadsheet` formulas are inert.")
    ] = Profile.DATA.value

    def checked(self) -> Target:
        """The target, before anything is asked of Sentry.

        Raises:
            UnknownName: no such format or profile.
            UsageError: the format cannot go to that output.
        """
        if self.profile not in list(Profile):
            raise UnknownName("profile", self.profile, list(Profile))
        target = Target(format_name=self._format(), output=self.output, profile=Profile(self.profile))
        check_output(target.output, target.format_name)
        if target.format_name in BINARY and target.to_standard_output and sys.stdout.isatty():
            raise UsageError(
                f"{target.format_name} is not for terminals.",
                remedy=f"Give --output FILE.{target.format_name}, or pipe the output.",
            )
        return target

    def _format(self) -> str:
        """The given format, else the one that the file's extension names, else JSON Lines.

        Raises:
            UnknownName: the extension names no format, which is for its user to clear up.
        """
        if self.format_name:
            return self.format_name
        extension = Path(self.output).suffix.removeprefix(".").lower()
        if not extension or is_special(self.output):
            return "jsonl"
        if extension not in FORMATS:
            offered = ", ".join(nearest(extension, FORMATS) or FORMATS)
            raise UnknownName("format", extension, remedy=f"Say which with --format: {offered}.")
        return extension


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where rows go: a format that exists, an output that can take it, and whom it is for."""

    format_name: str
    output: str
    profile: Profile

    @property
    def to_standard_output(self) -> bool:
        """Whether standard output is taken by the rows."""
        return self.output == STANDARD_OUTPUT

    def write(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, whole: bool = True) -> Summary:
        """Write the rows; what could not be kept in this format is told on standard error.

        Raises:
            DiskFull, DestinationRefused: it could not be written; no file appears.
        """
        summary = write(
            batches, schema, format_name=self.format_name, output=self.output, profile=self.profile, whole=whole
        )
        if summary.cut_cells:
            note(f"{summary.cut_cells} texts are longer than {self.format_name} takes; they are cut and marked.")
        if summary.inert_cells:
            note(f"{summary.inert_cells} texts begin like a formula; an apostrophe makes them inert.")
        return summary

    def tell(self, summary: Mapping[str, Any], line: str, *, as_json: bool) -> None:
        """Say what was done: a line on standard error, or JSON, on standard output unless the rows are there."""
        if not as_json:
            note(line)
        elif self.to_standard_output:
            print(json_text(summary, indent=None), file=sys.stderr)  # noqa: T201  # the command line prints
        else:
            print_json(summary)


def print_table_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """The rows as a table on standard output; those beyond a thousand are left out, and that is told."""
    from sentry_connector.cli.tables import print_rows  # noqa: PLC0415  # loads Rich, which files do without

    every = (list(row.values()) for batch in batches for row in batch.to_pylist())
    rows = list(itertools.islice(every, MOST_ROWS))
    print_rows(schema.names, rows)
    if not rows:
        note("No rows.")
    if next(every, None) is not None:
        note(f"These are the first {MOST_ROWS} rows; --format jsonl gives all.")


def print_json_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """The rows as one JSON array on standard output."""
    from sentry_connector.formats.writer import open_writer  # noqa: PLC0415  # loads Arrow

    lines = io.BytesIO()
    with open_writer("jsonl", lines, schema) as writer:
        for batch in batches:
            writer.write(batch)
    print_json([json.loads(line) for line in lines.getvalue().splitlines()])
