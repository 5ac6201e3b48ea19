"""A simulated Sentry for the demo, for tests and for benchmarks: a seeded world behind a look-alike of Sentry's API."""

from __future__ import annotations

from sentry_connector.simulator.faults import Fault, Faults
from sentry_connector.simulator.running import InThread, Simulation, running, start_in_thread
from sentry_connector.simulator.scale import Scale, world_of
from sentry_connector.simulator.server import create_app, ticking
from sentry_connector.simulator.tokens import (
    EXPIRED_TOKEN,
    INTEGRATION_TOKEN,
    ORG_TOKEN,
    PROJECT_TOKEN,
    SSO_TOKEN,
    TOKEN,
    TOKENS,
    Access,
)
from sentry_connector.simulator.world import World

__all__ = [
    "EXPIRED_TOKEN",
    "INTEGRATION_TOKEN",
    "ORG_TOKEN",
    "PROJECT_TOKEN",
    "SSO_TOKEN",
    "TOKEN",
    "TOKENS",
    "Access",
    "Fault",
    "Faults",
    "InThread",
    "Scale",
    "Simulation",
    "World",
    "create_app",
    "running",
    "start_in_thread",
    "ticking",
    "world_of",
]
