"""The command line: one face of the operations. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import gc
import io
import sys
from importlib.abc import MetaPathFinder

from sentry_connector import __version__


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
    # Arrow loads pandas, where it is installed, at the first value that it converts: 0.15 s and 50 MiB, which no command needs.
    sys.meta_path.insert(0, _Without("pandas"))
    # Pages become many objects and no cycles; looking for those as often as Python does by itself is a tenth of a run's time.
    gc.set_threshold(50_000, 20, 20)
    if sys.argv[1:] == ["--version"]:  # scripts ask it often, and Typer takes ten times as long to load as to answer
        print_version()
        return
    from sentry_connector.cli.root import app  # noqa: PLC0415  # the package is imported by each of its modules

    app()


def print_version() -> None:
    """Tell which version this is."""
    print(f"sentry-connector {__version__}")  # noqa: T201  # the command line prints


class _Without(MetaPathFinder):
    """Makes a package look as if it were not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse the package; leave all others to the other finders."""
        if fullname == self._package:
            raise ModuleNotFoundError(name=fullname)
