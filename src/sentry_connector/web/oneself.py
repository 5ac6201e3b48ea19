"""`/api/v1/me/sessions`, `/api/v1/me/factor`: where one is signed in, and one's own second factor."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from sentry_connector.errors import NotAllowed, SignInNeeded
from sentry_connector.operations import factors, people
from sentry_connector.operations.sign_in import Door, prove
from sentry_connector.operations.views import session_view
from sentry_connector.store.rights import User
from sentry_connector.web import openapi
from sentry_connector.web.access import Visitor, visitor
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.schemas import FactorCode, ShownAgain

TRIES = openapi.refusals(HTTPStatus.TOO_MANY_REQUESTS)
UNKNOWN = openapi.refusals(HTTPStatus.NOT_FOUND)


def add_sessions(routes: APIRouter) -> None:
    """Where one is signed in."""

    @routes.get("/me/sessions", summary="Where one is signed in", responses=openapi.answers("OwnSession", many=True))
    def list_sessions() -> Response:
        came, user = _somebody()
        found = people.sessions(came.house, user)
        return json_of([session_view(one, current=people.is_session(one, came.session)) for one in found])

    @routes.delete("/me/sessions", summary="End one's other sessions", status_code=HTTPStatus.NO_CONTENT)
    def end_other_sessions() -> Response:
        came, user = _somebody()
        people.sign_out(came.house, user.name, but=came.session or "")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.delete(
        "/me/sessions/{session}", summary="End a session", status_code=HTTPStatus.NO_CONTENT, responses=UNKNOWN
    )
    def end_session(session: str) -> Response:
        came, user = _somebody()
        people.sign_out(came.house, user.name, session=session)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def add_factor(routes: APIRouter, door: Door, limit: asyncio.Semaphore) -> None:
    """One's own second factor.

    Args:
        routes: to add to; no answer of theirs is kept for a key.
        door: of the server.
        limit: how many passwords are tried at the same time.
    """

    async def proved(asked: ShownAgain) -> tuple[Visitor, User]:
        """Whoever asks, who has shown again that they are who they are."""
        came, user = _somebody()
        async with limit:
            shown = asked.password, came.address, asked.code
            await came.house.aside(lambda: prove(came.house, door, user.name, *shown))
        return came, user

    @routes.get("/me/factor", summary="One's own second factor", responses=openapi.answers("Factor"))
    def show_factor() -> Response:
        came, user = _somebody()
        left = factors.codes_left(came.house, user)
        required = came.house.settings.require_second_factor
        return json_of({"since": user.factor_since, "recovery_codes_left": left, "required": required})

    @routes.post(
        "/me/factor",
        summary="Make another second factor",
        status_code=HTTPStatus.CREATED,
        responses=openapi.answers("OfferedFactor", HTTPStatus.CREATED) | TRIES,
        openapi_extra=openapi.takes(ShownAgain),
    )
    async def offer_factor(asked: Annotated[ShownAgain, Depends(body(ShownAgain))]) -> Response:
        """It is asked for once a code of it was shown; one that there is stays until then."""
        came, user = await proved(asked)
        offered = await factors.offer(came.house, user.name)
        return json_of({"seed": offered.seed, "uri": offered.uri}, status=HTTPStatus.CREATED)

    @routes.post(
        "/me/factor/confirm",
        summary="Ask for the second factor from now on",
        responses=openapi.answers("RecoveryCodes"),
        openapi_extra=openapi.takes(FactorCode),
    )
    def confirm_factor(asked: Annotated[FactorCode, Depends(body(FactorCode))]) -> Response:
        """One's other sessions end."""
        came, user = _somebody()
        return json_of({"recovery_codes": factors.confirm(came.house, user.name, asked.code, but=came.session)})

    @routes.post(
        "/me/factor/remove",
        summary="Ask for the password alone",
        status_code=HTTPStatus.NO_CONTENT,
        responses=TRIES,
        openapi_extra=openapi.takes(ShownAgain),
    )
    async def remove_factor(asked: Annotated[ShownAgain, Depends(body(ShownAgain))]) -> Response:
        """All sessions and API keys of the person end, this one too."""
        came, user = _somebody()
        if came.house.settings.require_second_factor:
            raise NotAllowed(
                "Everybody needs a second factor here.", remedy="Make another one: POST /api/v1/me/factor."
            )
        await proved(asked)
        await came.house.aside(lambda: factors.forget(came.house, user.name))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _somebody() -> tuple[Visitor, User]:
    """Whoever asks.

    Raises:
        SignInNeeded: there are no people, so that nobody is signed in.
    """
    came = visitor()
    if came.person is None:
        raise SignInNeeded("Nobody is signed in.")
    return came, came.person.user
