"""A plain client for the tests of the simulator: it asks, follows cursors and repeats nothing by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from sentry_connector.simulator import TOKEN, Simulation

MOST_PAGES = 500
LINK = re.compile(r'<([^>]*)>; rel="(previous|next)"; results="(true|false)"; cursor="([^"]*)"')


@dataclass(frozen=True)
class Told:
    """An answer. `links` has (address, results, cursor) by relation."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.text)

    @property
    def links(self) -> dict[str, tuple[str, bool, str]]:
        found = LINK.findall(self.headers.get("Link", ""))
        return {rel: (url, results == "true", cursor) for url, rel, results, cursor in found}


@dataclass(frozen=True)
class Asking:
    """A session with one simulated Sentry."""

    simulation: Simulation
    session: aiohttp.ClientSession

    async def get(self, path: str, token: str | None = TOKEN, **headers: str) -> Told:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = path if path.startswith("http") else f"{self.simulation.url}/api/0/{path}"
        async with self.session.get(url, headers=headers, allow_redirects=False) as response:
            return Told(response.status, dict(response.headers), await response.text())

    async def pages(self, path: str) -> AsyncIterator[Told]:
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            join = "&" if "?" in path else "?"
            told = await self.get(path if cursor is None else f"{path}{join}cursor={cursor}")
            assert told.status == 200, told.text
            yield told
            _, more, cursor = told.links["next"]
            if not more:
                return
        raise AssertionError(f"{path} does not end")

    async def rows(self, path: str) -> list[dict[str, Any]]:
        return [row async for told in self.pages(path) for row in told.json]
