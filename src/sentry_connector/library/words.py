"""What describes a DataSet in a call of the library: the options of the command line, with `_` for `-`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import msgspec

from sentry_connector.datasets.config import DATES, DataSetEntry
from sentry_connector.errors import UnknownName, UsageError


class Words(TypedDict, total=False):
    """The options of `datasets create` and `edit`; several values are given as a list, and None stands for the default."""

    description: str | None
    tag: str | Sequence[str] | None
    organization: str | Sequence[str] | None
    project: str | Sequence[str] | None
    team: str | Sequence[str] | None
    issue: str | int | None
    stat: str | None
    resolution: Literal["10s", "1h", "1d"] | None
    date: str | dt.date | None
    days_back: int | None
    start: str | dt.date | None
    start_days_back: int | None
    end: str | dt.date | None
    end_days_back: int | None
    last_days: int | None
    all_available: bool
    since_last_run: bool
    overlap: str | None
    timezone: str | None
    with_bodies: bool | None
    update_method: Literal["replace", "append", "upsert", "partition"] | None
    key: str | Sequence[str] | None
    keep_days: int | None
    keep_when_empty: bool | None
    accept_loss: bool | None
    destination: str | None
    schedule: str | None
    retry_every: str | None
    retry_times: int | None
    no_retry: bool
    catch_up: Literal["one", "all", "none"] | None


SEVERAL = frozenset({"tag", "organization", "project", "team", "key"})


def entry_with(words: Mapping[str, Any], before: DataSetEntry | None = None, **more: Any) -> DataSetEntry:
    """The entry that such words describe.

    Args:
        words: what is given.
        before: what the DataSet is so far; what is given changes that.
        **more: its name, its report.

    Raises:
        UnknownName: there is no such option.
        UsageError: a value is of another kind.
    """
    for name in words:
        if name not in Words.__annotations__:
            raise UnknownName("option", name, Words.__annotations__)
    known: dict[str, Any] = {} if before is None else msgspec.to_builtins(before)
    if not set(DATES).isdisjoint(words):  # other dates take the place of all of them
        known = {name: value for name, value in known.items() if name not in DATES}
    if {"retry_every", "retry_times"} & words.keys():
        known.pop("no_retry", None)
    given = {name: value for name, value in (known | more | dict(words)).items() if value is not None}
    try:
        return msgspec.convert({name: _plain(name, value) for name, value in given.items()}, DataSetEntry)
    except msgspec.ValidationError as error:
        raise UsageError(f"{error}.", remedy="The options are those of `sentry-connector datasets create`.") from None


def _plain(name: str, value: Any) -> Any:
    if name in SEVERAL and isinstance(value, Sequence):
        return [value] if isinstance(value, str) else [str(one) for one in value]
    if name == "issue":
        return str(value)
    return value.isoformat() if isinstance(value, dt.date) else value
