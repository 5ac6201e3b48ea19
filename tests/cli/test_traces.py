"""Traces of a run, as a real collector of this machine gets them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from email.message import Message

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.cli.listening import listening
from tests.cli.shell import Shell

EVENTS = ("--report", "project-events", "--project", "acme/shop")


class Collector:
    """What a collector was sent."""

    def __init__(self) -> None:
        self.url, self.bodies = "", list[bytes]()

    def spans(self) -> list[Span]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [span for one in found for of in one.resource_spans for by in of.scope_spans for span in by.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()

    def take(path: str, headers: Message, body: bytes) -> int:
        made.bodies.append(gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)
        return 200 if path == "/v1/traces" else 404

    with listening(take) as url:
        made.url = url
        yield made


def facts(span: Span) -> dict[str, str | int]:
    return {
        one.key.removeprefix("sentry_connector."): one.value.string_value or one.value.int_value
        for one in span.attributes
    }


def test_a_run_its_slices_and_their_requests_are_one_trace(shell: Shell, collector: Collector) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
    done = traced.json("datasets", "run", "Shop")[0]
    spans = collector.spans()
    by_id = {span.span_id: span for span in spans}
    [run] = [span for span in spans if span.name == "run"]
    said = facts(run)
    assert (said["run"], said["dataset"], said["verdict"]) == (done["id"], "shop", "COMPLETE")
    assert (said["rows_read"], said["requests"]) == (done["rows_read"], done["requests"])
    slices = [span for span in spans if span.name == "slice"]
    assert slices
    assert all(by_id[span.parent_span_id] is run for span in slices)
    assert sum(int(facts(span)["rows"]) for span in slices) == done["rows_read"]
    requests = [span for span in spans if span.name == "request"]
    assert len(requests) == done["requests"]
    assert {by_id[span.parent_span_id].name for span in requests} == {"run", "slice"}
    assert {span.trace_id for span in spans} == {run.trace_id}
    assert all(facts(span)["status"] == 200 for span in requests)
    assert not any(shell.env["SENTRY_AUTH_TOKEN"].encode() in body for body in collector.bodies)


def test_a_run_that_fails_says_so_in_its_trace(shell: Shell, collector: Collector) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, SENTRY_URL="http://127.0.0.1:9")
    traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
    assert traced("datasets", "run", "Shop").exit_code == 20
    [run] = [span for span in collector.spans() if span.name == "run"]
    assert facts(run)["verdict"] == "FAILED"


def test_a_collector_that_is_not_there_stops_no_run(shell: Shell) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
    traced.ok("datasets", "run", "Shop")
