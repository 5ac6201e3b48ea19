"""The same rows by dlt's `rest_api` source into DuckDB, as a careful engineer would write it.

- Lists of projects hang from the list of projects, and `parallelized` reads several of them at once. Events have a resource for
  each project, since each project needs an incremental state of its own; their rows share a table.
- A paginator of its own: Sentry's Link header always names a next page, and `results` says whether there is one.
- Events never change: they are appended, incrementally by their time. What changes is merged by its key.
- Nothing is unnested, and the files between the steps are Parquet.
- Under limits an adapter that reads a project's events one at a time, as Sentry demands it, and waits for the reset after a 429.
- As many extract workers as there may be connections. More than one process to normalize in makes it slower here: starting them
  costs more than they save (measured on two processors).
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from bench.peers.work import LISTINGS, Listing, Work, done, from_command_line

CONNECTIONS = "25"
PARENT = LISTINGS["organization-projects"].table
EARLIEST = "2008-05-08T00:00:00Z"
SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "EXTRACT__WORKERS": CONNECTIONS,
    "EXTRACT__MAX_PARALLEL_ITEMS": CONNECTIONS,
    "NORMALIZE__WORKERS": "1",
}

os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})

import dlt  # noqa: E402  # it reads its settings when it is imported
from dlt.sources.helpers.requests.session import Session  # noqa: E402
from dlt.sources.helpers.rest_client.paginators import BasePaginator  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402
from requests.adapters import HTTPAdapter  # noqa: E402


class LinkPaginator(BasePaginator):  # type: ignore[misc]  # dlt is no part of the environment that is checked
    """Sentry's cursors."""

    def __init__(self) -> None:
        super().__init__()
        self._cursor: str | None = None

    def update_state(self, response: Any, data: list[Any] | None = None) -> None:  # noqa: ARG002  # dlt's signature
        """Take the next cursor, where it leads to anything."""
        following = response.links.get("next", {})
        self._has_next_page = following.get("results") == "true"
        self._cursor = following.get("cursor")

    def update_request(self, request: Any) -> None:
        """Ask for the next page."""
        request.params = {**(request.params or {}), "cursor": self._cursor}


class Patience(HTTPAdapter):
    """Keeps within Sentry's limits: project events one at a time, and no request before the reset that a 429 names.

    It stands below the session, since dlt makes an error of a 429 as soon as the session sees it.
    """

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        """Send it, as often as it takes."""
        with ONE_AT_A_TIME if "/projects/" in request.url and "/events/" in request.url else AT_ONCE:
            while True:
                answer = super().send(request, *args, **options)
                if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                    return answer
                answer.close()
                time.sleep(max(0.0, float(answer.headers["X-Sentry-Rate-Limit-Reset"]) - time.time()))


ONE_AT_A_TIME = threading.Semaphore(1)
AT_ONCE = threading.Semaphore(int(CONNECTIONS))


def main() -> None:
    """Run the pipeline."""
    work = from_command_line()
    pipeline = dlt.pipeline(
        pipeline_name="sentry",
        pipelines_dir=str(work.folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(work.folder / "rows.duckdb")),
        dataset_name="sentry",
    )
    pipeline.run(source_of(work), loader_file_format="parquet")
    counts = pipeline.last_trace.last_normalize_info.row_counts if pipeline.last_trace.last_normalize_info else {}
    done(sum(count for table, count in counts.items() if not table.startswith("_dlt")))


def source_of(work: Work) -> Any:
    """The source: the lists, and the list of projects that some of them hang from, loaded only where it is wanted itself."""
    client: dict[str, Any] = {"base_url": work.url, "auth": {"type": "bearer", "token": work.token}}
    if work.limits:
        client["session"] = session = Session(raise_for_status=False)
        session.mount(work.url, Patience(pool_maxsize=int(CONNECTIONS)))
    resources = [one for listing in work.listings for one in _resources(work, listing)]
    if not any(one["name"] == PARENT for one in resources) and any("include_from_parent" in one for one in resources):
        (parent,) = _resources(work, LISTINGS["organization-projects"])
        resources.insert(0, {**parent, "selected": False})
    config = {"client": {**client, "paginator": LinkPaginator()}, "resources": resources}
    return rest_api_source(config, name="sentry", max_table_nesting=0, parallelized=True)


def _resources(work: Work, listing: Listing) -> Iterator[dict[str, Any]]:
    if listing.time:
        yield from (_incremental(work, listing, project) for project in work.projects)
        return
    resource = _resource(work, listing, f"{{resources.{PARENT}.slug}}")
    if listing.by_project:
        resource["include_from_parent"] = ["slug"]
        resource["parallelized"] = True
        resource["primary_key"] = [f"_{PARENT}_slug" if field == "project" else field for field in listing.key]
    yield resource


def _incremental(work: Work, listing: Listing, project: str) -> dict[str, Any]:
    resource = _resource(work, listing, project)
    endpoint = resource["endpoint"]
    # Sentry wants both ends of a window or none.
    endpoint["params"] |= {"start": "{incremental.start_value}", "end": _now()}
    endpoint["incremental"] = {"cursor_path": listing.time, "initial_value": EARLIEST}
    return {**resource, "name": f"{listing.table}_{project.replace('-', '_')}", "write_disposition": "append"}


def _resource(work: Work, listing: Listing, project: str) -> dict[str, Any]:
    path, params = listing.asked(work.organization, project)
    return {
        "name": listing.table,
        "table_name": listing.table,
        "primary_key": list(listing.key),
        "write_disposition": "merge",
        "endpoint": {"path": path, "params": params, "data_selector": "$"},
    }


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    main()
