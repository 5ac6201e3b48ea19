"""The options that describe a DataSet, beside its details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from sentry_connector.cli.options import one_of, seconds
from sentry_connector.datasets.schedule import EXAMPLES
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.store.records import CatchUp, Retry


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

    destination: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where the table lies: delta (default), or a name of `destinations list`."),
    ] = None
    schedule: Annotated[
        str | None, typer.Option(metavar="RULE", help=f"When it runs by itself, such as {EXAMPLES}; default manual.")
    ] = None
    retry_every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="A failed run of the schedule is tried again after 5m to 60m; 15m."),
    ] = None
    retry_times: Annotated[int | None, typer.Option(metavar="N", help="So often at most, 1 to 10; default 3.")] = None
    no_retry: Annotated[bool, typer.Option("--no-retry", help="A failed run is not tried again.")] = False
    catch_up: Annotated[
        str | None,
        typer.Option(metavar="one|all|none", help="Of slots that were missed: the last one runs, all, none."),
    ] = None

    def changes(self, before: Retry | None = None) -> dict[str, Any]:
        """Fields of `Definition` with what was given.

        Args:
            before: how a failed run is tried again so far; what is given changes that.

        Raises:
            UnknownName: no such update method, or no such way to catch up.
            UsageError: the options of the retry contradict each other.
        """
        given = {
            "update_method": one_of(UpdateMethod, "update method", self.update_method),
            "key": tuple(self.key) if self.key else None,
            "keep_days": self.keep_days,
            "description": self.description,
            "tags": tuple(self.tag) if self.tag else None,
            "keep_when_empty": self.keep_when_empty,
            "accept_loss": self.accept_loss,
            "destination": self.destination,
            "schedule": self.schedule,
            "catch_up": one_of(CatchUp, "choice of --catch-up", self.catch_up),
        }
        return {name: value for name, value in given.items() if value is not None} | self._retry(before or Retry())

    def _retry(self, before: Retry) -> dict[str, Retry | None]:
        given = self.retry_every is not None or self.retry_times is not None
        if self.no_retry and given:
            raise UsageError("--no-retry and another --retry option contradict each other.", remedy="Leave one out.")
        if self.no_retry:
            return {"retry": None}
        if not given:
            return {}
        every = (
            before.every
            if self.retry_every is None
            else int(seconds("--retry-every", self.retry_every, such_as="5m or 1h"))
        )
        return {"retry": Retry(every=every, times=before.times if self.retry_times is None else self.retry_times)}
