"""The command line: one face of the operations. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run `sentry-connector` with the arguments of this process, and exit with the command's code."""
    # A name or a text of Sentry's that the terminal's encoding lacks must not end a command.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # they are TextIOWrapper here
    if isinstance(sys.stdout.buffer, io.RawIOBase):
        # PYTHONUNBUFFERED takes the buffer away, and a stream without one may write a part of what it is given, without a word.
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(sys.stdout.buffer), encoding=sys.stdout.encoding, errors="backslashreplace"
        )
    from sentry_connector.cli.root import app  # noqa: PLC0415  # the package is imported by each of its modules

    app()
