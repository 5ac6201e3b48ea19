"""`/api/v1/accounts`: stored Sentry tokens. A token is given and never answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from sentry_connector.operations import accounts
from sentry_connector.operations.doctor import checks_view, of_connection
from sentry_connector.operations.views import account_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import Account
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute, Made
from sentry_connector.web.pages.words import Language
from sentry_connector.web.schemas import AccountChanges, NewAccount, NewToken
from sentry_connector.web.sentences import FINDING, spoken


def account_routes(house: House) -> APIRouter:
    """The routes about accounts."""
    routes = APIRouter(prefix="/api/v1/accounts", tags=["accounts"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)
    asks = openapi.refusals(HTTPStatus.BAD_GATEWAY)

    def view(account: Account) -> dict[str, Any]:
        return account_view(account, accounts.used_by(house, account))

    async def answer(account: Account) -> Response:
        return json_of(await run_in_threadpool(view, account))

    @routes.get("", summary="All accounts", responses=openapi.answers("Account", many=True))
    def list_accounts() -> Response:
        return json_of([account_view(*one) for one in accounts.with_users(house, accounts.everything(house))])

    @routes.post(
        "",
        summary="Store a token under a name, once Sentry takes it",
        status_code=HTTPStatus.CREATED,
        responses=openapi.answers("Account", HTTPStatus.CREATED) | asks,
        openapi_extra=openapi.takes(NewAccount),
    )
    async def add(asked: Annotated[NewAccount, Depends(body(NewAccount))], made: Made) -> Response:
        url = asked.url or house.settings.url
        account = await accounts.add(house, asked.name, url, asked.token.strip(), made)
        headers = {"Location": f"/api/v1/accounts/{account.id}"}
        return json_of(await run_in_threadpool(view, account), status=HTTPStatus.CREATED, headers=headers)

    @routes.get("/{name}", summary="An account, by name or id", responses=openapi.answers("Account") | unknown)
    def show(name: str) -> Response:
        return json_of(view(accounts.find(house, name)))

    @routes.patch(
        "/{name}",
        summary="Give an account another name; its DataSets keep it",
        responses=openapi.answers("Account") | unknown,
        openapi_extra=openapi.takes(AccountChanges),
    )
    def rename(name: str, asked: Annotated[AccountChanges, Depends(body(AccountChanges))]) -> Response:
        return json_of(view(accounts.rename(house, name, asked.name)))

    @routes.post(
        "/{name}/check",
        summary="Ask Sentry whether the token is good, and what it may",
        responses=openapi.answers("Account") | unknown | asks,
    )
    async def check(name: str) -> Response:
        return await answer(await accounts.check(house, name))

    @routes.post(
        "/{name}/replace-token",
        summary="Replace the token, once Sentry takes the new one",
        responses=openapi.answers("Account") | unknown | asks,
        openapi_extra=openapi.takes(NewToken),
    )
    async def replace_token(name: str, asked: Annotated[NewToken, Depends(body(NewToken))]) -> Response:
        return await answer(await accounts.replace_token(house, name, asked.token.strip(), asked.url))

    @routes.delete(
        "/{name}",
        summary="Forget an account and its token",
        responses=openapi.answers("Account") | unknown,
    )
    def delete(name: str) -> Response:
        """The DataSets of `used_by` stay, and wait for another account."""
        account, users = accounts.delete(house, name)
        return json_of(account_view(account, users))

    _add_checks(routes, house)
    return routes


def _add_checks(routes: APIRouter, house: House) -> None:
    """The route that looks at the way to Sentry, with whatever account one may use."""

    @routes.get(
        "/{name}/checks",
        name="checks",
        summary="Whether Sentry can be reached with it, and what each report needs, piece by piece",
        responses=openapi.answers("Diagnosis") | openapi.refusals(HTTPStatus.NOT_FOUND),
    )
    async def checks(name: str, language: Language) -> Response:
        """Sentry is asked. A check that fails is a result, and no error."""
        connection = await run_in_threadpool(lambda: accounts.connection(house, name))
        return json_of(spoken(checks_view(await of_connection(house, connection)), language, FINDING))
