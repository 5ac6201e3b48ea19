"""All pages with something to show: their addresses, from the table of who may use which path, and a home that has it all.

A page that is new is found by itself; one whose address has a new kind of part needs its value in `VALUES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from sentry_connector.web.policy import POLICY

PASSWORD = "seven quiet herons by the mill"  # noqa: S105  # of people who are in no home but these
ADMIN, EDITOR, VIEWER = "ada", "ed", "vera"

_NO_PAGES = ("/api/", "/static/", "/livez", "/readyz", "/metrics", "/version")

Values = Mapping[str, Mapping[str, str]]
"""The first piece of a page's path → what stands for the parts of the rest."""

RUN = "run"
"""Stands for the id of a run, which is known once the home is filled."""

_LEADS_ON = "/datasets"
"""An address that is no page: it leads to the first one."""

VALUES: Values = {
    "accounts": {"name": "Acme"},
    "datasets": {"name": "Shop events"},
    "runs": {"run_id": RUN},
    "people": {"name": EDITOR},
    "notices": {"name": "Operations"},
}

A_DAY = "SELECT date_trunc('day', date_created) AS day, count(*) AS events FROM shop_events GROUP BY 1 ORDER BY 1"

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("accounts", "add", "Acme"),
    ("datasets", "create", "--name", "Shop events", "--report", "project-events", "--project", "acme/shop",
     "--all-available", "--update-method", "append", "--account", "Acme", "--tag", "shop", "--schedule", "daily 06:00",
     "--description", "Every event of the shop, for the weekly report."),
    ("datasets", "create", "--name", "Projects", "--report", "projects", "--account", "Acme"),
    ("datasets", "create", "--name", "Organizations", "--report", "organizations", "--account", "Acme"),
    ("datasets", "create", "--name", "Never run", "--report", "organizations", "--account", "Acme"),
    ("datasets", "create", "--name", "Of a project that is gone", "--report", "project-events", "--project", "acme/gone",
     "--all-available", "--account", "Acme"),
    ("datasets", "create", "--name", "No longer needed", "--report", "projects", "--account", "Acme"),
    ("datasets", "delete", "No longer needed", "--yes"),
    ("datasets", "run", "Shop events"),
    ("datasets", "run", "Projects"),
    ("datasets", "run", "Shop events"),
    ("datasets", "run", "Of a project that is gone"),
    ("queries", "save", "Events a day", A_DAY, "--shared"),
    ("notices", "add", "Operations", "--kind", "failed"),
    ("origins", "add", "https://sentry.internal.example"),
    ("users", "add", ADMIN, "--role", "admin"),
    ("users", "add", EDITOR, "--role", "editor"),
    ("users", "add", VIEWER, "--role", "viewer"),
    ("api-keys", "add", "notebook", "--user", ADMIN, "--scope", "read"),
)  # fmt: skip
"""What makes a home with something on every page."""

FAILS = ("datasets", "run", "Of a project that is gone")
"""The one that fails, so that a failure is shown."""

HOOK = "https://hooks.example/services/sentry-connector"


def fill(call: Callable[[tuple[str, ...], str], int], token: str) -> None:
    """Make a home with something on every page, of a simulated Sentry.

    Args:
        call: the command line on that home: its arguments and standard input; answers the exit code.
        token: of the simulated Sentry.

    Raises:
        RuntimeError: a command ended otherwise than it should.
    """
    given = {"accounts": token, "users": PASSWORD, "notices": HOOK}
    for args in COMMANDS:
        code = call(args, given.get(args[0], ""))
        if (code != 0) is not (args == FAILS):
            raise RuntimeError(f"{' '.join(args)}: exit code {code}")


def templates() -> list[str]:
    """The paths of all pages, as the table has them."""
    return sorted(
        path for method, path in POLICY if method == "GET" and path != _LEADS_ON and not path.startswith(_NO_PAGES)
    )


def address(template: str, values: Values) -> str:
    """The address of a page.

    Raises:
        KeyError: a part of it has no value.
    """
    parts = values.get(template.split("/")[1], {})
    return template.format_map({name: quote(value, safe="") for name, value in parts.items()})


def values_with(run_id: str) -> Values:
    """What stands for the parts of addresses in a home that is filled."""
    return {
        piece: {name: run_id if value == RUN else value for name, value in parts.items()}
        for piece, parts in VALUES.items()
    }
