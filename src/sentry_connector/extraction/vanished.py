"""Items that a list does not show any more: still there, merged into others, or gone. Sentry is asked about each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sentry_connector.errors import MalformedAnswer, NotFound, RequestRefused
from sentry_connector.extraction.lists import together
from sentry_connector.extraction.plan import context_values, request_for_some, requests_for_one
from sentry_connector.extraction.reading import Session
from sentry_connector.reports.model import Vanishing
from sentry_connector.reports.scopes import Scope
from sentry_connector.sentry.wire import Request


async def gone(session: Session, vanishing: Vanishing, scope: Scope, ids: Sequence[str]) -> dict[str, str | None]:
    """Those of a scope's items that are not there any more, each with the id of the one that it was merged into, if it was.

    Sentry is asked about many at a time, then one by one about those that it does not give.

    Raises:
        ConnectorError: nobody can tell, so that none of them counts as gone.
    """
    found = await together(_there(session, vanishing, scope, some) for some in _chunks(ids, vanishing.most))
    left = [id_ for id_ in ids if id_ not in set[str]().union(*found)]
    now = await together(_now(session, vanishing, scope, id_) for id_ in left)
    return {id_: other for id_, other in zip(left, now, strict=True) if other != id_}


async def _there(session: Session, vanishing: Vanishing, scope: Scope, ids: Sequence[str]) -> set[str]:
    """Those that are there. Servers that cannot be asked so give none, or others, which do not count."""
    request = request_for_some(vanishing, session.report, session.details, scope, ids)
    try:
        answer = await session.client.get(request)
    except (NotFound, RequestRefused):
        return set()
    items = _decoded(answer.body, request)
    return {str(_at(item, "id")) for item in items if _is_ours(session, vanishing, scope, item)} & set(ids)


async def _now(session: Session, vanishing: Vanishing, scope: Scope, id_: str) -> str | None:
    """The id under which an item is found now; None where it is gone."""
    for request in requests_for_one(vanishing, session.report, session.details, scope, id_):
        try:
            answer = await session.client.get(request)
        except NotFound:
            continue
        item = _decoded(answer.body, request)
        if _is_ours(session, vanishing, scope, item):
            return str(_at(item, "id"))
    return None


def _is_ours(session: Session, vanishing: Vanishing, scope: Scope, item: Any) -> bool:
    """Whether an item is of the scope; ids are unique within a region only."""
    path, name = vanishing.owner
    return str(_at(item, path)) == context_values(session.details, scope)[name]


def _decoded(body: bytes, request: Request) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedAnswer(f"The {request.about} is not as Sentry's API gives it.") from None


def _at(item: Any, path: str) -> Any:
    for name in path.split("/"):
        item = item.get(name) if isinstance(item, dict) else None
    return item


def _chunks(ids: Sequence[str], most: int) -> list[Sequence[str]]:
    return [ids[start : start + most] for start in range(0, len(ids), most)]
