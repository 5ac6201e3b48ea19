"""Text for people and JSON for programs, both safe to show: what comes from Sentry may hold anything."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sentry_connector.redact import Redactor

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (terminals obey them), marks that turn the direction of text, halves of characters."""


def visible(text: str) -> str:
    r"""The text with every control character shown as `\x1b` is, on one line."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  # two digits' worth


def message(text: str) -> str:
    """The text as it may leave the program: without secrets, and safe to show."""
    secrets = [os.environ[name].strip() for name in ("SENTRY_AUTH_TOKEN", "SENTRY_CONNECTOR_KEY") if name in os.environ]
    return visible(Redactor(secrets).redact(text))


def counted(count: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def note(text: str) -> None:
    """A line on standard error: progress, resolved dates, warnings."""
    print(message(text), file=sys.stderr, flush=True)  # noqa: T201  # the command line prints


def note_days(windows: Sequence[str]) -> None:
    """The resolved dates on standard error, a line each."""
    for line in windows:
        note(f"Days: {line}")


def print_line(text: str) -> None:
    """A line on standard output."""
    print(visible(text), flush=True)  # noqa: T201  # the command line prints


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """A JSON value on standard output; times are ISO 8601 with `Z`. Without `indent` it is one line."""
    print(json_text(value, indent=indent), flush=True)  # noqa: T201  # the command line prints


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """The value as JSON; characters that terminals obey are escaped, which means the same in JSON."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    return _UNSAFE.sub(lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def _plain(value: Any) -> Any:
    """What the JSON of the standard library does not know: records, times and sets."""
    import msgspec  # noqa: PLC0415  # errors and `--version` do without

    return msgspec.to_builtins(value)


def print_error(error: Mapping[str, Any], *, as_json: bool) -> None:
    """An error as `ConnectorError.as_dict` has it: JSON on standard output, else two lines on standard error."""
    shown = {name: _told(value) for name, value in error.items()}
    if as_json:
        print_json({"error": shown})
    else:
        note(f"error {shown['name']}: {shown['message']}")
        problems = shown.get("problems", [])
        for one in problems if len(problems) > 1 else []:
            note(f"  {one}")
        note(f"  {shown['remedy']}")


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return [_told(one) for one in value]
    return message(value) if isinstance(value, str) else value
