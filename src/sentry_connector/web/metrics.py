"""What a monitor sees, in the text form of Prometheus: counted while the service lives, or read from the store when it looks."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import shutil
from collections import Counter as Count
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from sentry_connector import __version__
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import workers
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import House
from sentry_connector.runs.log import Lines
from sentry_connector.runs.slots import GRACE
from sentry_connector.settings import Settings
from sentry_connector.store.notices import DeliveryState
from sentry_connector.store.records import AccountStatus, Kind, Run, RunState, Trigger, Verdict

MEDIA_TYPE = CONTENT_TYPE_LATEST
_PREFIX = "sentry_connector"
_ROWS = ("read", "written", "updated", "deleted")
_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """The figures of one service."""

    def __init__(self, engine: Engine, lines: Lines) -> None:
        """Take an engine to look at, and the lines of its own log.

        `count` is to be told of each run of it that ends, and `progress` makes what is told of each that begins.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter was made is of no use to anybody
        self.registry = CollectorRegistry()
        self.registry.register(_Now(engine, lines))
        self._runs = self._counter("runs", "Runs that ended, by verdict and trigger.", ["verdict", "trigger"])
        self._attempts = self._counter("failed_attempts", "Attempts that failed and are followed by another.", [])
        self._rows = self._counter("rows", "Rows that runs read, wrote, updated and deleted.", ["what"])
        self._costs = {
            "requests": self._counter("requests", "Requests to Sentry.", []),
            "requests_refused": self._counter(
                "requests_refused", "Requests that Sentry refused for their rate (429).", []
            ),
            "bytes": self._counter("answer_bytes", "Bytes of Sentry's answers, decompressed.", []),
            "waited_seconds": self._counter("waited_seconds", "Seconds that runs waited for Sentry's rate limits.", []),
        }
        self._seconds = Histogram(
            f"{_PREFIX}_run_duration_seconds",
            "Seconds from the beginning of a run to its end.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        for verdict, trigger in itertools.product(Verdict, Trigger):  # from 0 on, so that the first one is a rise
            self._runs.labels(str(verdict), str(trigger))
        for what in _ROWS:
            self._rows.labels(what)

    def progress(self) -> Progress:
        """For a run that begins: what it asks of Sentry is counted as it comes."""
        counted = dict.fromkeys(self._costs, 0.0)

        def count(now: Progress) -> None:
            for name, counter in self._costs.items():
                counter.inc(max(0.0, getattr(now, name) - counted[name]))
                counted[name] = getattr(now, name)

        return Progress(listener=count)

    def count(self, run: Run) -> None:
        """A run has ended, or an attempt at it."""
        if run.state is not RunState.DONE:
            self._attempts.inc()
            return
        self._runs.labels(str(run.verdict), str(run.trigger)).inc()
        for what in _ROWS:
            self._rows.labels(what).inc(getattr(run, f"rows_{what}"))
        if run.seconds is not None:
            self._seconds.observe(run.seconds)

    def text(self) -> bytes:
        """All figures as they are now."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str, labels: list[str]) -> Counter:
        return Counter(f"{_PREFIX}_{name}", about, labels, registry=self.registry)


class _Now(Collector):
    """What is so when a monitor looks."""

    def __init__(self, engine: Engine, lines: Lines) -> None:
        self._engine, self._lines = engine, lines

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are not needed before they are asked for."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the store."""
        engine, now = self._engine, self._engine.house.now()
        yield _gauge("info", "The version that runs.", 1, version=__version__)
        if engine.ticked_at is not None:
            yield _gauge(
                "last_tick_timestamp_seconds", "When the schedules were last looked at.", engine.ticked_at.timestamp()
            )
        yield _gauge("runs_active", "Runs that this process is at work on.", len(engine.active))
        yield _gauge("workers", "Workers of this store that live.", len(workers.living(engine.house)))
        yield from _of_runs(engine.house, now)
        yield from _of_notices(engine.house)
        accounts = Count(account.status for account in engine.house.store.accounts.list())
        yield _gauges(
            "accounts", "Accounts, by what was last found about their tokens.", "status", AccountStatus, accounts
        )
        dropped = CounterMetricFamily(
            f"{_PREFIX}_server_log_lines_dropped", "Lines of the server's own log that could not be written."
        )
        dropped.add_metric([], self._lines.dropped)
        yield dropped
        yield _gauges("disk_free_bytes", "Free space where a folder lies.", "folder", *_free(engine.house.settings))


def _of_runs(house: House, now: dt.datetime) -> Iterable[Metric]:
    states = Count(run.state for run in house.store.runs.unfinished())
    open_states = [state for state in RunState if state is not RunState.DONE]
    yield _gauges("runs_open", "Runs that are not done, by state.", "state", open_states, states)
    waiting = house.store.runs.waiting(now)
    late = sum(_is_late(one.slot, now) for one in waiting)
    yield _gauge("slots_late", "Slots whose run has not begun two minutes after its time.", late)
    due = [one.queued_at for one in waiting if one.not_before is None or one.not_before <= now]
    oldest = (now - min(due)).total_seconds() if due else 0.0
    yield _gauge("oldest_waiting_run_seconds", "Age of the oldest run that may begin and has not; 0: none.", oldest)
    known = house.store.datasets.outlines()
    since = {one.dataset.slug: one.fresh_at.timestamp() if one.fresh_at else 0.0 for one in known}
    yield _gauges(
        "last_complete_timestamp_seconds",
        "When a DataSet's last COMPLETE run ended; 0: none has.",
        "dataset",
        since,
        since,
    )


def _of_notices(house: House) -> Iterable[Metric]:
    kinds = Count(itertools.chain.from_iterable(house.store.notices.open().values()))
    yield _gauges("episodes_open", "What is wrong now, by kind of notice.", "kind", Kind, kinds)
    yield _gauges(
        "deliveries",
        "Notices on their way to channels, by what became of them.",
        "state",
        DeliveryState,
        house.store.notices.states(),
    )


def _free(settings: Settings) -> tuple[Iterable[str], Mapping[str, float]]:
    """The folders on this machine, and the free bytes of each; one that cannot be asked about is left out."""
    free = {}
    for name, folder in settings.folders.items():
        with contextlib.suppress(OSError):
            free[name] = float(shutil.disk_usage(folder).free)
    return free, free


def _is_late(slot: dt.datetime | None, now: dt.datetime) -> bool:
    return slot is not None and now - slot > GRACE


def _gauges(name: str, about: str, label: str, values: Iterable[str], figures: Mapping[Any, float]) -> Metric:
    """A figure for each of the label's values."""
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", about, labels=[label])
    for value in values:
        family.add_metric([str(value)], figures.get(value, 0))
    return family


def _gauge(name: str, about: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", about, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
