"""Every way to fail has its exit code and its words, in one place."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import typer

from sentry_connector.cli.failures import reporting
from sentry_connector.errors import ConnectorError, DetailsError, UnknownName, UsageError
from sentry_connector.simulator import TOKEN


def tree(error: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield error
    for kind in error.__subclasses__():
        yield from tree(kind)


def made(kind: type[ConnectorError]) -> ConnectorError:
    """An error of that class; two of them take more than a message."""
    if issubclass(kind, UnknownName | DetailsError):
        return kind("menu", "wrong")
    return kind("wrong \x1b[31m")


@pytest.mark.parametrize("kind", list(dict.fromkeys(tree(ConnectorError))), ids=lambda kind: kind.__name__)
def test_every_error_ends_with_its_own_code_and_name(
    kind: type[ConnectorError], capsys: pytest.CaptureFixture[str]
) -> None:
    error = made(kind)

    def work() -> None:
        raise error

    assert reporting(work, as_json=False) == error.exit_code > 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error {error.name}: ")
    assert "\x1b" not in printed.err
    assert reporting(work, as_json=True) == error.exit_code
    assert json.loads(capsys.readouterr().out)["error"].keys() >= {"name", "code", "message", "remedy"}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), typer.Abort()])
def test_an_interruption_is_130(interruption: BaseException) -> None:
    def work() -> None:
        raise interruption

    assert reporting(work, as_json=False) == 130


def test_a_secret_in_a_message_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise UsageError(f"wrong: {TOKEN}", remedy=f"not {TOKEN}")

    reporting(work, as_json=False)
    reporting(work, as_json=True)
    printed = capsys.readouterr()
    assert TOKEN not in printed.out + printed.err


def test_a_commands_own_code_stays() -> None:
    assert reporting(lambda: 40, as_json=False) == 40
    assert reporting(lambda: None, as_json=False) == 0
