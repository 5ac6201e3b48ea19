"""`/api/v1/overview`: all DataSets at a glance."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from sentry_connector.operations.overview import PAGE, Group, Show, Sort, Wanted, overview, overview_view
from sentry_connector.runs.health import Status
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.access import visitor
from sentry_connector.web.answers import json_of


class Choice(BaseModel):
    """Which DataSets are shown, and how. What is empty says nothing."""

    search: str = Field(
        "", description="Words that stand in their name, description, report, account, owners, tags or columns."
    )
    show: Show = Field(Show.ALL, description="A quick choice; `recent`: run in the last 24 hours, `mine`: owned by me.")
    status: Status | Literal[""] = Field("", description="Only those that are so.")
    report: str = Field("", description="Only those of this report, by its slug.")
    account: str = Field("", description="Only those of this account.")
    owner: str = Field("", description="Only those that this person owns.")
    tag: str = Field("", description="Only those with this tag.")
    sort: Sort = Field(Sort.STATUS, description="The order; by status broken ones come first.")
    down: bool = Field(False, description="Whether the order is turned round.")
    group: Group | Literal[""] = Field("", description="Count them by this, in place of listing them.")
    page: int = Field(1, ge=1, le=1_000_000, description="Which page of the list.")
    limit: int = Field(PAGE, ge=1, le=PAGE, description="How many on a page.")

    def wanted(self) -> Wanted:
        """What is chosen, by whoever asks."""
        person = visitor().person
        fields = self.model_dump(exclude={"group", "status"})
        return Wanted(**fields, status=self.status or None, me=None if person is None else person.user.name)


class Asked(Choice, extra="forbid"):
    """As a program says it."""


def overview_routes(house: House) -> APIRouter:
    """The route to the DataSets at a glance."""
    routes = APIRouter(prefix="/api/v1/overview", tags=["datasets"])

    @routes.get("", summary="DataSets at a glance", responses=openapi.answers("Overview"))
    def show_overview(asked: Annotated[Asked, Query()]) -> Response:
        """Rows and columns as they were after the last run; a few queries, however many DataSets there are."""
        return json_of(overview_view(overview(house, asked.wanted(), asked.group or None)))

    return routes
