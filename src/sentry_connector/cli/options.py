"""Options that several commands share, and how a group of them becomes one parameter of a command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from sentry_connector.datasets import times
from sentry_connector.errors import UnknownName, UsageError

Word = TypeVar("Word", bound=StrEnum)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, errors too.")]
AccountName = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="The stored account to ask with; by default SENTRY_AUTH_TOKEN."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WaitLock = Annotated[
    str, typer.Option("--wait-lock", metavar="TIME", help="How long to wait for another process, such as 30s.")
]

seconds = times.seconds
"""The seconds of an option's time."""


def typer_app() -> typer.Typer:
    """An app for the commands of one module, whose help is plain text."""
    return typer.Typer(rich_markup_mode=None, add_completion=False)


def with_options(**groups: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the named parameters of a command become the options that the fields of a dataclass describe.

    Args:
        **groups: parameter → dataclass whose fields are annotated as Typer's options are, each with a default.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**given: Any) -> None:
            made = {
                name: group(**{field.name: given.pop(field.name) for field in dataclasses.fields(group)})
                for name, group in groups.items()
            }
            command(**given, **made)

        call.__signature__ = inspect.Signature(list(_parameters(command, groups)))  # type: ignore[attr-defined]
        return call

    return decorate


def _parameters(command: Callable[..., None], groups: dict[str, type[Any]]) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if name in groups:
            yield from _fields(groups[name])
        else:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _fields(group: type[Any]) -> Iterator[inspect.Parameter]:
    hints = typing.get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; without one the consent must be in the call.

    Raises:
        UsageError: nobody can be asked.
        typer.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("This needs a consent, and there is no terminal to ask on.", remedy="Repeat with --yes.")
    typer.confirm(question, abort=True, err=True)


def read_secret(what: str, otherwise: str | None = None) -> str:
    """What is piped to standard input, else `otherwise`, else what is typed unseen; without the blanks around it."""
    if sys.stdin.isatty():
        return str(otherwise or typer.prompt(what, hide_input=True, err=True)).strip()
    return sys.stdin.read().strip() or otherwise or ""


def one_of(words: type[Word], kind: str, given: str | None) -> Word | None:
    """The word that was given; None where none was.

    Raises:
        UnknownName: it is none of these.
    """
    if given is None:
        return None
    if given not in list(words):
        raise UnknownName(kind, given, list(words))
    return words(given)
