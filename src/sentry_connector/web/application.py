"""The application: which paths there are."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from sentry_connector import __version__
from sentry_connector.destinations.paging import Finds
from sentry_connector.errors import ConnectorError
from sentry_connector.operations.sign_in import Door
from sentry_connector.people.claim import Claim
from sentry_connector.people.passwords import Passwords
from sentry_connector.people.throttle import Throttle
from sentry_connector.runs import readiness
from sentry_connector.runs.engine import Engine
from sentry_connector.web import openapi, refusals
from sentry_connector.web.access import Access, HouseOfRequest
from sentry_connector.web.answers import json_of
from sentry_connector.web.api_accounts import account_routes
from sentry_connector.web.api_config import config_routes
from sentry_connector.web.api_datasets import dataset_routes
from sentry_connector.web.api_destinations import destination_routes
from sentry_connector.web.api_drafts import draft_routes
from sentry_connector.web.api_looks import look_routes
from sentry_connector.web.api_notices import notice_routes
from sentry_connector.web.api_overview import overview_routes
from sentry_connector.web.api_people import people_routes
from sentry_connector.web.api_query import query_routes
from sentry_connector.web.api_reports import choice_routes, report_routes
from sentry_connector.web.api_rows import row_routes
from sentry_connector.web.api_runs import run_routes
from sentry_connector.web.api_service import service_routes
from sentry_connector.web.api_tables import table_routes
from sentry_connector.web.envelope import Envelope
from sentry_connector.web.guard import Guard
from sentry_connector.web.metrics import MEDIA_TYPE, Metrics
from sentry_connector.web.oidc import oidc_of, oidc_routes
from sentry_connector.web.pages.assets import Assets
from sentry_connector.web.pages.door import Doors
from sentry_connector.web.pages.rendering import Pages
from sentry_connector.web.pages.routes import page_routes
from sentry_connector.web.place import Place
from sentry_connector.web.policy import Policy
from sentry_connector.web.problems import Desk
from sentry_connector.web.sign_in import sign_in_routes
from sentry_connector.web.streaming import STATEMENTS_AT_ONCE, RowStreams


def application(engine: Engine, metrics: Metrics, place: Place, claim: Claim | None = None) -> FastAPI:
    """The paths over an engine and what it stands on.

    Args:
        engine: does the runs.
        metrics: its figures.
        place: how the server is reached.
        claim: the code for the first admin, where one was printed.
    """
    app = FastAPI(
        title="Sentry Connector",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a path is written in one way
        generate_unique_id_function=openapi.operation_id,
    )
    whole = engine.house
    app.state.house = house = HouseOfRequest(whole)
    places = tuple(map(str, whole.settings.folders.values()))
    app.state.desk = desk = Desk(log=engine.log, now=whole.now, rng=whole.rng, places=places)
    app.add_middleware(Access, house=whole, place=place, policy=Policy(), desk=desk)
    app.add_middleware(Guard, place=place)
    app.add_middleware(Envelope, desk=desk)  # around all others
    app.add_exception_handler(ConnectorError, refusals.answer_connector_error)
    app.add_exception_handler(RequestValidationError, refusals.answer_invalid_request)
    app.add_exception_handler(HTTPException, refusals.answer_http_error)
    app.state.place = place
    app.state.pages = pages = Pages(Assets(), whole.now, place)
    oidc = oidc_of(whole.settings, place)
    doors = Doors(
        passwords=oidc is None or not whole.settings.oidc_only,
        provider=None if oidc is None else oidc.provider.issuer,
        code=claim is not None,
    )
    streams, statements, finds = RowStreams(), RowStreams(STATEMENTS_AT_ONCE), Finds()
    for routes in (
        report_routes(),
        choice_routes(house),
        account_routes(house),
        dataset_routes(house),
        draft_routes(house),
        overview_routes(house),
        destination_routes(house),
        config_routes(house),
        table_routes(house, streams),
        look_routes(house, finds, streams),
        run_routes(house),
        query_routes(house, statements),
        row_routes(house, streams, statements),
        notice_routes(house),
        service_routes(house),
        people_routes(house),
        sign_in_routes(whole, place, Door(Passwords(), Throttle(), Throttle()), claim),
        oidc_routes(whole, place, oidc),
        *page_routes(house, pages, doors, engine, finds),
    ):
        app.include_router(routes)

    @app.get("/livez", summary="Whether the process lives", tags=["service"], responses=openapi.facts("status"))
    async def livez() -> Response:
        return json_of({"status": "alive"})

    @app.get(
        "/readyz",
        summary="Whether it does what it is there for, and if not, why",
        tags=["service"],
        responses=openapi.answers("Readiness", HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    def readyz() -> Response:
        wrong = readiness.wrong(engine)
        status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
        facts = {"status": "not ready" if wrong else "ready", "wrong": wrong, "ticked_at": engine.ticked_at}
        return json_of(facts, status=status)

    @app.get("/version", summary="The version that runs", tags=["service"], responses=openapi.facts("version"))
    async def version() -> Response:
        return json_of({"version": __version__})

    @app.get(
        "/metrics",
        summary="Figures in the text form of Prometheus",
        tags=["service"],
        response_class=Response,
        responses=openapi.text(MEDIA_TYPE) | openapi.refusals(HTTPStatus.SERVICE_UNAVAILABLE),
    )
    def figures() -> Response:
        return Response(metrics.text(), headers={"Content-Type": MEDIA_TYPE})

    openapi.describe(app)
    return app
