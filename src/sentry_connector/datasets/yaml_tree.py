"""YAML text as a tree of mappings, lists and scalars, each with its place in the file. Nothing is constructed from it.

A scalar stays the text that stands there: what it means is decided by whoever reads it, who knows what is wanted. So `no` is a
name where a name is wanted, and an id keeps its zeros. Anchors, aliases and tags are refused: they are how a small file becomes
a large one, or another kind of thing than it seems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sentry_connector.errors import ConfigInvalid
from sentry_connector.redact import redact_patterns

MOST_BYTES = 4 * 2**20
MOST_NODES = 100_000
MOST_LEVELS = 20
"""Far more than a configuration has."""

_PARSER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_EMPTY = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: the file, and line and column, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value, as it is written; `plain` where it has no quotes."""

    place: Place
    text: str
    plain: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands there, or what YAML takes for nothing."""
        return self.plain and self.text in _EMPTY


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping: each key with its place and its value."""

    place: Place
    fields: Mapping[str, tuple[Place, Node]]


Node = Scalar | Items | Fields


def parse(data: bytes, file: str) -> Node | None:
    """The tree of a file that holds one YAML document (JSON is YAML too); None where it holds nothing.

    Args:
        data: the file's bytes, UTF-8.
        file: what to call it in places.

    Raises:
        ConfigInvalid: it is no YAML, or has something that is not taken here. Its text is never repeated.
    """
    return _Tree(file).of(data)


class _Tree:
    """Builds the tree of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0

    def of(self, data: bytes) -> Node | None:
        if len(data) > MOST_BYTES:
            raise ConfigInvalid([f"{self._file} is larger than {MOST_BYTES >> 20} MiB."])
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigInvalid([f"{self._file} is no UTF-8 text: byte {error.start} is none."]) from None
        events = self._events(text)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                break
        else:
            return None
        node = self._node(next(events), events, 1)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                raise self._wrong(event, "a second document begins here.", "Put each document into a file of its own.")
        return None if isinstance(node, Scalar) and node.is_empty else node

    def _events(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=_PARSER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self._file}:{mark.line + 1}:{mark.column + 1}" if mark else self._file
            what = redact_patterns(str(error.problem or error.context))
            raise ConfigInvalid([f"{place}: this is no YAML: {what}."]) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise ConfigInvalid(
                [f"{self._file}:{line}: a character that YAML does not allow: {error.reason}."]
            ) from None

    def _node(self, event: Any, events: Iterator[Any], level: int) -> Node:
        place = self._place(event)
        self._nodes += 1
        if self._nodes > MOST_NODES or level > MOST_LEVELS:
            raise self._wrong(event, "this is too much for a configuration.", "Split the file, or nest less.")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._wrong(event, "anchors and aliases are not taken.", "Write the value out where it is wanted.")
        if event.tag is not None and event.tag != "!":
            raise self._wrong(event, "tags are not taken.", "Write the value without a tag.")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, event.value, plain=event.style in (None, ""))
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(place, tuple(self._items(events, level)))
        return Fields(place, self._fields(events, level))

    def _items(self, events: Iterator[Any], level: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, events, level + 1)

    def _fields(self, events: Iterator[Any], level: int) -> dict[str, tuple[Place, Node]]:
        found: dict[str, tuple[Place, Node]] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, level + 1)
            if not isinstance(key, Scalar):
                raise self._wrong(event, "the name of a field is a word.", "Write `name: value`.")
            value = self._node(next(events), events, level + 1)
            if key.text in found:
                raise ConfigInvalid(
                    [f"{key.place}: the field stands here twice, first in line {found[key.text][0].line}."]
                )
            found[key.text] = (key.place, value)
        return found

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _wrong(self, event: Any, what: str, remedy: str) -> ConfigInvalid:
        return ConfigInvalid([f"{self._place(event)}: {what}"], remedy=remedy)
