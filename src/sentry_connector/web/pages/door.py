"""`/sign-in`, `/first-admin`: the pages that somebody sees before it is known who they are."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.operations import people
from sentry_connector.runs.house import House
from sentry_connector.web.pages.rendering import FIRST_ADMIN, SIGN_IN, Pages


class Doors(NamedTuple):
    """The ways in that a server has.

    Attributes:
        passwords: whether people sign in with a password.
        provider: the identity provider's address; None where there is none.
        code: whether a code for the first admin was printed.
    """

    passwords: bool
    provider: str | None
    code: bool


def door_pages(house: House, pages: Pages, doors: Doors) -> APIRouter:
    """The pages about coming in. Nobody is known there: `house` is the whole one."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(SIGN_IN)
    def show_sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002  # the word of the address
        if doors.code and not people.exist(house):
            return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": FIRST_ADMIN})
        return pages.page(request, "door/sign_in.html", doors=doors, then=local(next))

    @routes.get(FIRST_ADMIN)
    def show_first_admin(request: Request) -> Response:
        is_open = doors.code and not people.exist(house)
        return pages.page(request, "door/first_admin.html", is_open=is_open)

    return routes


def local(path: str) -> str:
    """A path of this server, as it is; for anything else, where an address could lead elsewhere, the first page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if is_ours else "/"
