from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from tests.simulator.asking import Asking

from sentry_connector.simulator import World, running

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
Serving = Callable[..., AbstractAsyncContextManager[Asking]]


@pytest.fixture
def world() -> World:
    return World.build(now=NOW, events=1200, issues=120, bulk=12)


@contextlib.asynccontextmanager
async def serving(world: World, **options: Any) -> AsyncIterator[Asking]:
    """A world with a clock that stands still, unless the test moves the world on."""
    options.setdefault("clock", lambda: world.time)
    async with running(world, **options) as simulation, aiohttp.ClientSession() as session:
        yield Asking(simulation, session)


@pytest.fixture(name="serving")
def _serving() -> Serving:
    return serving


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Asking]:
    async with serving(world) as asking:
        yield asking
