"""`/people`: who may sign in, and which private networks they may ask."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.operations import origins, people
from sentry_connector.operations.views import key_view, user_view
from sentry_connector.runs.house import House
from sentry_connector.store.rights import Role
from sentry_connector.web.pages.rendering import Pages


def people_pages(house: House, pages: Pages) -> APIRouter:
    """The pages about people."""
    routes = APIRouter(prefix="/people", include_in_schema=False)
    roles = [one.value for one in Role]

    @routes.get("")
    def show_people(request: Request) -> Response:
        known = [user_view(one) for one in people.everybody(house)]
        allowed = list(origins.everything(house))
        return pages.page(request, "people/list.html", people=known, roles=roles, origins=allowed)

    @routes.get("/{name}")
    def show_person(request: Request, name: str) -> Response:
        user = people.find(house, name)
        return pages.page(
            request,
            "people/show.html",
            user=user_view(user),
            roles=roles,
            keys=[key_view(*one) for one in people.keys(house, user)],
        )

    return routes
