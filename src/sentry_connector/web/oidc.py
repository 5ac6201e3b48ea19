"""`/api/v1/oidc`: signing in at the identity provider."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sentry_connector.errors import SignInNeeded, UsageError
from sentry_connector.operations.sign_in import come_in, refused
from sentry_connector.people.oidc import GOOD_FOR, Oidc, Provider
from sentry_connector.runs.house import House
from sentry_connector.settings import Settings
from sentry_connector.web import openapi
from sentry_connector.web.access import session_of, visitor
from sentry_connector.web.place import Place
from sentry_connector.web.sign_in import set_session

CALLBACK = "/api/v1/oidc/callback"
HOME = "/"


def oidc_of(settings: Settings, place: Place) -> Oidc | None:
    """The identity provider of the settings; None where there is none.

    Raises:
        UsageError: a setting is missing, or the server has no address that people could come back to.
    """
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None:
        raise UsageError(
            "An identity provider is named, and not what it calls this server.",
            remedy="Set SENTRY_CONNECTOR_OIDC_CLIENT_ID.",
        )
    if place.url is None:
        raise UsageError(
            "People come back from the identity provider to this server's address, and it has none.",
            remedy=f"Give --public-url, and register URL{CALLBACK} at the provider.",
        )
    provider = Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        redirect_uri=f"{place.url}{CALLBACK}",
    )
    return Oidc(provider)


def oidc_routes(house: House, place: Place, oidc: Oidc | None) -> APIRouter:
    """The routes by which people leave for the provider and come back."""
    denied = openapi.refusals(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
    moved: openapi.Answers = {int(HTTPStatus.SEE_OTHER): {"description": "Where the browser is to go."}}
    routes = APIRouter(prefix="/api/v1/oidc", tags=["sign in"], responses=denied | moved)
    cookie = f"{place.cookie}-oidc"

    @routes.get(
        "/start",
        summary="Sign in at the identity provider",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def start() -> Response:
        provider = _there(oidc)
        url, browser = await provider.leave(house.clock.monotonic(), await house.aside(house.reach))
        answer = RedirectResponse(url, HTTPStatus.SEE_OTHER)
        lives = int(GOOD_FOR)
        # Lax: it has to come along when the provider sends the browser back.
        answer.set_cookie(cookie, browser, max_age=lives, path="/", secure=place.secure, httponly=True, samesite="lax")
        return answer

    @routes.get(
        "/callback",
        summary="Come back from the identity provider",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def callback(request: Request) -> Response:
        provider, came = _there(oidc), visitor()
        browser = session_of(request.headers, cookie)
        reach, today = await house.aside(house.reach), int(house.now().timestamp())
        given = dict(request.query_params)
        try:
            subject = await provider.come_back(given, browser, now=house.clock.monotonic(), today=today, reach=reach)
        except SignInNeeded as error:
            why = str(error.data.get("why", ""))
            await house.aside(lambda: refused(house, why, came.address))
            raise
        issuer = provider.provider.issuer
        secret = await house.aside(lambda: come_in(house, issuer, subject, came.address))
        answer = RedirectResponse(HOME, HTTPStatus.SEE_OTHER)
        answer.delete_cookie(cookie, path="/", secure=place.secure, httponly=True, samesite="lax")
        set_session(answer, place, secret)
        return answer

    return routes


def _there(oidc: Oidc | None) -> Oidc:
    if oidc is None:
        raise UsageError("No identity provider is set.", remedy="docs/security.md says how one is set.")
    return oidc
