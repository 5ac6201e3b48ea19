"""`/api/v1/notices`: what was told, and the channels that it is sent to. An address is given and never answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentry_connector.operations import notices
from sentry_connector.operations.views import channel_view, notice_view
from sentry_connector.runs.house import House
from sentry_connector.store.records import Channel
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body, given
from sentry_connector.web.idempotency import KeyedRoute, Made
from sentry_connector.web.schemas import ChannelChanges, NewChannel


class Wanted(BaseModel, extra="forbid"):
    """Which notices are listed."""

    dataset: str | None = Field(None, description="Only this DataSet's, and those about its account.")
    before: str | None = Field(None, description="The id of a notice: only those that come after it in the list.")
    limit: int = Field(100, ge=1, le=1000, description="How many at most.")


def notice_routes(house: House) -> APIRouter:
    """The routes about notices and channels."""
    routes = APIRouter(prefix="/api/v1/notices", tags=["notices"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)

    def view(channel: Channel) -> dict[str, Any]:
        return channel_view(channel, house.store.datasets.names())

    async def answer(channel: Channel) -> Response:
        return json_of(await run_in_threadpool(view, channel))

    @routes.get("", summary="What was told, newest first", responses=openapi.answers("Notice", many=True) | unknown)
    def sent(wanted: Annotated[Wanted, Query()]) -> Response:
        """Each notice says what became of it on each channel."""
        found = notices.told(house, wanted.dataset, before=wanted.before, limit=wanted.limit)
        channels = notices.names(house)
        return json_of([notice_view(notice, to, channels) for notice, to in found])

    @routes.get("/channels", summary="All channels", responses=openapi.answers("Channel", many=True))
    def list_channels() -> Response:
        datasets = house.store.datasets.names()
        return json_of([channel_view(channel, datasets) for channel in notices.everything(house)])

    @routes.post(
        "/channels",
        summary="Add a channel",
        status_code=HTTPStatus.CREATED,
        responses=openapi.answers("NewlyMadeChannel", HTTPStatus.CREATED) | unknown,
        openapi_extra=openapi.takes(NewChannel),
    )
    async def add(asked: Annotated[NewChannel, Depends(body(NewChannel))], made: Made) -> Response:
        """The secret that a webhook's notices are signed with is answered this once, and to no request that is sent again."""
        channel, secret = await notices.add(
            house, asked.name, asked.address.strip(), kinds=asked.kinds, datasets=asked.datasets, id=made
        )
        made_view = await run_in_threadpool(view, channel)
        headers = {"Location": f"/api/v1/notices/channels/{channel.id}"}
        shown = made_view | ({"secret": secret} if secret else {})
        return json_of(shown, status=HTTPStatus.CREATED, headers=headers, kept=made_view)

    @routes.get("/channels/{name}", summary="A channel, by name or id", responses=openapi.answers("Channel") | unknown)
    def show(name: str) -> Response:
        return json_of(view(notices.find(house, name)))

    @routes.patch(
        "/channels/{name}",
        summary="Change a channel: what is given changes, the rest stays",
        responses=openapi.answers("Channel") | unknown,
        openapi_extra=openapi.takes(ChannelChanges),
    )
    async def edit(name: str, asked: Annotated[ChannelChanges, Depends(body(ChannelChanges))]) -> Response:
        changes = given(asked)
        channel = await notices.edit(
            house,
            name,
            new_name=changes.get("name"),
            url=changes.get("address"),
            kinds=changes.get("kinds"),
            datasets=changes.get("datasets"),
        )
        return await answer(channel)

    @routes.post(
        "/channels/{name}/test",
        summary="Send a test, on the way of every other notice",
        responses=openapi.answers("Channel") | unknown | openapi.refusals(HTTPStatus.BAD_GATEWAY),
    )
    async def test(name: str) -> Response:
        return await answer(await notices.test(house, name))

    @routes.delete(
        "/channels/{name}",
        summary="Forget a channel and its address",
        responses=openapi.answers("Channel") | unknown,
    )
    def delete(name: str) -> Response:
        return json_of(view(notices.delete(house, name)))

    return routes
