"""`/accounts`: stored Sentry tokens, what they may, and who uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.operations import accounts, sharing
from sentry_connector.operations.views import account_view, share_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import Account
from sentry_connector.store.rights import Level, Thing
from sentry_connector.web.pages.rendering import Pages


def account_pages(house: House, pages: Pages) -> APIRouter:
    """The pages about accounts."""
    routes = APIRouter(prefix="/accounts", include_in_schema=False)

    def views(known: Sequence[Account]) -> list[dict[str, Any]]:
        owners = house.store.grants.all_owners(Thing.ACCOUNT)
        return [
            account_view(account, used_by) | {"datasets": used_by, "owners": owners.get(account.id, [])}
            for account, used_by in accounts.with_users(house, known)
        ]

    @routes.get("")
    def show_accounts(request: Request, search: str = "", sort: str = "name") -> Response:
        known = views(accounts.everything(house))
        wanted = search.strip().casefold()
        found = sorted((one for one in known if wanted in _text(one)), key=_order(sort))
        return pages.page(request, "accounts/list.html", accounts=found, are_any=bool(known), search=search, sort=sort)

    @routes.get("/new")
    def show_new_account(request: Request) -> Response:
        return pages.page(request, "accounts/new.html", url=house.settings.url)

    @routes.get("/{name}")
    def show_account(request: Request, name: str) -> Response:
        account = accounts.find(house, name)
        are_seen = pages.can("GET", f"/api/v1/accounts/{account.id}/shares")
        shares = sharing.shares(house, Thing.ACCOUNT, account.name) if are_seen else []
        return pages.page(
            request,
            "accounts/show.html",
            account=views([account])[0],
            levels=[one.value for one in Level],
            shares=[share_view(user, grant) for user, grant in shares],
        )

    return routes


def _text(account: dict[str, Any]) -> str:
    return "\n".join((account["name"], account["url"], *account["owners"], *account["used_by"])).casefold()


def _order(sort: str) -> Any:
    orders = {
        "status": lambda one: (one["status"] == "valid", one["name"].casefold()),
        "used": lambda one: (-len(one["used_by"]), one["name"].casefold()),
        "token": lambda one: (one["token_since"] or one["created_at"], one["name"].casefold()),
    }
    return orders.get(sort, lambda one: one["name"].casefold())
