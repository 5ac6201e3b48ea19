"""`/me`: one's own password, second factor, sessions and API keys."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.operations import factors, people
from sentry_connector.operations.people import KEY_DAYS, LONGEST_KEY_DAYS
from sentry_connector.operations.views import key_view, session_view
from sentry_connector.runs.house import House
from sentry_connector.store.rights import Right
from sentry_connector.web.access import visitor
from sentry_connector.web.pages.rendering import Pages


def own_pages(house: House, pages: Pages) -> APIRouter:
    """The page about whoever looks at it."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/me")
    def show_oneself(request: Request) -> Response:
        came = visitor()
        if came.person is None:
            return pages.page(request, "oneself/nobody.html")
        user = came.person.user
        found = people.sessions(house, user)
        return pages.page(
            request,
            "oneself/show.html",
            sessions=[session_view(one, current=people.is_session(one, came.session)) for one in found],
            keys=[key_view(*one) for one in people.keys(house, user)],
            scopes=[one.value for one in Right],
            days=KEY_DAYS,
            most_days=LONGEST_KEY_DAYS,
            has_password=user.issuer is None,
            factor_since=user.factor_since,
            codes_left=factors.codes_left(house, user),
            is_factor_required=house.settings.require_second_factor,
        )

    return routes
