"""`/api/v1/config`: what is stored, as a configuration; and what a configuration would change, and does."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from sentry_connector.datasets import config as configuration
from sentry_connector.operations import config
from sentry_connector.operations.config_steps import Planned, plan_view
from sentry_connector.runs.house import House
from sentry_connector.web import openapi
from sentry_connector.web.answers import json_of
from sentry_connector.web.bodies import body
from sentry_connector.web.idempotency import KeyedRoute
from sentry_connector.web.schemas import NewConfiguration


def config_routes(house: House) -> APIRouter:
    """The routes about configuration as code."""
    routes = APIRouter(prefix="/api/v1/config", tags=["config"], route_class=KeyedRoute)

    def planned(asked: NewConfiguration) -> Planned:
        wanted = config.read_texts(asked.files)
        to_do = config.plan(house, wanted, asked.secrets, prune=asked.prune)
        config.refuse_files(to_do)
        return to_do

    @routes.get("", summary="What is stored, as a configuration", responses=openapi.answers("StoredConfiguration"))
    def export() -> Response:
        """No secret is in it: in the place of each stands the name of a variable."""
        found, notes = config.export(house)
        text = configuration.text_of(found)
        return json_of({"text": text, "sections": configuration.sections(found), "notes": notes})

    @routes.post(
        "/plan",
        summary="What a configuration would change",
        responses=openapi.answers("ConfigurationPlan"),
        openapi_extra=openapi.takes(NewConfiguration),
    )
    def plan(asked: Annotated[NewConfiguration, Depends(body(NewConfiguration))]) -> Response:
        """Nothing is written, and nothing is asked of Sentry."""
        return json_of(plan_view(planned(asked)))

    @routes.post(
        "/apply",
        summary="Change what is stored into what a configuration says",
        responses=openapi.answers("ConfigurationPlan"),
        openapi_extra=openapi.takes(NewConfiguration),
    )
    async def apply(asked: Annotated[NewConfiguration, Depends(body(NewConfiguration))]) -> Response:
        """At the first step that fails it stops; the refusal's `steps` say what was done and what was not."""
        to_do = await house.aside(lambda: planned(asked))
        outcomes = await config.apply(house, to_do, asked.secrets)
        steps = [config.outcome_view(one) for one in outcomes]
        failed = next((one.error for one in outcomes if one.error is not None), None)
        if failed is not None:
            failed.data["steps"] = steps
            raise failed
        return json_of(
            {**plan_view(to_do), "steps": steps}, kept={**plan_view(to_do), "steps": _without_secrets(steps)}
        )

    return routes


def _without_secrets(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name != "secret"} for one in steps]
