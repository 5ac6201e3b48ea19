"""Requests to the API, and what is expected of their answers."""

from __future__ import annotations

from typing import Any

import aiohttp

EVENTS = {"report": "project-events", "details": {"projects": ["acme/shop"]}}
"""What a DataSet of events needs beside its name."""


async def asked(http: aiohttp.ClientSession, method: str, path: str, status: int = 200, **options: Any) -> Any:
    """The JSON of an answer with that status; a refusal is a problem document."""
    async with http.request(method, path, **options) as answer:
        told = await answer.json()
        assert answer.status == status, told
        if status >= 400:
            assert answer.content_type == "application/problem+json"
            assert told["status"] == status
        return told


async def ended(http: aiohttp.ClientSession, run_id: str) -> Any:
    """A run, once it has ended."""
    async with http.get(f"runs/{run_id}/events") as stream:
        await stream.read()
    return await asked(http, "GET", f"runs/{run_id}")


async def ran(http: aiohttp.ClientSession, name: str) -> Any:
    """A DataSet's run, asked for and ended."""
    run = await asked(http, "POST", "runs", 202, json={"dataset": name})
    return await ended(http, run["id"])
