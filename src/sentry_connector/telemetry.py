"""Spans by OpenTelemetry, to a collector that speaks OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode

from sentry_connector import __version__
from sentry_connector.settings import APPLICATION
from sentry_connector.tracing import Fact, Span

PREFIX = "sentry_connector."
"""Names of facts begin so: other programs' spans have names of their own."""

STANDARD = {
    "method": "http.request.method",
    "host": "server.address",
    "port": "server.port",
    "path": "url.path",
    "status": "http.response.status_code",
    "bytes": "http.response.body.size",
}
"""Facts that have a name in https://opentelemetry.io/docs/specs/semconv/http/http-spans/."""

_LOGGER = logging.getLogger("opentelemetry")

LONGEST_END = 2.0
"""Seconds that a collector has to take what is left at the end."""


class _Span:
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def note(self, **facts: Fact) -> None:
        """Say more about it."""
        self._span.set_attributes(_attributes(facts))

    def failed(self, why: str) -> None:
        """It did not bring what it should; why, in a word that stays."""
        self._span.set_attribute("error.type", why)
        self._span.set_status(Status(StatusCode.ERROR, why))


class Telemetry:
    """Hands spans to a collector, many at once, from a thread of its own. What the collector does not take is lost."""

    def __init__(self, url: str, told: Callable[[str], None]) -> None:
        """Begin; headers, timeouts and names of the service come from OpenTelemetry's own variables.

        Args:
            url: where spans are posted to.
            told: told once when something is lost, or seems to be.
        """
        _tell(told)
        ours = {"service.name": APPLICATION, "service.version": __version__}
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
        self._tracer = self._provider.get_tracer(APPLICATION, __version__)

    @contextmanager
    def span(self, name: str, **facts: Fact) -> Iterator[Span]:
        """A span that lasts as long as the block. An error that leaves the block marks it, by its class alone."""
        with self._tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT if "method" in facts else SpanKind.INTERNAL,
            attributes=_attributes(facts),
            record_exception=False,  # its text may hold anything
            set_status_on_exception=False,
        ) as span:
            made = _Span(span)
            try:
                yield made
            except Exception as error:
                made.failed(type(error).__name__)
                raise

    def close(self) -> None:
        """Hand over what was not handed over yet; a collector that takes its time is not waited for."""
        end = threading.Thread(target=self._provider.shutdown, daemon=True)
        end.start()
        end.join(LONGEST_END)
        if end.is_alive():
            _LOGGER.warning("The collector has not taken the last spans within %s s.", LONGEST_END)


def _attributes(facts: dict[str, Fact]) -> dict[str, Fact]:
    return {STANDARD.get(name, PREFIX + name): value for name, value in facts.items()}


class _Once(logging.Handler):
    """Tells the first of what is said: a collector that is not there would fill a log."""

    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._told: Callable[[str], None] | None = told

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, without a traceback."""
        told, self._told = self._told, None
        if told is not None:
            told(record.getMessage())


def _tell(told: Callable[[str], None]) -> None:
    """What OpenTelemetry has to say goes there, and not to standard error."""
    _LOGGER.handlers, _LOGGER.propagate = [_Once(told)], False
