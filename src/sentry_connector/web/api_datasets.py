"""`/api/v1/datasets`: tables that stay up to date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from sentry_connector.datasets.definition import Definition
from sentry_connector.errors import EditedMeanwhile
from sentry_connector.operations import datasets, purging
from sentry_connector.operations.purging import purged_view
from sentry_connector.operations.search import search
from sentry_connector.operations.views import dataset_view, dataset_views
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body, given
from sentry_connector.web.idempotency import KeyedRoute, Made
from sentry_connector.web.schemas import DataSetChanges, NewDataSet, Purge

MOST = 500

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The `ETag` that the DataSet had: it is changed only if nobody else has changed it.",
    ),
]


class Wanted(BaseModel, extra="forbid"):
    """Which DataSets are listed."""

    search: str | None = Field(None, description="Only those with this in their name or description.")
    tag: str | None = Field(None, description="Only those with this tag.")
    report: str | None = Field(None, description="Only those of this report.")
    account: str | None = Field(None, description="Only those of this account.")
    health: str | None = Field(None, description="Only those that are so, such as FAILED, late or paused.")
    deleted: bool = Field(False, description="Those that were deleted, in place of the others.")
    after: str | None = Field(None, description="The id of a DataSet: only those that come after it in the list.")
    limit: int = Field(100, ge=1, le=MOST, description="How many at most.")


def dataset_routes(house: House) -> APIRouter:
    """The routes about what DataSets are; `api_tables` has those about their tables."""
    routes = APIRouter(prefix="/api/v1/datasets", tags=["datasets"], route_class=KeyedRoute)
    unknown = openapi.refusals(HTTPStatus.NOT_FOUND)

    def answer(dataset: DataSet, status: int = HTTPStatus.OK) -> Response:
        headers = {"ETag": version_tag(dataset)}
        if status == HTTPStatus.CREATED:
            headers["Location"] = f"/api/v1/datasets/{dataset.id}"
        return json_of(dataset_view(house, dataset), status=status, headers=headers)

    @routes.get("", summary="DataSets, by name", responses=openapi.answers("DataSet", many=True) | unknown)
    def list_datasets(request: Request, wanted: Annotated[Wanted, Query()]) -> Response:
        """Where there may be more, the header `Link` names where they are."""
        found = search(house, text=wanted.search, **wanted.model_dump(exclude={"search"}))
        following = request.url.include_query_params(after=found[-1].id) if len(found) == wanted.limit else None
        headers = {"Link": f'<{following}>; rel="next"'} if following else None
        return json_of(dataset_views(house, found), headers=headers)

    @routes.post(
        "",
        summary="Make a DataSet",
        status_code=HTTPStatus.CREATED,
        responses=openapi.answers("DataSet", HTTPStatus.CREATED) | unknown,
        openapi_extra=openapi.takes(NewDataSet),
    )
    def create(asked: Annotated[NewDataSet, Depends(body(NewDataSet))], made: Made) -> Response:
        """Nothing is asked of Sentry before its first run."""
        fields = {name: getattr(asked, name) for name in Definition.__struct_fields__}
        wanted = Definition(**fields | {"report": catalogue.find(asked.report).slug})
        return answer(datasets.create(house, wanted, asked.account, made), HTTPStatus.CREATED)

    @routes.get("/{name}", summary="A DataSet, by name, slug or id", responses=openapi.answers("DataSet") | unknown)
    def show(name: str) -> Response:
        return answer(datasets.find(house, name))

    @routes.patch(
        "/{name}",
        summary="Change a DataSet: what is given changes, the rest stays",
        responses=openapi.answers("DataSet") | unknown | openapi.refusals(HTTPStatus.PRECONDITION_FAILED),
        openapi_extra=openapi.takes(DataSetChanges),
    )
    def edit(name: str, asked: Annotated[Any, Depends(body(DataSetChanges))], if_match: IfMatch = None) -> Response:
        """Within `details` too; a value is replaced whole, such as a list, the dates, or the retry.

        What would drop rows that the table holds is refused with their number in `rows`, unless `accept_loss` is true.
        """
        dataset, as_of = datasets.find(house, name), _as_of(if_match)
        changes = given(asked)
        without = "account" in changes and changes["account"] is None
        account = changes.pop("account", None)
        if "details" in changes:
            changes["details"] = msgspec.structs.replace(dataset.details, **given(changes["details"]))
        if not changes and account is None and not without:
            return answer(dataset)
        return answer(datasets.edit(house, dataset.id, changes, account, no_account=without, as_of=as_of))

    @routes.delete(
        "/{name}",
        summary="Put a DataSet out of sight; for 30 days it can be restored with its table",
        responses=openapi.answers("DataSet") | unknown,
    )
    def delete(name: str) -> Response:
        return answer(datasets.delete(house, name))

    _add_actions(routes, house, answer)
    return routes


def _add_actions(routes: APIRouter, house: House, answer: Callable[[DataSet], Response]) -> None:
    """The POSTs without a body, each for a word of the command line."""

    def add(word: str, summary: str, work: Callable[[str], DataSet]) -> None:
        answers = openapi.answers("DataSet") | openapi.refusals(HTTPStatus.NOT_FOUND)

        @routes.post(f"/{{name}}/{word}", name=word, summary=summary, responses=answers)
        def act(name: str) -> Response:
            return answer(work(name))

    @routes.post(
        "/{name}/purge",
        summary="Forget a deleted DataSet for good, with its table, its runs and their logs",
        responses=openapi.answers("PurgedDataSet") | openapi.refusals(HTTPStatus.NOT_FOUND),
        openapi_extra=openapi.takes(Purge),
    )
    async def purge(name: str, asked: Annotated[Purge, Depends(body(Purge))]) -> Response:
        """Where the table cannot be dropped, the DataSet stays in the bin, and cannot be restored any more."""
        return json_of(purged_view(await purging.purge(house, name, leave_table=asked.leave_table)))

    add("restore", "Bring a deleted DataSet back", lambda name: datasets.restore(house, name))
    add("pause", "Put its schedule at rest", lambda name: datasets.pause(house, name))
    add("resume", "Let its schedule go on, from its next slot", lambda name: datasets.resume(house, name))
    add("mute", "Keep its notices from being sent", lambda name: datasets.mute(house, name, muted=True))
    add("unmute", "Let its notices be sent again", lambda name: datasets.mute(house, name, muted=False))


def version_tag(dataset: DataSet) -> str:
    """What tells a DataSet from what it was before its last change."""
    return f'"{dataset.updated_at.astimezone(dt.UTC):%Y%m%dT%H%M%S.%fZ}"'


def _as_of(if_match: str | None) -> dt.datetime | None:
    """The change that a tag stands for; None where there is no tag, or where any is right.

    Raises:
        EditedMeanwhile: no DataSet ever has such a tag.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    try:
        return dt.datetime.strptime(if_match.strip(), '"%Y%m%dT%H%M%S.%fZ"').replace(tzinfo=dt.UTC)
    except ValueError:
        raise EditedMeanwhile("The DataSet has no such ETag (any more).") from None
