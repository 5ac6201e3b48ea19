"""A plain reader with `requests`: one page after the other, its rows into Parquet files at the end, as a careful script does it.

It keeps one connection, follows the cursors as Sentry wants it (the next page is there where `results` says so, not where a page
is full), and waits for the limit's reset after a 429.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests

from bench.peers.work import Listing, Work, done, from_command_line

TIMEOUT = 60
SCALARS = (str, int, float, bool, type(None))


def main() -> None:
    """Read and write each table."""
    work = from_command_line()
    tables: dict[str, list[dict[str, Any]]] = {}
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {work.token}"
        for listing in work.listings:
            tables.setdefault(listing.table, []).extend(_rows(session, work, listing))
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows), work.folder / f"{name}.parquet")
    done(sum(map(len, tables.values())))


def _rows(session: Any, work: Work, listing: Listing) -> Iterator[dict[str, Any]]:
    for project in work.projects if listing.by_project else ("",):
        path, params = listing.asked(work.organization, project)
        for page in _pages(session, work.url + path, params):
            yield from (_flat(row, project) for row in page)


def _pages(session: Any, url: str, params: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    cursor: dict[str, str] = {}
    while True:
        answer = _asked(session, url, params | cursor)
        yield answer.json()
        following = answer.links["next"]
        if following["results"] != "true":
            return
        cursor = {"cursor": following["cursor"]}


def _asked(session: Any, url: str, params: Mapping[str, str]) -> Any:
    while True:
        answer = session.get(url, params=params, timeout=TIMEOUT)
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            answer.raise_for_status()
            return answer
        time.sleep(max(0.0, float(answer.headers["X-Sentry-Rate-Limit-Reset"]) - time.time()))


def _flat(row: dict[str, Any], project: str) -> dict[str, Any]:
    """What is nested becomes JSON text, which every reader of Parquet understands."""
    flat = {key: value if isinstance(value, SCALARS) else json.dumps(value) for key, value in row.items()}
    return flat | {"project_slug": project}


if __name__ == "__main__":
    main()
