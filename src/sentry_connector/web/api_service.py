"""`/api/v1/schedule`, `/settings`, `/workers` and `/doctor`: what a schedule means, what is decided, who works, what is wrong."""

from __future__ import annotations

import dataclasses
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sentry_connector.datasets.schedule import EXAMPLES
from sentry_connector.operations import accounts, schedules, vault, workers
from sentry_connector.operations.doctor import checks_view, doctor, doctor_of_storage
from sentry_connector.operations.schedules import MOST_SLOTS
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.pages.words import Language, translations
from sentry_connector.web.sentences import FINDING, spoken


class Asked(BaseModel, extra="forbid"):
    """Which schedule, and which of its slots."""

    rule: str = Field(description=f"Such as {EXAMPLES}.", max_length=1000)
    timezone: str = Field("UTC", description="The IANA time zone of its times.", max_length=100)
    start: str | None = Field(
        None,
        alias="from",
        description="Slots after this time, such as 2026-03-08 or 2026-03-08T01:30; by default now.",
        max_length=100,
    )
    count: int = Field(5, ge=1, le=MOST_SLOTS, description="How many slots.")


class Examined(BaseModel, extra="forbid"):
    """Whose way to Sentry is looked at."""

    account: str | None = Field(None, description="By default that of the server's SENTRY_AUTH_TOKEN.")
    storage: bool = Field(False, description="Look at the tables' storage alone, without asking Sentry.")


def service_routes(house: House) -> APIRouter:
    """The routes about the service itself."""
    routes = APIRouter(prefix="/api/v1", tags=["service"], route_class=KeyedRoute)

    @routes.get(
        "/schedule",
        summary="What a schedule means, in words and in its next slots",
        responses=openapi.answers("Schedule"),
    )
    def schedule(asked: Annotated[Asked, Query()], language: Language) -> Response:
        say = translations(language).gettext
        found = schedules.meaning(
            asked.rule, asked.timezone, house.now(), start=asked.start, count=asked.count, say=say
        )
        return json_of(spoken(schedules.schedule_view(found), language, {"note"}))

    @routes.get("/settings", summary="The settings, secrets masked", responses=openapi.answers("Setting", many=True))
    async def settings() -> Response:
        return json_of(house.settings.described())

    @routes.post(
        "/vault/rotate",
        summary="Seal all stored secrets with a new key",
        responses=openapi.answers("Rotated"),
    )
    async def rotate() -> Response:
        """Where the key comes from the environment, it is changed there."""
        return json_of(dataclasses.asdict(await vault.rotate(house)))

    @routes.get(
        "/workers",
        summary="The workers that live, servers too, and what they are at work on",
        responses=openapi.answers("Worker", many=True),
    )
    def at_work() -> Response:
        return json_of([dataclasses.asdict(one) for one in workers.living(house)])

    @routes.get(
        "/doctor",
        name="doctor",
        summary="Everything that a run needs, looked at piece by piece",
        responses=openapi.answers("Diagnosis") | openapi.refusals(HTTPStatus.NOT_FOUND),
    )
    async def examine(asked: Annotated[Examined, Query()], language: Language) -> Response:
        """Sentry is asked, but for the storage alone. A check that fails is a result, and no error."""
        if asked.storage:
            return json_of(spoken(checks_view(await doctor_of_storage(house)), language, FINDING))
        connection = await run_in_threadpool(lambda: accounts.connection(house, asked.account))
        return json_of(spoken(checks_view(await doctor(house, connection)), language, FINDING))

    return routes
