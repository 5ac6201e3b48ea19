"""What a monitor sees, in the text form of Prometheus: counted while the service lives, or read from the store when it looks."""

from __future__ import annotations

import datetime as dt
from collections import Counter as Count
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from sentry_connector import __version__
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.slots import GRACE
from sentry_connector.store.records import Run, RunState

MEDIA_TYPE = CONTENT_TYPE_LATEST
_PREFIX = "sentry_connector"
_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """The figures of one service."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine to look at; `count` is to be told of each run of it that ends."""
        self.registry = CollectorRegistry()
        self.registry.register(_Now(engine))
        self._runs = self._counter("runs", "Runs that ended, by verdict and trigger.", ["verdict", "trigger"])
        self._attempts = self._counter("failed_attempts", "Attempts that failed and are followed by another.", [])
        self._rows = self._counter("rows", "Rows that runs read, wrote, updated and deleted.", ["what"])
        self._requests = self._counter("requests", "Requests to Sentry.", [])
        self._refused = self._counter("requests_refused", "Requests that Sentry refused for their rate (429).", [])
        self._bytes = self._counter("answer_bytes", "Bytes of Sentry's answers, decompressed.", [])
        self._waited = self._counter("waited_seconds", "Seconds that runs waited for Sentry's rate limits.", [])
        self._seconds = Histogram(
            f"{_PREFIX}_run_seconds",
            "Seconds from the beginning of a run to its end.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def count(self, run: Run) -> None:
        """A run has ended, or an attempt at it."""
        if run.state is not RunState.DONE:
            self._attempts.inc()
            return
        self._runs.labels(str(run.verdict), str(run.trigger)).inc()
        for what in ("read", "written", "updated", "deleted"):
            self._rows.labels(what).inc(getattr(run, f"rows_{what}"))
        self._requests.inc(run.requests)
        self._refused.inc(run.requests_refused)
        self._bytes.inc(run.bytes)
        self._waited.inc(run.waited_seconds)
        if run.started_at and run.finished_at:
            self._seconds.observe((run.finished_at - run.started_at).total_seconds())

    def text(self) -> bytes:
        """All figures as they are now."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str, labels: list[str]) -> Counter:
        return Counter(f"{_PREFIX}_{name}", about, labels, registry=self.registry)


class _Now(Collector):
    """What is so when a monitor looks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are not needed before they are asked for."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the store."""
        engine, now = self._engine, self._engine.house.now()
        yield _gauge("info", "The version that runs.", 1, version=__version__)
        states = Count(run.state for run in engine.house.store.runs.unfinished())
        waiting = GaugeMetricFamily(f"{_PREFIX}_runs_open", "Runs that are not done, by state.", labels=["state"])
        for state in RunState:
            if state is not RunState.DONE:
                waiting.add_metric([str(state)], states[state])
        yield waiting
        yield _gauge("runs_active", "Runs that this process is at work on.", len(engine.active))
        late = [one for one in engine.house.store.runs.waiting(now) if _is_late(one.slot, now)]
        yield _gauge("slots_late", "Slots whose run has not begun two minutes after its time.", len(late))
        yield _gauge(
            "notices_waiting", "Notices that a channel has not taken yet.", engine.house.store.notices.waiting()
        )
        if engine.ticked_at is not None:
            yield _gauge(
                "last_tick_timestamp_seconds", "When the schedules were last looked at.", engine.ticked_at.timestamp()
            )


def _is_late(slot: dt.datetime | None, now: dt.datetime) -> bool:
    return slot is not None and now - slot > GRACE


def _gauge(name: str, about: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", about, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
