"""Which entry of a configuration is about which stored record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from sentry_connector.datasets.config import AccountEntry, ChannelEntry, DataSetEntry, DestinationEntry
from sentry_connector.datasets.config_reader import Placed
from sentry_connector.store.records import Account, Channel, DataSet, Destination
from sentry_connector.store.rows import fold

Record = TypeVar("Record", Account, Destination, DataSet, Channel)
Entry = TypeVar("Entry", AccountEntry, DestinationEntry, DataSetEntry, ChannelEntry)


class Matched(Generic[Record, Entry]):
    """Which entry is about which record: by name, or by the name that it had."""

    def __init__(self, stored: Sequence[Record], entries: Sequence[Placed[Entry]]) -> None:
        by_name = {fold(one.name): one for one in stored}
        self.pairs: list[tuple[Placed[Entry], Record | None]] = []
        self.names: dict[str, str] = {one.id: one.name for one in stored}
        """Id of a record → its name once the plan is carried out."""
        for placed in entries:
            entry = placed.entry
            found = by_name.get(fold(entry.name))
            before = getattr(entry, "renamed_from", None)
            if found is None and before is not None:
                found = by_name.get(fold(before))
            self.pairs.append((placed, found))
            if found is not None:
                self.names[found.id] = entry.name.strip()
        matched = {found.id for _, found in self.pairs if found is not None}
        self.rest: list[Record] = [one for one in stored if one.id not in matched]

    def known(self, *, rest: bool = True) -> dict[str, str]:
        """Every name, folded → as it is written, once the plan is carried out; with or without what no entry is about."""
        written: list[str] = [placed.entry.name.strip() for placed, _ in self.pairs]
        others: list[str] = [one.name for one in self.rest] if rest else []
        return {fold(name): name for name in (*others, *written)}
