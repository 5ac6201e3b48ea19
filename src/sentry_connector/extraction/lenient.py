"""The lenient way through a page: item by item, keeping whatever the catalogue does not know."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sentry_connector.errors import MalformedAnswer
from sentry_connector.extraction import tree

_LONGEST_INTEGER = 400  # digits; longer ones are text, since Python itself refuses to parse integers of any length


@dataclass(slots=True)
class LenientItems:
    """Items of a page as columns of plain values.

    Attributes:
        columns: path → one value per item.
        extras: item number → path → value: unknown fields, and objects where a single value was expected.
        unknown: paths of fields that the tree does not know.
    """

    count: int = 0
    columns: dict[tree.Path, list[Any]] = field(default_factory=dict)
    extras: dict[int, dict[str, Any]] = field(default_factory=dict)
    unknown: set[tree.Path] = field(default_factory=set)


def lenient_items(body: bytes, root: tree.Node) -> LenientItems:
    """The items of a page that need not be as the catalogue says.

    Raises:
        MalformedAnswer: the body is not a JSON list of objects.
    """
    items = parse(body)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer(f"A list of objects was expected; Sentry's answer begins {preview(body)}.")
    result = LenientItems(count=len(items), columns={path: [] for path, _ in tree.walk(root)})
    for row, item in enumerate(items):
        _object(item, root, (), row, result)
        for values in result.columns.values():
            if len(values) == row:
                values.append(None)
    return result


def parse(body: bytes) -> Any:
    """JSON with what real servers send: a byte order mark, invalid UTF-8, lone surrogates, endless integers.

    Raises:
        MalformedAnswer: it is no JSON, or nested deeper than Python can follow.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    try:
        return _clean(json.loads(text, parse_int=_integer, parse_constant=str))
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(f"The answer is not JSON; it begins {preview(body)}.") from error


def preview(body: bytes, most: int = 60) -> str:
    """The beginning of a body, safe to show."""
    return repr(body[:most].decode("utf-8", errors="replace"))


def _object(item: dict[str, Any], node: tree.Node, prefix: tree.Path, row: int, result: LenientItems) -> None:
    for name, value in item.items():
        path = (*prefix, name)
        if name not in node.fields:
            result.unknown.add(path)
            if value is not None:
                result.extras.setdefault(row, {})["/".join(path)] = value
        elif (child := node.fields[name]) is None:
            _leaf(path, value, row, result, raw=name in node.raw)
        elif isinstance(value, dict):
            _object(value, child, path, row, result)
        elif value is not None:
            result.extras.setdefault(row, {})["/".join(path)] = value


def _leaf(path: tree.Path, value: Any, row: int, result: LenientItems, *, raw: bool) -> None:
    if raw and value is not None:
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    elif isinstance(value, dict | list):
        result.extras.setdefault(row, {})["/".join(path)] = value
        value = None
    result.columns[path].append(value)


def _clean(value: Any) -> Any:
    """The value with lone surrogates, which no UTF-8 file can hold, replaced."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", errors="replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(element) for element in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(element) for key, element in value.items()}
    return value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits
