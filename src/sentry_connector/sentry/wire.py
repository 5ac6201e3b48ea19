"""Sentry's wire format without I/O: requests, paths, cursors, and the error that an answer means."""

from __future__ import annotations

import email.utils
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

import msgspec

from sentry_connector.errors import (
    AccessDenied,
    BeyondRetention,
    ConnectorError,
    CursorLoop,
    MalformedAnswer,
    NotFound,
    NotSentry,
    ProxyFailed,
    RateLimited,
    RequestRefused,
    ScopeMissing,
    SentryUnavailable,
    TokenNotForHost,
    TokenRejected,
    UsageError,
)
from sentry_connector.sentry.address import Origin, has_control, is_blocked, normalise_url, origin

__all__ = [
    "CursorKind",
    "Request",
    "Walk",
    "api_path",
    "clean",
    "cursor_kind",
    "error_for",
    "http_date",
    "is_blocked",
    "next_cursor",
    "normalise_url",
    "origin",
    "retry_after",
]

API = "/api/0"
MOST_EMPTY_PAGES = 100
MOST_PAGES = 1_000_000
LONGEST_QUOTE = 300
"""Characters of a server's text that an error message may hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One GET to Sentry's API.

    Attributes:
        base_url: the server, as `normalise_url` writes it.
        path: below `/api/0`, with the slashes at both ends (`/organizations/acme/repos/`); made by `api_path`.
        params: query parameters in their order.
        family: the rate budget that the request draws from.
        subject: what is asked about, for error messages (`project acme/shop`).
        scope: the scope that the token needs, named when Sentry refuses.
        report: the report that the request is for, named when Sentry refuses.
        alternatives_exist: another endpoint gives the same rows, so a refusal may only mean that this server lacks this
            one. `NotFound` and `RequestRefused` carry it in `data`, for the caller who can ask the other endpoint.
    """

    base_url: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    family: str = "default"
    subject: str = ""
    scope: str | None = None
    report: str | None = None
    alternatives_exist: bool = False

    def with_cursor(self, cursor: str) -> Request:
        """The same request for the page that the cursor names."""
        kept = tuple(pair for pair in self.params if pair[0] != "cursor")
        return replace(self, params=(*kept, ("cursor", cursor)))

    @property
    def url(self) -> str:
        """The whole URL, percent-encoded."""
        query = f"?{urlencode(self.params)}" if self.params else ""
        return f"{self.base_url}{API}{self.path}{query}"

    @property
    def about(self) -> str:
        """What is asked about, for people."""
        return self.subject or self.path


def api_path(template: str, **segments: str) -> str:
    """Fill the `{names}` of a path, keeping every value inside its own path segment.

    Raises:
        UsageError: a value is empty, `.` or `..`, or holds a control character.
    """
    return template.format(**{name: _segment(name, value) for name, value in segments.items()})


def _segment(name: str, value: str) -> str:
    if value in {"", ".", ".."} or has_control(value):
        raise UsageError(f"{clean(value)!r} cannot be the {name} of a Sentry address.")
    return quote(value, safe="")


# --- paging ---------------------------------------------------------------------------------------------------------

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # the grammar's word, RFC 9110 section 5.6.2
_TARGET = re.compile(r"[ \t]*<([^<>]*)>")
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN})))?')
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t,]*|$)")


def next_cursor(link_header: str | None) -> str | None:
    """The cursor of the next page, or None at the end of the list.

    Sentry sends both rels on every page of a list and says `results="false"` on the next one at the end, so a short or
    empty page means nothing. Only the cursor is taken: the link's own address may be another host's.

    Raises:
        MalformedAnswer: the header is not RFC 8288's, has no next rel, or does not say whether there are results.
    """
    if link_header is None:
        return None
    for target, attributes in _links(link_header):
        if "next" in attributes.get("rel", "").lower().split():
            return _cursor_of(target, attributes)
    raise MalformedAnswer("Sentry's Link header names no next page, not even an empty one.")


class CursorKind(Enum):
    """What a list's cursors count.

    The cursor is `value:offset:is_prev` in every case; Sentry's paginators differ in what value and offset are
    (`sentry/api/paginator.py`).
    """

    ROWS = "rows"  # 0:{rows before the page}:0
    PAGES = "pages"  # {rows of a page}:{pages before this one}:0
    KEYS = "keys"  # {key of the last row}:{rows of the same key before}:0; anything else that is not understood


def cursor_kind(cursor: str, rows: int) -> CursorKind:
    """What the first page's next cursor tells about its list.

    A server may give fewer rows than it is asked for, and counts by what it gives: no key is as small as that.

    Args:
        cursor: of the second page.
        rows: asked for in a page.
    """
    match = re.fullmatch(r"(\d+)(?:\.0*)?:(\d+):0", cursor, re.ASCII)
    value, offset = (int(match[1]), int(match[2])) if match else (-1, -1)
    if value == 0 and 0 < offset <= rows:
        return CursorKind.ROWS
    return CursorKind.PAGES if 0 < value <= rows and offset == 1 else CursorKind.KEYS


class Walk:
    """A way through the pages of a list, which has an end.

    Args:
        about: what the list is about, for the error.
    """

    def __init__(self, about: str) -> None:
        self._about = about
        self._seen: set[str | None] = {None}
        self._empty = 0

    def next(self, cursor: str | None, *, is_empty: bool) -> str | None:
        """The cursor of the page after this one, None at the end.

        Empty pages with a next one are no end: lists that are filtered after the query have them.

        Raises:
            CursorLoop: the way comes back to where it was, or there are 100 empty pages in a row, or a million pages.
        """
        self._empty = self._empty + 1 if is_empty else 0
        if cursor is None:
            return None
        if cursor in self._seen or self._empty >= MOST_EMPTY_PAGES or len(self._seen) > MOST_PAGES:
            raise CursorLoop(f"Paging through {self._about} finds no end.", cursor=cursor)
        self._seen.add(cursor)
        return cursor


def _cursor_of(target: str, attributes: Mapping[str, str]) -> str | None:
    results = attributes.get("results")
    if results not in {"true", "false"}:
        raise MalformedAnswer("Sentry's Link header does not say whether the next page has results.")
    if results == "false":
        return None
    cursor = attributes.get("cursor") or "".join(parse_qs(_query(target)).get("cursor", []))
    if not cursor:
        raise MalformedAnswer("Sentry's Link header has a next page without a cursor.")
    return cursor


def _query(target: str) -> str:
    try:
        return urlsplit(target).query
    except ValueError:
        return ""


def _links(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each link of a Link header: its target and its attributes, names in lower case, the first of equal names."""
    position = 0
    while position < len(header) or position == 0:
        target = _TARGET.match(header, position)
        if target is None:
            raise MalformedAnswer("Sentry's Link header is malformed.")
        attributes, position = _attributes(header, target.end())
        separator = _SEPARATOR.match(header, position)
        if separator is None:
            raise MalformedAnswer("Sentry's Link header is malformed.")
        yield target[1], attributes
        position = separator.end()


def _attributes(header: str, position: int) -> tuple[dict[str, str], int]:
    """The attributes of one link, and where they end."""
    attributes: dict[str, str] = {}
    while match := _PARAMETER.match(header, position):
        name, quoted, bare = match.groups()
        attributes.setdefault(name.lower(), bare or "" if quoted is None else _unescaped(quoted))
        position = match.end()
    return attributes, position


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted) if "\\" in quoted else quoted


# --- waiting --------------------------------------------------------------------------------------------------------


def http_date(text: str | None) -> float | None:
    """The unix time of an HTTP date such as a Date header, None where there is none or it is malformed."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    """Seconds that the server wants to be left alone: Retry-After, else the rate limit's reset; None if not told.

    Args:
        headers: of the answer; names in lower case.
        now: the unix time by the server's clock. Sentry's own 429 has no Retry-After, only `X-Sentry-Rate-Limit-Reset`.
    """
    told = headers.get("retry-after")
    if told is not None and (seconds := _number(told)) is not None:
        return seconds
    instant = http_date(told)
    if instant is None:
        instant = _number(headers.get("x-sentry-rate-limit-reset", ""))
    return None if instant is None or now is None else max(0.0, instant - now)


def _number(text: str) -> float | None:
    """A count of seconds, None for anything that is not written in plain digits."""
    match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?)\s*", text, re.ASCII)
    return float(match[1]) if match else None


# --- errors ---------------------------------------------------------------------------------------------------------

_OVERLOADED = re.compile(r"(query )?time(d )?out|internal error\. please try again", re.IGNORECASE)
"""How Sentry's query endpoints word an overload that they answer with 400 (`TIMEOUT_ERROR_MESSAGE` in its source)."""
_FORGOTTEN = re.compile(r"invalid date range\. please try a more recent date range", re.IGNORECASE)
"""How they say that a window ends before their retention begins (`QueryOutsideRetentionError` in Sentry's source)."""
_SECRET = re.compile(r"sntr[a-z]{1,2}_[\w+/=.-]+|\bBearer\s+\S+|\bBasic\s+\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer other than 200; `answer` is its body's JSON, None for everything else."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    answer: Any
    request: Request

    @property
    def is_page(self) -> bool:
        """Whether it is a page in HTML. The type alone says nothing: Sentry gives it to empty answers and to JSON too."""
        html = "text/html" in self.headers.get("content-type", "")
        return html and self.answer is None and bool(self.body.strip())

    @property
    def quoted(self) -> str:
        """Sentry's own words as the end of a sentence, empty where there are none."""
        words = clean(_words(self.answer)).rstrip(".")
        return f": {words}" if words else ""

    @property
    def code(self) -> str:
        """The code of a coded error (`sso-required`), empty for an uncoded one."""
        code = _field(_field(self.answer, "detail"), "code")
        return clean(code, 60) if isinstance(code, str) else ""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, by the answer's own Date."""
        return retry_after(self.headers, http_date(self.headers.get("date")))


def error_for(status: int, headers: Mapping[str, str], body: bytes, request: Request) -> ConnectorError:
    """What an answer other than 200 means. Sentry's own words are quoted clean and short.

    Args:
        status: HTTP status.
        headers: of the answer, names in any case.
        body: of the answer, decompressed.
        request: what was asked.
    """
    meaning = _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, _unknown_status)
    lowered = {name.lower(): value for name, value in headers.items()}
    return meaning(_Refusal(status, lowered, body, _decoded(body), request))


def clean(text: str, longest: int = LONGEST_QUOTE) -> str:
    """A server's text made fit for a message: without control characters and secrets, at most `longest` characters."""
    visible = "".join(
        " " if unicodedata.category(character)[0] in "CZ" else character for character in text[: 10 * longest]
    )
    words = _SECRET.sub("[secret]", " ".join(visible.split()))
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _bad_request(refusal: _Refusal) -> ConnectorError:
    """Query endpoints tell an overload and a window beyond retention by 400 and words; there is no other mark of them."""
    words = _words(refusal.answer)
    if _FORGOTTEN.match(words):
        about = refusal.request.about
        return BeyondRetention(f"Sentry keeps nothing of {about} that is so old{refusal.quoted}.", status=400)
    if not _OVERLOADED.match(words):
        return _refused(refusal)
    return SentryUnavailable(f"Sentry is too slow about {refusal.request.about}{refusal.quoted}.", status=400)


def _refused(refusal: _Refusal) -> ConnectorError:
    return RequestRefused(
        f"Sentry refuses the request about {refusal.request.about} ({refusal.status}){refusal.quoted}.",
        status=refusal.status,
        detail=clean(_words(refusal.answer)),
        alternatives_exist=refusal.request.alternatives_exist,
    )


def _unauthorised(refusal: _Refusal) -> ConnectorError:
    return _denied(refusal) if refusal.code else TokenRejected(f"Sentry does not accept the token{refusal.quoted}.")


def _forbidden(refusal: _Refusal) -> ConnectorError:
    """Sentry does not say which scope is missing, so the request does."""
    if refusal.code:
        return _denied(refusal)
    request = refusal.request
    needs = f" It needs the scope {request.scope}, and its user must see what is asked." if request.scope else ""
    return ScopeMissing(
        f"The token may not read {request.about}{f' for the report {request.report}' if request.report else ''}.{needs}",
        scope=request.scope,
        report=request.report,
    )


def _denied(refusal: _Refusal) -> AccessDenied:
    """A coded refusal: Sentry wants something that no new token gives."""
    return AccessDenied(f"Sentry denies {refusal.request.about}: {refusal.code}{refusal.quoted}.", code=refusal.code)


def _not_found(refusal: _Refusal) -> ConnectorError:
    """Sentry itself says 404 in JSON, in plain text or with nothing; a page in HTML is somebody else's."""
    request = refusal.request
    if refusal.is_page:
        return NotSentry(f"What {origin(request.base_url)[1]} answers about {request.about} is not Sentry's API.")
    return NotFound(
        f"Sentry has no {request.about} for this token"
        f"{', or this server does not have that part of the API' if request.alternatives_exist else ''}.",
        given=request.about,
        alternatives_exist=request.alternatives_exist,
    )


def _proxy_refuses(refusal: _Refusal) -> ConnectorError:
    return ProxyFailed(
        f"The proxy wants a user and a password, or refuses the given ones ({refusal.status}).", status=refusal.status
    )


def _limited(refusal: _Refusal) -> ConnectorError:
    seconds = refusal.retry_after
    return RateLimited(
        f"Sentry limits the rate of requests about {refusal.request.about}"
        f"{'' if seconds is None else f' for {seconds:.0f} s'}.",
        retry_after=seconds,
    )


def _unavailable(refusal: _Refusal) -> ConnectorError:
    return SentryUnavailable(
        f"Sentry answers {refusal.status} about {refusal.request.about}{refusal.quoted}.",
        status=refusal.status,
        retry_after=refusal.retry_after,
    )


def _redirected(refusal: _Refusal) -> ConnectorError:
    """Sentry's API redirects only where a project was renamed, with a code; everything else leads away from it."""
    if refusal.code == "resource-moved":
        return _renamed(refusal)
    location = refusal.headers.get("location")
    target = _target(refusal.request.url, location)
    if location is None or target == origin(refusal.request.url):
        return _not_found(refusal)
    leads_to = f"{target[0]}://{target[1]}:{target[2]}" if target else clean(location)
    return TokenNotForHost(
        f"Sentry answers {refusal.status} and leads to {leads_to}; the token was not sent there.", leads_to=leads_to
    )


def _renamed(refusal: _Refusal) -> ConnectorError:
    slug = clean(str(_field(_field(_field(refusal.answer, "detail"), "extra"), "slug") or "another slug"))
    return NotFound(
        f"Sentry has no {refusal.request.about} any more: it was renamed to {slug}.",
        remedy=f"Choose {slug}; ids stay the same over renames.",
        given=refusal.request.about,
        moved_to=slug,
        alternatives_exist=False,
    )


def _unknown_status(refusal: _Refusal) -> ConnectorError:
    return MalformedAnswer(f"Sentry answers {refusal.status} about {refusal.request.about}, which its API never does.")


_BY_STATUS: Mapping[int, Callable[[_Refusal], ConnectorError]] = {
    400: _bad_request,
    401: _unauthorised,
    403: _forbidden,
    404: _not_found,
    407: _proxy_refuses,
    408: _unavailable,
    410: _not_found,
    429: _limited,
}
_BY_HUNDRED: Mapping[int, Callable[[_Refusal], ConnectorError]] = {3: _redirected, 4: _refused, 5: _unavailable}


def _target(url: str, location: str | None) -> Origin | None:
    """The origin that a Location header leads to, None where that cannot be told."""
    try:
        return origin(urljoin(url, location or ""))
    except (ValueError, UsageError):
        return None


def _decoded(body: bytes) -> Any:
    """The JSON of an error's body, None for HTML and everything else."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _words(answer: Any) -> str:
    """Sentry's own words, in whichever of its envelopes they stand."""
    detail = _field(answer, "detail")
    preferred = _field(detail, "message") or detail or answer
    return "; ".join(_texts(preferred, depth=5))


def _texts(value: Any, depth: int) -> Iterator[str]:
    """All texts within a JSON value, not deeper than `depth`."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part, depth - 1)
