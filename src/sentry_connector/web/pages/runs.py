"""`/runs`: what was run and what runs now, and each run with all that is known of it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from sentry_connector.operations import runs
from sentry_connector.runs.house import House
from sentry_connector.store.records import RunState, Trigger, Verdict
from sentry_connector.store.rights import Thing
from sentry_connector.web.access import levels
from sentry_connector.web.pages.navigation import address
from sentry_connector.web.pages.rendering import Pages

PAGE = 100
CANCEL = "/api/v1/runs/{run_id}/cancel"


class Choice(BaseModel):
    """Which runs are shown. What is empty says nothing."""

    dataset: str = ""
    state: RunState | Literal[""] = ""
    verdict: Verdict | Literal[""] = ""
    trigger: Trigger | Literal[""] = ""
    before: str = ""


def run_pages(house: House, pages: Pages) -> APIRouter:
    """The pages about runs."""
    routes = APIRouter(prefix="/runs", include_in_schema=False)

    @routes.get("")
    def show_runs(request: Request, asked: Annotated[Choice, Query()]) -> Response:
        found = runs.history(
            house,
            asked.dataset.strip() or None,
            state=asked.state or None,
            verdict=asked.verdict or None,
            trigger=asked.trigger or None,
            before=asked.before or None,
            limit=PAGE + 1,
        )
        chosen = {name: value for name, value in asked.model_dump(mode="json").items() if value}
        more = found[PAGE - 1][0].id if len(found) > PAGE else None
        level_of = levels(Thing.DATASET)
        return pages.page(
            request,
            "runs/list.html",
            found=found[:PAGE],
            may_cancel=lambda run: pages.can_with("POST", CANCEL, level_of(run.dataset_id)),
            asked=asked,
            is_chosen=bool(chosen.keys() - {"before"}),
            newest=address("/runs", **chosen | {"before": ""}),
            older=address("/runs", **chosen | {"before": more}) if more else None,
            states=list(RunState),
            verdicts=list(Verdict),
            triggers=list(Trigger),
        )

    @routes.get("/{run_id}")
    def show_run(request: Request, run_id: str) -> Response:
        run, dataset = runs.find_by_id(house, run_id)
        progress = house.store.runs.progress(run_id)
        return pages.page(
            request,
            "runs/show.html",
            run=run,
            dataset=dataset,
            progress=msgspec.to_builtins(progress) if progress else None,
            account_name=None if dataset is None else _account_name(house, dataset.account_id),
        )

    return routes


def _account_name(house: House, account_id: str | None) -> str | None:
    account = house.store.accounts.get(account_id) if account_id else None
    return account.name if account else None
