"""The house has floors: a room imports only from the rooms above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "sentry_connector"

FLOORS = (
    {"errors"},
    {"settings", "redact", "tracing"},
    {"telemetry"},
    {"reports"},
    {"sentry"},
    {"extraction"},
    {"formats", "destinations"},
    {"store", "queries"},
    {"datasets", "notices", "people"},
    {"runs"},
    {"operations"},
    {"app"},
    {"web", "library"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
SIMULATOR_USERS = {"cli/simulate.py", "cli/demo.py"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported_rooms(module: Path) -> set[str]:
    """The rooms of this package that a module imports from, type-only and deferred imports included."""
    rooms = set()
    for node in ast.walk(ast.parse(module.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            first, _, rest = name.partition(".")
            if first == "sentry_connector" and rest:
                rooms.add(rest.split(".")[0])
    return rooms - {"__version__"}


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(module: Path) -> None:
    """Otherwise the rooms would grow into one knot, and no part could be understood alone."""
    room, place = room_of(module), module.relative_to(PACKAGE).as_posix()
    if room == "simulator":
        assert imported_rooms(module) <= {"simulator"}
        return
    if room == "__init__":
        return
    allowed = {other for other, floor in FLOOR.items() if floor < FLOOR[room]} | {room}
    if place in SIMULATOR_USERS:
        allowed.add("simulator")
    assert imported_rooms(module) <= allowed


def test_every_room_has_a_floor() -> None:
    """A new room must say where it stands."""
    rooms = {room_of(module) for module in MODULES} - {"__init__", "simulator"}
    assert rooms <= FLOOR.keys()


def test_one_module_speaks_http_to_sentry() -> None:
    """Limits, retries and the token's host are kept in one place; a webhook and an identity provider are no Sentry."""
    speakers = {
        module.relative_to(PACKAGE).as_posix()
        for module in MODULES
        if room_of(module) != "simulator"
        and any(
            isinstance(node, ast.Import | ast.ImportFrom)
            and any(
                name == "http.client" or name.split(".")[0] in {"aiohttp", "urllib3", "requests", "httpx"}
                for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            )
            for node in ast.walk(ast.parse(module.read_text()))
        )
    }
    assert speakers == {"sentry/transport.py", "notices/webhook.py", "people/oidc.py"}
