"""`/api/v1/login` and what else is about oneself: signing in and out, the first admin, one's own password."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from sentry_connector.errors import NotAllowed, SignInNeeded, UsageError
from sentry_connector.operations import people
from sentry_connector.operations.sign_in import Door, first_admin, prove, sign_in, sign_out
from sentry_connector.operations.views import user_view
from sentry_connector.people.claim import Claim
from sentry_connector.runs.house import House
from sentry_connector.store.people import LONGEST as LONGEST_SESSION
from sentry_connector.store.rights import ALL_RIGHTS, Person
from sentry_connector.web import openapi
from sentry_connector.web.access import visitor
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.oneself import add_factor, add_sessions
from sentry_connector.web.place import LOOPBACK, Place
from sentry_connector.web.schemas import FirstAdmin, Login, OwnPassword

AT_ONCE = 2
"""Passwords that are tried at the same time: each takes 46 MiB."""


def sign_in_routes(house: House, place: Place, door: Door, claim: Claim | None) -> APIRouter:
    """The routes about whoever asks."""
    routes = APIRouter(prefix="/api/v1", tags=["sign in"])  # no answer with a secret is kept for a key
    limit = asyncio.Semaphore(AT_ONCE)

    def signed_in(person: Person, secret: str) -> Response:
        answer = json_of(_me(person))
        set_session(answer, place, secret)
        return answer

    @routes.post(
        "/login",
        summary="Begin a session",
        responses=openapi.answers("Me") | openapi.refusals(HTTPStatus.TOO_MANY_REQUESTS),
        openapi_extra=openapi.takes(Login),
    )
    async def login(asked: Annotated[Login, Depends(body(Login))]) -> Response:
        """The session is a cookie: for 12 hours, or until nothing was asked for half an hour.

        Who has a second factor and sends no code is refused as `access.code_needed`.
        """
        came = visitor()
        async with limit:
            user, secret = await house.aside(
                lambda: sign_in(house, door, asked.name, asked.password, came.address, asked.code)
            )
        if came.session is not None:  # the one of before is not gone on with
            await house.aside(lambda: sign_out(house, came.session or ""))
        return signed_in(Person(user=user, rights=ALL_RIGHTS, via="session"), secret)

    @routes.post(
        "/first-admin",
        summary="Make the first admin",
        responses=openapi.answers("Me"),
        openapi_extra=openapi.takes(FirstAdmin),
    )
    async def make_first_admin(asked: Annotated[FirstAdmin, Depends(body(FirstAdmin))]) -> Response:
        """With the code that the server has printed on its console, from the same machine, while there is nobody yet."""
        came = visitor()
        if claim is None or came.address not in LOOPBACK:
            raise NotAllowed(
                "The first admin is made on the server's own machine.", remedy="sentry-connector users add"
            )
        async with limit:
            user, secret = await house.aside(
                lambda: first_admin(house, claim, asked.code, asked.name, asked.password, came.address)
            )
        return signed_in(Person(user=user, rights=ALL_RIGHTS, via="session"), secret)

    _add_oneself(routes, house, place, door, limit)
    add_sessions(routes)
    add_factor(routes, door, limit)
    return routes


def _add_oneself(routes: APIRouter, house: House, place: Place, door: Door, limit: asyncio.Semaphore) -> None:
    @routes.post("/logout", summary="End the session", status_code=HTTPStatus.NO_CONTENT)
    def logout() -> Response:
        secret = visitor().session
        if secret is not None:
            sign_out(house, secret)
        answer = Response(status_code=HTTPStatus.NO_CONTENT)
        answer.delete_cookie(place.cookie, path="/", secure=place.secure, httponly=True, samesite="lax")
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'  # theme and language, which are cookies, stay
        return answer

    @routes.get("/me", summary="Who asks", responses=openapi.answers("Me"))
    def me() -> Response:
        return json_of(_me(visitor().person))

    @routes.post(
        "/me/password",
        summary="Change one's own password",
        status_code=HTTPStatus.NO_CONTENT,
        responses=openapi.refusals(HTTPStatus.TOO_MANY_REQUESTS),
        openapi_extra=openapi.takes(OwnPassword),
    )
    async def change_password(asked: Annotated[OwnPassword, Depends(body(OwnPassword))]) -> Response:
        """All sessions and API keys of the person end, this one too."""
        came = visitor()
        if came.person is None:
            raise SignInNeeded("Nobody is signed in.")
        name = came.person.user.name
        if asked.old == asked.new:
            raise UsageError("The new password is the old one.")
        async with limit:
            await house.aside(lambda: prove(house, door, name, asked.old, came.address, asked.code))
            await house.aside(lambda: people.set_password(came.house, name, asked.new))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def set_session(answer: Response, place: Place, secret: str) -> None:
    """Give a browser the secret of a session, which no script can read and which no other site's forms carry."""
    lives = int(LONGEST_SESSION.total_seconds())
    answer.set_cookie(place.cookie, secret, max_age=lives, path="/", secure=place.secure, httponly=True, samesite="lax")


def _me(person: Person | None) -> dict[str, object]:
    """Whoever asks; without people that is this machine's user, who may do all."""
    if person is None:
        return {"user": None, "scopes": sorted(ALL_RIGHTS), "via": "this machine"}
    return {"user": user_view(person.user), "scopes": sorted(person.rights), "via": person.via}
