"""The workloads, contender by contender: each run in processes of its own, from an empty folder, of a server that begins anew."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.attempts import PEERS, Attempt, Contending, datasets, peer, pull
from bench.measure import Result, Server, medians, run, serving
from bench.workloads import WORKLOADS, Facts, Workload

RUNS = 3
TENTH, FORTIETH = 0.1, 0.025


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """Somebody who reads a workload.

    Attributes:
        name: as the table has it.
        by: how.
        runs: how often.
        most_mib: what its peak is promised to stay under.
        from_parts: it reads a tenth and a fortieth, and its figures for the whole follow from these.
    """

    name: str
    by: Contending
    runs: int = RUNS
    most_mib: float | None = None
    from_parts: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is the connector."""
        return self.name.startswith("ours")


REPLACE = ("--all-available", "--update-method", "replace")
APPEND = ("--all-available", "--update-method", "append")
SINCE_LAST_RUN = ("--since-last-run", "--update-method", "upsert")
SERIAL, DLT = "serial", "dlt"


def _ours(*options: str) -> Contender:
    return Contender(name="ours", by=datasets(*options))


def _serial(runs: int = RUNS) -> Contender:
    return Contender(name=SERIAL, by=peer("serial"), runs=runs)


def _dlt(runs: int = RUNS) -> Contender:
    return Contender(name=DLT, by=peer("dlt_rest_api"), runs=runs)


def _long(parquet_mib: float | None = None, delta_mib: float | None = None) -> tuple[Contender, ...]:
    return (
        Contender(name="ours, to Parquet", by=pull, most_mib=parquet_mib),
        Contender(name="ours, append", by=datasets(*APPEND), most_mib=delta_mib),
    )


CONTESTS: Mapping[str, Mapping[str, Sequence[Contender]]] = {
    "W1": {"W1": (_ours(*REPLACE), _serial(), _dlt())},
    "W1x": {"W1x": (_ours(*REPLACE), _serial(1), _dlt(1))},
    "W2": {
        "W2": (_ours(*REPLACE), _serial(1), _dlt(1)),
        "W2 whole": (Contender(name="ours", by=datasets(*REPLACE), runs=1),),
    },
    "W3": {
        "W3": (Contender(name="ours", by=pull, most_mib=230), _serial(1), _dlt(1)),
        "W3 limited": (Contender(name="ours", by=pull), _serial(1), _dlt(1)),
        "W3 whole": (Contender(name="ours", by=pull),),
    },
    "W4": {
        "W4": (
            Contender(name="ours", by=datasets(*SINCE_LAST_RUN, again=True)),
            Contender(name=DLT, by=peer("dlt_rest_api", again=True), runs=1),
        )
    },
    "W5": {"W5": (_ours("--all-available", "--update-method", "replace"), _serial(1), _dlt())},
    "W6": {
        "W6": (
            *_long(260, 320),
            Contender(name=SERIAL, by=peer("serial"), from_parts=True),
            Contender(name=DLT, by=peer("dlt_rest_api"), from_parts=True),
        )
    },
    "W7": {"W7": _long()},
}
"""By group and workload."""


def results(group: str, *, only_ours: bool = False) -> Iterator[Result]:
    """The workloads of a group."""
    for name, contenders in CONTESTS[group].items():
        chosen = [one for one in contenders if one.is_ours or not only_ours]
        if not all(one.is_ours for one in chosen) and not PEERS.exists():
            raise SystemExit("The peers' environment is missing: `make bench` makes it, and --ours does without them.")
        whole = [one for one in chosen if not one.from_parts]
        yield from contest(name, WORKLOADS[name], whole)
        yield from _from_parts(name, WORKLOADS[name], [one for one in chosen if one.from_parts])


def contest(name: str, workload: Workload, contenders: Sequence[Contender]) -> Iterator[Result]:
    """What each of the contenders makes of a workload."""
    if not contenders:
        return
    with serving("-m", "bench.sentry", json.dumps(dict(workload.scale)), json.dumps(_options(workload))) as server:
        for one in contenders:
            yield medians([_run(f"{name}: {one.name}", workload, one, server) for _ in range(one.runs)])


def _from_parts(name: str, workload: Workload, contenders: Sequence[Contender]) -> Iterator[Result]:
    parts = [list(contest(name, workload.part(share), contenders)) for share in (FORTIETH, TENTH)]
    for small, large in zip(*parts, strict=True):
        yield extrapolated(small, large, round((large.rows or 0) / TENTH))


def extrapolated(small: Result, large: Result, rows: int) -> Result:
    """The figures for so many rows, on the straight line through two smaller works: the start is not counted again and again.

    The peak is that of the larger of the two.
    """

    def at(name: str) -> float:
        first, second = float(getattr(small, name)), float(getattr(large, name))
        span = (large.rows or 0) - (small.rows or 0)
        return second + (second - first) / span * (rows - (large.rows or 0))

    return replace(
        large,
        seconds=at("seconds"),
        cpu_seconds=at("cpu_seconds"),
        requests=round(at("requests")),
        rows=rows,
        expected=None,
        note="from a tenth and a fortieth",
    )


def _options(workload: Workload) -> dict[str, object]:
    divisor = workload.window_divisor
    limits = {} if divisor is None else {"limits": "sentry.io", "window_divisor": divisor}
    return {"latency_ms": workload.latency_ms, **limits}


def _run(name: str, workload: Workload, contender: Contender, server: Server) -> Result:
    facts = Facts(sizes=server.facts["sizes"], people=server.facts["people"])
    where = {key: server.facts[key] for key in ("SENTRY_URL", "SENTRY_AUTH_TOKEN")}
    with tempfile.TemporaryDirectory() as folder:
        attempt: Attempt = contender.by(workload, Path(folder))
        environment = {**where, **attempt.environment}
        for command in attempt.prepare:
            run(*command, environment=environment, python=attempt.python)
        server.ask("forget")
        done = run(*attempt.command, environment=environment, python=attempt.python)
        counts = server.ask("counts")
        rows = attempt.rows(done.said)
    first = counts["first_request"]
    return Result(
        name=name,
        seconds=done.seconds,
        cpu_seconds=done.cpu_seconds,
        rows=rows,
        expected=None if attempt.prepare and attempt.command in attempt.prepare else workload.rows(facts),
        requests=counts["requests"],
        refused=counts["refused"],
        peak_mib=done.peak_mib,
        most_mib=contender.most_mib,
        until_first=first - done.began if first else None,
        bound=workload.bound(workload, facts, first) if workload.bound and first else None,
    )
