"""Takes secrets out of text: known ones by their value in every usual encoding, unknown ones by their form.

The last step before a text leaves the program: the log handler, the printers of errors.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

import msgspec

REDACTED = "[redacted]"

SHORTEST_SECRET = 4
"""Shorter values are left alone: replacing them would destroy the text and hide nothing."""

_TOKEN = re.compile(r"\bsntry[a-z]_[A-Za-z0-9+/=_\-]+")
_HEX_TOKEN = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=\-]{16,}")
_BASIC = re.compile(r"(?i)\b(basic\s+)([A-Za-z0-9+/_\-]{4,}={0,2})")
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]*://)[^\s/?#]+@")


def token_hint(token: str) -> str:
    """What may be shown of a token: its prefix (`sntryu_`) and two characters; of short ones nothing but dots."""
    prefix, separator, rest = token.partition("_")
    if not separator:
        prefix, rest = "", token
    shown = rest[:2] if len(rest) >= 16 else ""  # noqa: PLR2004  # two of fewer would be a real part of the secret
    return f"{prefix}{separator}{shown}…" if len(prefix) <= len("sntryu") else "…"


class Redactor:
    """Replaces secrets in text by `[redacted]`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None

    def redact(self, text: str) -> str:
        """The text without the secrets that this redactor knows, and without what looks like one."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return redact_patterns(text)


def redact_patterns(text: str) -> str:
    """The text without Sentry tokens, Bearer and Basic credentials, and user information in URLs (DSNs too)."""
    text = _TOKEN.sub(REDACTED, text)
    text = _HEX_TOKEN.sub(REDACTED, text)
    text = _BEARER.sub(rf"\1{REDACTED}", text)
    text = _BASIC.sub(_basic_replaced, text)
    return _USERINFO.sub(rf"\1{REDACTED}@", text)


def _basic_replaced(match: re.Match[str]) -> str:
    """Basic credentials are base64 of `user:password`; "basic authentication" in a sentence stays."""
    padded = match[2].rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        hidden = b":" in base64.b64decode(padded)
    except binascii.Error:
        hidden = False
    return f"{match[1]}{REDACTED}" if hidden else match[0]


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, and as URLs, JSON, hexadecimal digits and base64 would carry it."""
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield quote(data)
    yield quote(data, safe="")
    yield quote_plus(data, safe="")
    yield "".join(f"%{byte:02X}" for byte in data)
    yield data.hex()
    if not any("\ud800" <= character <= "\udfff" for character in secret):
        yield msgspec.json.encode(secret).decode()[1:-1]
    yield from (form for form in _base64_forms(data) if len(form) >= SHORTEST_SECRET)


def _base64_forms(data: bytes) -> Iterator[str]:
    """What is the same of `data` in base64, wherever it begins within a longer encoded text.

    Base64 works in groups of three bytes: a secret can begin at three offsets, and only the characters that its bytes
    alone decide are the same each time.
    """
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data).decode().rstrip("=")
        first = (offset * 8 + 5) // 6
        last = (offset + len(data)) * 8 // 6
        stable = encoded[first:last]
        yield stable
        yield stable.replace("+", "-").replace("/", "_")
