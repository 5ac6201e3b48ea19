"""The options that describe a DataSet, beside its details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UnknownName


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinitionOptions:
    """What a DataSet is, as given: None where an option was left out."""

    update_method: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="replace (default), append, upsert or partition."),
    ] = None
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A key column; repeat for several; by default the report's."),
    ] = None
    keep_days: Annotated[int | None, typer.Option(metavar="N", help="Partition: drop days older than this.")] = None
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="For people.")] = None
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="For people; repeat for several.")] = None
    keep_when_empty: Annotated[
        bool | None,
        typer.Option("--keep-when-empty/--no-keep-when-empty", help="Replace: a run with no rows changes nothing."),
    ] = None
    accept_loss: Annotated[
        bool | None,
        typer.Option("--accept-loss/--no-accept-loss", help="Replace: a run may drop rows outside its days."),
    ] = None

    def changes(self) -> dict[str, Any]:
        """Fields of `Definition` with what was given.

        Raises:
            UnknownName: no such update method.
        """
        given = {
            "update_method": _update_method(self.update_method),
            "key": tuple(self.key) if self.key else None,
            "keep_days": self.keep_days,
            "description": self.description,
            "tags": tuple(self.tag) if self.tag else None,
            "keep_when_empty": self.keep_when_empty,
            "accept_loss": self.accept_loss,
        }
        return {name: value for name, value in given.items() if value is not None}


def _update_method(name: str | None) -> UpdateMethod | None:
    if name is None:
        return None
    if name not in list(UpdateMethod):
        raise UnknownName("update method", name, list(UpdateMethod))
    return UpdateMethod(name)
