"""The lenient way through a page: whatever the catalogue does not know is put aside, so that the rest fits."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sentry_connector.errors import MalformedAnswer
from sentry_connector.extraction import tree

_LONGEST_INTEGER = 400  # digits; longer ones are text, since Python itself refuses to parse integers of any length

_Object = dict[str, msgspec.Raw]
_ITEMS = msgspec.json.Decoder(list[_Object])
_OBJECT = msgspec.json.Decoder(_Object)
_SCALAR = msgspec.json.Decoder(tree.Scalar)

# Both never try a place twice, so that hostile text costs no more than its length: quantifiers are possessive, and a string
# without an end is one token too.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|-?(?:NaN|Infinity)', re.DOTALL)
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL)


@dataclass(slots=True)
class Stripped:
    """A page without its surprises; all values are JSON as Sentry wrote it.

    Attributes:
        items: what the tree knows.
        extras: item number → path → what was put aside: unknown fields, and what is no object or no single value where one
            was expected.
        unknown: paths of fields that the tree does not know, in the order in which they came.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    extras: dict[int, dict[str, Any]] = field(default_factory=dict)
    unknown: dict[tree.Path, None] = field(default_factory=dict)

    def put_aside(self, path: tree.Path, value: msgspec.Raw) -> None:
        """Keep what the item that is looked at has at a path; null is nothing to keep."""
        if bytes(value) != b"null":
            self.extras.setdefault(len(self.items), {})["/".join(path)] = value


def strip(body: bytes, root: tree.Node) -> Stripped:
    """The items of a page that need not be as the catalogue says, with the surprises put aside.

    Raises:
        MalformedAnswer: the body is not a JSON list of objects.
        RecursionError: it is nested deeper than msgspec follows, some 1,000 levels.
    """
    page = Stripped()
    for item in _items(body):
        page.items.append(_known(item, root, (), page))
    return page


def parse(body: bytes) -> Any:
    """JSON with what real servers send: a byte order mark, invalid UTF-8, lone surrogates, NaN, numbers without end.

    Raises:
        MalformedAnswer: it is no JSON, or nested deeper than Python can follow.
    """
    try:
        return json.loads(_mended(_text(body)), parse_int=_integer, parse_float=_real)
    except RecursionError as error:
        raise MalformedAnswer(f"The answer is nested too deep; it begins {preview(body)}.") from error
    except ValueError as error:
        raise MalformedAnswer(f"The answer is not JSON; it begins {preview(body)}.") from error


def preview(body: bytes, most: int = 60) -> str:
    """The beginning of a body, safe to show."""
    return repr(body[:most].decode("utf-8", errors="replace"))


def _items(body: bytes) -> list[_Object]:
    text = _text(body)
    try:
        try:
            return _ITEMS.decode(text)
        except msgspec.DecodeError:
            return _ITEMS.decode(_mended(text))
    except msgspec.ValidationError as error:
        raise MalformedAnswer(f"A list of objects was expected; Sentry's answer begins {preview(body)}.") from error
    except msgspec.DecodeError as error:
        raise MalformedAnswer(f"The answer is not JSON; it begins {preview(body)}.") from error


def _known(item: _Object, node: tree.Node, prefix: tree.Path, page: Stripped) -> dict[str, Any]:
    """The fields of an object that the tree knows and that fit it."""
    known: dict[str, Any] = {}
    for name, value in item.items():
        if name in node.raw:
            known[name] = value
        elif name not in node.fields:
            page.unknown[*prefix, name] = None
            page.put_aside((*prefix, name), value)
        elif (child := node.fields[name]) is None and (scalar := _scalar(value)) is not None:
            known[name] = scalar
        elif child is not None and bytes(value).startswith(b"{"):
            known[name] = _known(_OBJECT.decode(value), child, (*prefix, name), page)
        else:
            page.put_aside((*prefix, name), value)
    return known


def _scalar(value: msgspec.Raw) -> msgspec.Raw | None:
    """A single value; a number that no float can hold as text, None for objects and lists."""
    text = bytes(value)
    if text.startswith((b"{", b"[")):
        return None
    if not text.startswith(b'"'):
        try:
            _SCALAR.decode(text)
        except msgspec.ValidationError:
            return msgspec.Raw(b'"' + text + b'"')
    return value


def _text(body: bytes) -> str:
    return body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")


def _mended(text: str) -> str:
    """JSON text in which NaN and the infinities are strings, and lone surrogates, which no UTF-8 file can hold, are `?`."""
    return _TOKEN.sub(_mended_token, text)


def _mended_token(token: re.Match[str]) -> str:
    text = token[0]
    if not text.startswith('"'):
        return f'"{text}"'
    return _ESCAPE.sub(lambda escape: "?" if escape[1] else escape[0], text) if "\\u" in text else text


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _real(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits
