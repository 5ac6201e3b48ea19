"""`/api/v1/users`, `/api-keys`, `/audit`, and who shares a DataSet or an account."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.operations import audit, factors, origins, people, sharing
from sentry_connector.operations.views import entry_view, key_view, share_view, user_view
from sentry_connector.runs.house import House
from sentry_connector.store.audit import Wanted
from sentry_connector.store.rights import Right, Thing, User
from sentry_connector.web import openapi
from sentry_connector.web.access import visitor
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.schemas import Given, NewKey, NewOrigin, NewPassword, NewUser, UserChanges

MOST = 1000
JSON_LINES = "application/x-ndjson"

UNKNOWN = openapi.refusals(HTTPStatus.NOT_FOUND)
_TEXTS = openapi.texts()


class Page(BaseModel, extra="forbid"):
    """Which entries are listed."""

    before: int | None = Field(None, ge=1, description="Only entries with a lower number.")
    limit: int = Field(100, ge=1, le=MOST, description="How many at most.")
    actor: str = Field("", description="Stands in who it was.")
    action: str = Field("", description="Stands in what was done, in the words of the command line.")
    object: str = Field("", description="Stands in the name of what it was done to.")
    outcome: Literal["", "done", "refused"] = Field("", description="Only what ended so.")


def people_routes(house: House) -> APIRouter:
    """The routes about people, their keys, and what they did."""
    routes = APIRouter(prefix="/api/v1", route_class=KeyedRoute)
    _add_users(routes, house)
    _add_keys(routes, house)
    _add_origins(routes, house)
    for thing in Thing:
        _add_shares(routes, house, thing)

    @routes.get(
        "/audit",
        summary="Who did what, newest first",
        tags=["audit"],
        responses=openapi.answers("AuditEntry", many=True),
    )
    def list_audit(request: Request, page: Annotated[Page, Query()]) -> Response:
        """Where there may be more, the header `Link` names where they are."""
        wanted = Wanted(page.actor, page.action, page.object, page.outcome)
        found = audit.recent(house, before=page.before, limit=page.limit, wanted=wanted)
        more = request.url.include_query_params(before=found[-1].number) if len(found) == page.limit else None
        headers = {"Link": f'<{more}>; rel="next"'} if more else None
        return json_of([entry_view(one) for one in found], headers=headers)

    @routes.get(
        "/audit/proof",
        summary="Whether no entry was changed or is missing",
        tags=["audit"],
        responses=openapi.answers("AuditProof"),
    )
    def prove_audit() -> Response:
        """Kept elsewhere, the digest shows later whether the log still holds these entries."""
        count, digest = audit.verify(house)
        return json_of({"entries": count, "digest": digest})

    @routes.get(
        "/audit/export",
        summary="All entries, oldest first, as JSON Lines with their digests",
        tags=["audit"],
        response_class=Response,
        responses=openapi.text(JSON_LINES),
    )
    def export_audit() -> Response:
        lines = b"".join(msgspec.json.encode(entry_view(one)) + b"\n" for one in audit.everything(house))
        headers = {"Content-Disposition": "attachment; filename=audit.jsonl"}
        return Response(lines, media_type=JSON_LINES, headers=headers)

    return routes


def _add_users(routes: APIRouter, house: House) -> None:
    @routes.get("/users", summary="All people", tags=["users"], responses=openapi.answers("User", many=True))
    def list_users() -> Response:
        return json_of([user_view(one) for one in people.everybody(house)])

    @routes.post(
        "/users",
        summary="Let a person sign in",
        status_code=HTTPStatus.CREATED,
        tags=["users"],
        responses=openapi.answers("User", HTTPStatus.CREATED),
        openapi_extra=openapi.takes(NewUser),
    )
    def add_user(asked: Annotated[NewUser, Depends(body(NewUser))]) -> Response:
        if asked.password is not None and asked.issuer is None and asked.subject is None:
            made = people.add(house, asked.name, asked.role, asked.password)
        elif asked.password is None and asked.issuer and asked.subject:
            made = people.add_known_elsewhere(house, asked.name, asked.role, asked.issuer, asked.subject)
        else:
            raise UsageError("Give either a password, or an issuer and a subject.")
        return json_of(user_view(made), status=HTTPStatus.CREATED)

    _add_user(routes, house)


def _add_user(routes: APIRouter, house: House) -> None:
    @routes.get("/users/{name}", summary="A person", tags=["users"], responses=openapi.answers("User") | UNKNOWN)
    def show_user(name: str) -> Response:
        return json_of(user_view(people.find(house, name)))

    @routes.patch(
        "/users/{name}",
        summary="Change a person",
        tags=["users"],
        responses=openapi.answers("User") | UNKNOWN,
        openapi_extra=openapi.takes(UserChanges),
    )
    def change_user(name: str, asked: Annotated[UserChanges, Depends(body(UserChanges))]) -> Response:
        """Their sessions and API keys end."""
        user = people.find(house, name)
        if asked.role is not None:
            user = people.set_role(house, name, asked.role)
        if asked.active is not None:
            user = people.activate(house, name) if asked.active else people.deactivate(house, name)
        return json_of(user_view(user))

    @routes.post(
        "/users/{name}/password",
        summary="Give a person another password",
        status_code=HTTPStatus.NO_CONTENT,
        tags=["users"],
        responses=UNKNOWN,
        openapi_extra=openapi.takes(NewPassword),
    )
    def set_password(name: str, asked: Annotated[NewPassword, Depends(body(NewPassword))]) -> Response:
        """Their sessions and API keys end."""
        people.set_password(house, name, asked.password)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.post(
        "/users/{name}/sign-out",
        summary="End a person's sessions",
        status_code=HTTPStatus.NO_CONTENT,
        tags=["users"],
        responses=UNKNOWN,
    )
    def sign_out_user(name: str) -> Response:
        """Their API keys stay."""
        people.sign_out(house, name)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.delete(
        "/users/{name}/factor",
        summary="Ask a person for the password alone",
        status_code=HTTPStatus.NO_CONTENT,
        tags=["users"],
        responses=UNKNOWN,
    )
    def reset_factor(name: str) -> Response:
        """As where the phone and the recovery codes are lost. Their sessions and API keys end."""
        factors.forget(house, name)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.delete(
        "/users/{name}",
        summary="Forget a person",
        status_code=HTTPStatus.NO_CONTENT,
        tags=["users"],
        responses=UNKNOWN,
    )
    def delete_user(name: str) -> Response:
        people.delete(house, name)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_keys(routes: APIRouter, house: House) -> None:
    @routes.get(
        "/api-keys",
        summary="One's own API keys",
        tags=["api-keys"],
        responses=openapi.answers("ApiKey", many=True) | UNKNOWN,
    )
    def list_keys() -> Response:
        return json_of([key_view(*one) for one in people.keys(house, _oneself())])

    @routes.post(
        "/api-keys",
        summary="Make an API key",
        status_code=HTTPStatus.CREATED,
        tags=["api-keys"],
        responses=openapi.answers("NewlyMadeApiKey", HTTPStatus.CREATED) | UNKNOWN,
        openapi_extra=openapi.takes(NewKey),
    )
    def add_key(asked: Annotated[NewKey, Depends(body(NewKey))]) -> Response:
        """The key itself is answered this once, and to no request that is sent again."""
        owner, person = _oneself(), visitor().person
        people.refuse_more_rights(asked.scopes, person.rights if person else tuple(Right))
        made, key = people.add_key(house, asked.name, owner, asked.scopes, days=asked.days)
        view = key_view(made, owner)
        return json_of(view | {"key": key}, status=HTTPStatus.CREATED, kept=view)

    @routes.delete(
        "/api-keys/{key}",
        summary="End an API key",
        status_code=HTTPStatus.NO_CONTENT,
        tags=["api-keys"],
        responses=UNKNOWN,
    )
    def revoke_key(key: str) -> Response:
        """By its id or name."""
        people.revoke_key(house, people.find_key(house, key, _oneself()))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_shares(routes: APIRouter, house: House, thing: Thing) -> None:
    path = f"/{thing.value}s/{{name}}/shares"
    tags: list[str | Enum] = [f"{thing.value}s"]

    @routes.get(
        path,
        summary=f"Who shares the {thing.value}",
        tags=tags,
        responses=openapi.answers("Share", many=True) | UNKNOWN,
    )
    def list_shares(name: str) -> Response:
        return json_of(_views(sharing.shares(house, thing, name)))

    @routes.put(
        f"{path}/{{person}}",
        summary=f"Give a person a level of the {thing.value}",
        tags=tags,
        responses=openapi.answers("Share", many=True) | UNKNOWN,
        openapi_extra=openapi.takes(Given),
    )
    def give(name: str, person: str, asked: Annotated[Given, Depends(body(Given))]) -> Response:
        return json_of(_views(sharing.share(house, thing, name, person, asked.level)))

    @routes.delete(
        f"{path}/{{person}}",
        summary=f"Take the {thing.value} from a person",
        tags=tags,
        responses=openapi.answers("Share", many=True) | UNKNOWN,
    )
    def take(name: str, person: str) -> Response:
        return json_of(_views(sharing.share(house, thing, name, person, None)))


def _add_origins(routes: APIRouter, house: House) -> None:
    @routes.get("/origins", summary="Servers in private networks that may be asked", tags=["origins"], responses=_TEXTS)
    def list_origins() -> Response:
        return json_of(list(origins.everything(house)))

    @routes.post(
        "/origins",
        summary="Allow a server in a private network",
        status_code=HTTPStatus.CREATED,
        tags=["origins"],
        responses=openapi.facts("origin", statuses=(HTTPStatus.CREATED,)),
        openapi_extra=openapi.takes(NewOrigin),
    )
    def add_origin(asked: Annotated[NewOrigin, Depends(body(NewOrigin))]) -> Response:
        return json_of({"origin": origins.add(house, asked.url)}, status=HTTPStatus.CREATED)

    @routes.delete(
        "/origins/{origin:path}",
        summary="Allow a server no more",
        status_code=HTTPStatus.NO_CONTENT,
        tags=["origins"],
        responses=UNKNOWN,
    )
    def remove_origin(origin: str) -> Response:
        origins.remove(house, origin)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _views(found: Any) -> list[dict[str, Any]]:
    return [share_view(*one) for one in found]


def _oneself() -> User:
    """Whoever asks.

    Raises:
        UnknownName: there are no people, so that nobody has an API key.
    """
    person = visitor().person
    if person is None:
        raise UnknownName("person", "you", remedy="Add the first admin: sentry-connector users add NAME --role admin.")
    return person.user
