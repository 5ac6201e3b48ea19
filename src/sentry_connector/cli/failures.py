"""The one place where a command's failure becomes words and an exit code; never a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from sentry_connector.cli.output import note, print_error
from sentry_connector.errors import ConnectorError, UsageError, of_the_system

INTERRUPTED = 128 + 2
TERMINATED = 128 + 15
BROKEN_PIPE = 128 + 13
"""Exit codes of programs that a signal ends, as shells count them: SIGINT, SIGTERM, SIGPIPE."""

LOG = "command-line"
"""Name of the log of what should not happen, among the runs' logs."""


@dataclass(slots=True)
class _Stop:
    by_sigterm: bool = False


def reporting(work: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command and answer its exit code; what goes wrong is told, on standard output where JSON is wanted.

    Args:
        work: the command; it may answer an exit code.
        as_json: errors are JSON.
    """
    with _sigterm_like_ctrl_c() as stop:
        try:
            code = work() or 0
        except ConnectorError as error:
            print_error(error.as_dict(), as_json=as_json)
            return error.exit_code
        except typer.TyperException as error:
            print_error(_usage(error).as_dict(), as_json=as_json)
            return UsageError.exit_code
        except (typer.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except BaseException as error:
            known = of_the_system(error)
            if known is None and not isinstance(error, Exception):
                raise
            told = known or _unexpected(error)  # a defect of ours; the traceback goes to the log
            print_error(told.as_dict(), as_json=as_json)
            return told.exit_code
        if code == INTERRUPTED:
            note(
                "Stopped; what was finished is kept." if stop.by_sigterm else "Interrupted; what was finished is kept."
            )
        return TERMINATED if code == INTERRUPTED and stop.by_sigterm else int(code)


def broken_pipe() -> int:
    """The reader of our output has gone (`| head`): nothing more can be said there, and nothing is wrong.

    Returns:
        The exit code.
    """
    # Python flushes standard output once more at its end, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def _usage(error: typer.TyperException) -> UsageError:
    """A call that Typer refused, in our words."""
    context = getattr(error, "ctx", None)
    remedy = f"`{context.command_path} --help` lists what it takes." if context else None
    return UsageError(error.format_message(), remedy=remedy)


def _unexpected(error: BaseException) -> ConnectorError:
    place = _logged(error)
    where = f"The traceback is in {place}." if place else "The traceback could not be written."
    return ConnectorError(f"{type(error).__name__}. {where}", remedy="Please report this with that file.")


def _logged(error: BaseException) -> Path | None:
    """Where the traceback was written, without secrets; None where that failed too."""
    # Imported here, where they are needed once in a blue moon, so that the command line starts fast.
    from sentry_connector.redact import Redactor  # noqa: PLC0415
    from sentry_connector.runs.log import log_path, process_log  # noqa: PLC0415
    from sentry_connector.settings import from_environment  # noqa: PLC0415

    with contextlib.suppress(OSError, ConnectorError):
        settings = from_environment(os.environ)
        with process_log(settings.home / "logs", LOG, Redactor(settings.secrets)) as log:
            log.error("unexpected", exc_info=error)
        return log_path(settings.home / "logs", LOG)
    return None


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[_Stop]:
    """SIGTERM stops a command as Ctrl-C does: cleanly, leases given back, so that the run can be gone on with."""
    stop = _Stop()

    def handle(_number: int, frame: Any) -> None:
        stop.by_sigterm = True
        interrupt = signal.getsignal(signal.SIGINT)  # within asyncio.run it cancels the work
        if not callable(interrupt):
            raise KeyboardInterrupt
        interrupt(signal.SIGINT, frame)

    try:
        before = signal.signal(signal.SIGTERM, handle)
    except ValueError:  # only the main thread gets signals
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
