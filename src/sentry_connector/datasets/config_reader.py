"""From the tree of a configuration file to its entries: every mistake is told, with its place and what was meant."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from sentry_connector.datasets.config import (
    AccountEntry,
    ChannelEntry,
    Configuration,
    DataSetEntry,
    DestinationEntry,
    Reference,
)
from sentry_connector.datasets.yaml_tree import Fields, Items, Node, Place, Scalar
from sentry_connector.errors import ConfigInvalid, nearest
from sentry_connector.redact import redact_patterns

AnyEntry = TypeVar("AnyEntry", AccountEntry, DestinationEntry, DataSetEntry, ChannelEntry)

_WRONG: Any = object()
"""In the place of a value that could not be read; what is wrong with it was noted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed(Generic[AnyEntry]):
    """An entry, and where it stands.

    Attributes:
        entry: the entry.
        place: where it begins.
        fields: where the fields stand that are given.
    """

    entry: AnyEntry
    place: Place
    fields: Mapping[str, Place]

    def place_of(self, *names: str) -> Place:
        """Where the first of these fields stands that is given; where the entry begins, if none is."""
        return next((self.fields[name] for name in names if name in self.fields), self.place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """All entries of one or several files.

    Attributes:
        accounts, destinations, datasets, notices: the entries, in their order.
        sections: the names of those of the four that the files hold, with or without entries.
    """

    accounts: tuple[Placed[AccountEntry], ...]
    destinations: tuple[Placed[DestinationEntry], ...]
    datasets: tuple[Placed[DataSetEntry], ...]
    notices: tuple[Placed[ChannelEntry], ...]
    sections: frozenset[str]


def read(trees: Iterable[Node | None]) -> Read:
    """The entries of files that are one configuration together.

    Raises:
        ConfigInvalid: something is wrong; everything that can be told of it is.
    """
    reader = _Reader()
    sections: dict[str, list[Placed[Any]]] = {}
    for tree in trees:
        if tree is not None:
            reader.sections(tree, sections)
    for name, entries in sections.items():
        reader.refuse_doubled(name, entries)
    if reader.problems:
        raise ConfigInvalid(reader.problems)
    return Read(
        **{name: tuple(sections.get(name, ())) for name in Configuration.__struct_fields__},
        sections=frozenset(sections),
    )


class _Reader:
    """Reads nodes by the types that are wanted, and notes what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def sections(self, tree: Node, found: dict[str, list[Placed[Any]]]) -> None:
        """Add the entries of a file's sections to those that were found."""
        if not isinstance(tree, Fields):
            self._note(tree.place, f"a configuration has the fields {', '.join(Configuration.__struct_fields__)}.")
            return
        wanted = _fields_of(Configuration)
        for name, (place, node) in tree.fields.items():
            if name not in wanted:
                self._note(place, _unknown(name, wanted))
                continue
            entries = found.setdefault(name, [])
            if not isinstance(node, Items):
                self._note(node.place, f"{name} is a list: each entry begins with `- `.")
                continue
            kind = _entry_type(wanted[name].type)
            entries += (placed for item in node.items if (placed := self._entry(item, kind)) is not None)

    def refuse_doubled(self, section: str, entries: Iterable[Placed[Any]]) -> None:
        """Note names that two entries have, and new names for what an entry still is."""
        seen: dict[str, Placed[Any]] = {}
        for one in entries:
            name = one.entry.name
            first = seen.setdefault(name.strip().casefold(), one)
            if first is not one:
                self._note(one.place_of("name"), f"there is another {name!r} among the {section}, at {first.place}.")
        renamed: set[str] = set()
        for one in seen.values():
            before, place = getattr(one.entry, "renamed_from", None), one.place_of("renamed_from")
            if before is None:
                continue
            if before.strip().casefold() in seen:
                self._note(place, f"{before!r} stands among the {section} itself, so that it cannot be renamed.")
            if before.strip().casefold() in renamed:
                self._note(place, f"{before!r} gets two new names.")
            renamed.add(before.strip().casefold())

    def _entry(self, node: Node, kind: type[msgspec.Struct]) -> Placed[Any] | None:
        entry = self._struct(node, kind)
        if entry is _WRONG or not isinstance(node, Fields):
            return None
        return Placed(entry=entry, place=node.place, fields={name: place for name, (place, _) in node.fields.items()})

    def _struct(self, node: Node, kind: type[msgspec.Struct]) -> Any:
        wanted = _fields_of(kind)
        if not isinstance(node, Fields):
            return self._note(node.place, f"here stand fields, such as `{next(iter(wanted))}: …`.")
        values = {}
        for name, (place, value) in node.fields.items():
            if name in wanted:
                values[name] = self._value(name, value, wanted[name].type)
            else:
                values[name] = self._note(place, _unknown(name, wanted))
        for name, field in wanted.items():
            if field.required and name not in values:
                values[name] = self._note(node.place, f"the field `{name}` is missing.")
        return _WRONG if any(value is _WRONG for value in values.values()) else kind(**values)

    def _value(self, name: str, node: Node, kind: Any) -> Any:
        kind = _bare(kind)
        if isinstance(kind, inspect.StructType):
            return self._reference(name, node)
        if isinstance(kind, inspect.VarTupleType):
            nodes = node.items if isinstance(node, Items) else (node,)
            values = tuple(self._value(name, one, kind.item_type) for one in nodes)
            return _WRONG if any(value is _WRONG for value in values) else values
        if not isinstance(node, Scalar):
            return self._note(node.place, f"`{name}` has one value.")
        if node.is_empty:
            return self._note(node.place, f"`{name}` has no value: give it one, or leave the line out.")
        return self._scalar(name, node, kind)

    def _scalar(self, name: str, node: Scalar, kind: Any) -> Any:
        if isinstance(kind, inspect.BoolType):
            known = {"true": True, "false": False}.get(node.text.lower()) if node.plain else None
            return self._note(node.place, f"`{name}` is true or false.") if known is None else known
        if isinstance(kind, inspect.IntType):
            fits = re.fullmatch(r"[0-9]{1,9}", node.text) is not None
            return int(node.text) if fits else self._note(node.place, f"`{name}` is a whole number.")
        if isinstance(kind, inspect.EnumType):
            words = [str(word) for word in kind.cls]
            if node.text in words:
                return kind.cls(node.text)
            close = nearest(node.text, words)
            meant = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(words)}."
            return self._note(node.place, f"`{name}` cannot be {node.text!r}: {meant}")
        return node.text

    def _reference(self, name: str, node: Node) -> Any:
        """A secret's whereabouts. Nothing of what stands there is repeated: it may be the secret itself."""
        wrong = f"`{name}` says where the secret is, and never the secret: {{env: VARIABLE}} or {{file: PATH}}."
        if not isinstance(node, Fields) or len(node.fields) != 1:
            return self._note(node.place, wrong)
        [(key, (place, value))] = node.fields.items()
        if key not in Reference.__struct_fields__:
            return self._note(place, wrong)
        if not isinstance(value, Scalar) or value.is_empty or not value.text:
            return self._note(value.place, wrong)
        if key == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value.text):
            return self._note(value.place, f"`{name}`: here stands the name of an environment variable.")
        return Reference(**{key: value.text})

    def _note(self, place: Place, what: str) -> Any:
        self.problems.append(f"{place}: {redact_patterns(what)}")
        return _WRONG


def _unknown(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = nearest(name, known, count=1)
    return f"there is no field {name!r}: " + (
        f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known)}."
    )


@functools.cache
def _fields_of(kind: type[msgspec.Struct]) -> Mapping[str, inspect.Field]:
    described = inspect.type_info(kind)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{kind} is no struct")
    return {field.name: msgspec.structs.replace(field, type=_bare(field.type)) for field in described.fields}


def _entry_type(kind: Any) -> Any:
    """What a section is a list of."""
    return _bare(kind.item_type).cls


def _bare(kind: Any) -> Any:
    """The type without what is said about it, and without None."""
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        kind = (
            kind.type
            if isinstance(kind, inspect.Metadata)
            else next(one for one in kind.types if not isinstance(one, inspect.NoneType))
        )
    return kind
