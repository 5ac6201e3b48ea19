"""How each contender goes about a workload: commands to prepare with, and the one that is measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.workloads import BODIES, CONNECTIONS, EVENTS, ISSUES, ORGANIZATION, Workload

PEERS = Path(__file__).with_name(".venv") / "bin" / "python"
"""The peers' own environment; `make bench` makes it."""

OURS: Mapping[str, str] = {
    "SENTRY_CONNECTOR_CONCURRENCY": str(CONNECTIONS),
    "SENTRY_CONNECTOR_SETTLE": "0",  # the newest event is a second old, and nothing comes any more
}
NAMES: Mapping[str, str] = {
    EVENTS: "Events",
    ISSUES: "Issues",
    "organization-projects": "Projects",
    "organization-teams": "Teams",
    "organization-repositories": "Repositories",
    "projects-users": "Users",
    "project-feedback": "Feedback",
}
OF_ORGANIZATIONS = ("organization-projects", "organization-teams", "organization-repositories")
DATED = (EVENTS, ISSUES, "project-feedback")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One way to the rows.

    Attributes:
        command: what is measured; it prints JSON.
        rows: takes the number of rows from that.
        prepare: what is done before.
        environment: for all of them.
        python: by which they are run.
    """

    command: Sequence[str]
    rows: Callable[[Any], int]
    prepare: Sequence[Sequence[str]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable


Contending = Callable[[Workload, Path], Attempt]
"""Makes an attempt from the workload and an empty folder."""


def datasets(*options: str, again: bool = False) -> Contending:
    """A DataSet for each list, then all of them by one process.

    Args:
        *options: how they are updated.
        again: a run of them is part of the preparation; what is measured is the second one.
    """

    def attempt(workload: Workload, folder: Path) -> Attempt:
        # Rows that pages overlap by are read twice and written once.
        counted = "rows_read" if again else "rows_written"
        create = [_create(workload, report, options) for report in workload.reads]
        run = ["-m", "sentry_connector", "datasets", "run", *(NAMES[report] for report in workload.reads), "--json"]
        return Attempt(
            command=run,
            rows=lambda said: sum(one[counted] for one in said),
            prepare=[*create, run] if again else create,
            environment=_ours(folder),
        )

    return attempt


def pull(workload: Workload, folder: Path) -> Attempt:
    """The one list of the workload, straight to a Parquet file."""
    (report,) = workload.reads
    bodies = ["--with-bodies"] if report == BODIES else []
    where = [*_projects(workload), "--all-available", "--format", "parquet", "--output", str(folder / "rows.parquet")]
    return Attempt(
        command=["-m", "sentry_connector", "pull", EVENTS, *bodies, *where, "--json"],
        rows=lambda said: int(said["rows"]),
        environment=_ours(folder),
    )


def peer(module: str, *, again: bool = False) -> Contending:
    """A program of `peers/`; `again`: what is measured is its second run in the same folder."""

    def attempt(workload: Workload, folder: Path) -> Attempt:
        work = {
            "organization": ORGANIZATION,
            "projects": workload.projects,
            "reads": workload.reads,
            "limits": workload.window_divisor is not None,
        }
        command = ["-m", f"bench.peers.{module}", json.dumps(work), str(folder)]
        return Attempt(
            command=command,
            rows=lambda said: int(said["rows"]),
            prepare=[command] if again else (),
            environment={"DLT_DATA_DIR": str(folder)},
            python=str(PEERS),
        )

    return attempt


def _create(workload: Workload, report: str, options: Sequence[str]) -> list[str]:
    where = ["--organization", ORGANIZATION] if report in (*OF_ORGANIZATIONS, ISSUES) else []
    where += [] if report in OF_ORGANIZATIONS else _projects(workload)
    how = options if report in DATED else [one for one in options if one != "--all-available"]
    return ["-m", "sentry_connector", "datasets", "create", "--name", NAMES[report], "--report", report, *where, *how]


def _projects(workload: Workload) -> list[str]:
    return [word for project in workload.projects for word in ("--project", f"{ORGANIZATION}/{project}")]


def _ours(folder: Path) -> dict[str, str]:
    return {**OURS, "SENTRY_CONNECTOR_HOME": str(folder / "home")}
