"""Spans by OpenTelemetry, to a collector that speaks OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan

from sentry_connector import __version__
from sentry_connector.settings import APPLICATION
from sentry_connector.tracing import Fact, Span

PREFIX = "sentry_connector."
"""Names of facts begin so: other programs' spans have names of their own."""


class _Span:
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def note(self, **facts: Fact) -> None:
        """Say more about it."""
        self._span.set_attributes({PREFIX + name: value for name, value in facts.items()})


class Telemetry:
    """Hands spans to a collector, many at once, from a thread of its own. What the collector does not take is lost."""

    def __init__(self, endpoint: str) -> None:
        """Take the collector's base URL; headers, timeouts and names of the service come from OpenTelemetry's own variables."""
        name = os.environ.get("OTEL_SERVICE_NAME") or APPLICATION
        resource = Resource.create({"service.name": name, "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(APPLICATION, __version__)

    @contextmanager
    def span(self, name: str, **facts: Fact) -> Iterator[Span]:
        """A span that lasts as long as the block. An error that leaves the block marks it, by its class alone."""
        attributes = {PREFIX + key: value for key, value in facts.items()}
        with self._tracer.start_as_current_span(name, attributes=attributes, record_exception=False) as span:
            yield _Span(span)

    def close(self) -> None:
        """Hand over what was not handed over yet."""
        self._provider.shutdown()
