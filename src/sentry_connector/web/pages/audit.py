"""`/audit`: who did what."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.errors import AuditBroken
from sentry_connector.operations import audit
from sentry_connector.operations.views import entry_view
from sentry_connector.runs.house import House
from sentry_connector.store.audit import Wanted
from sentry_connector.web.pages.rendering import Pages

A_PAGE = 100


def audit_pages(house: House, pages: Pages) -> APIRouter:
    """The page about the audit log."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/audit")
    def show_audit(
        request: Request,
        actor: str = "",
        action: str = "",
        object: str = "",  # noqa: A002  # the field's name
        outcome: str = "",
        before: int | None = None,
    ) -> Response:
        wanted = Wanted(actor=actor.strip(), action=action.strip(), object=object.strip(), outcome=outcome)
        found = audit.recent(house, before=before, limit=A_PAGE, wanted=wanted)
        return pages.page(
            request,
            "audit/list.html",
            entries=[entry_view(one) for one in found],
            wanted=wanted,
            before=before,
            older=found[-1].number if len(found) == A_PAGE else None,
        )

    @routes.get("/audit/proof")
    def show_proof(request: Request) -> Response:
        """All entries are read, so that it is its own page."""
        try:
            count, digest = audit.verify(house)
        except AuditBroken as error:
            return pages.page(request, "audit/proof.html", error=error.as_dict(), count=None, digest=None)
        return pages.page(request, "audit/proof.html", error=None, count=count, digest=digest)

    return routes
