"""Traces of a run, as a real collector of this machine gets them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from email.message import Message

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status
from typer.testing import Result

from sentry_connector.simulator import EXPIRED_TOKEN
from sentry_connector.telemetry import Telemetry
from tests.cli.listening import listening
from tests.cli.shell import Shell

EVENTS = ("--report", "project-events", "--project", "acme/shop")


class Collector:
    """What a collector was sent."""

    def __init__(self) -> None:
        self.url, self.bodies = "", list[bytes]()

    def spans(self) -> list[Span]:
        return [span for of in self._found() for by in of.scope_spans for span in by.spans]

    def resources(self) -> list[dict[str, str]]:
        return [{one.key: one.value.string_value for one in of.resource.attributes} for of in self._found()]

    def _found(self) -> list[ResourceSpans]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [of for one in found for of in one.resource_spans]


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
    requests = [span for span in spans if span.name == "GET"]
    assert len(requests) == done["requests"]
    assert {by_id[span.parent_span_id].name for span in requests} == {"run", "slice"}
    assert {span.trace_id for span in spans} == {run.trace_id}
    assert {span.kind for span in requests} == {Span.SPAN_KIND_CLIENT}
    assert all(facts(span)["http.request.method"] == "GET" for span in requests)
    assert all(facts(span)["http.response.status_code"] == 200 for span in requests)
    assert all(facts(span)["server.address"] == "127.0.0.1" for span in requests)
    assert {span.status.code for span in spans} == {Status.STATUS_CODE_UNSET}
    assert not any(shell.env["SENTRY_AUTH_TOKEN"].encode() in body for body in collector.bodies)


def test_a_run_that_fails_says_so_in_its_trace(shell: Shell, collector: Collector) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, SENTRY_URL="http://127.0.0.1:9")
    traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
    assert traced("datasets", "run", "Shop").exit_code == 20
    spans = collector.spans()
    [run] = [span for span in spans if span.name == "run"]
    assert facts(run)["verdict"] == "FAILED"
    assert (run.status.code, run.status.message) == (Status.STATUS_CODE_ERROR, "sentry.unreachable")
    requests = [span for span in spans if span.name == "GET"]
    assert {(span.status.code, span.status.message) for span in requests} == {
        (Status.STATUS_CODE_ERROR, "SentryUnreachable")
    }


def test_a_request_that_is_refused_says_so_in_its_trace(shell: Shell, collector: Collector) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, SENTRY_AUTH_TOKEN=EXPIRED_TOKEN)
    traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
    assert traced("datasets", "run", "Shop").exit_code == 10
    refused = [span for span in collector.spans() if facts(span).get("http.response.status_code") == 401]
    assert refused
    assert all(span.status.code == Status.STATUS_CODE_ERROR for span in refused)


def test_of_an_exception_its_class_alone_is_told(collector: Collector) -> None:
    telemetry = Telemetry(f"{collector.url}/v1/traces", lambda _said: None)
    with pytest.raises(ValueError, match="canary"), telemetry.span("slice"):
        raise ValueError("https://example.com/canary")
    telemetry.close()
    [span] = collector.spans()
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "ValueError")
    assert not any(b"canary" in body for body in collector.bodies)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "sentry-connector"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine", "OTEL_SERVICE_NAME": "ours"}, "ours"),
    ],
)
def test_opentelemetrys_own_variables_hold(
    shell: Shell, collector: Collector, variables: dict[str, str], name: str
) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces", **variables)
    traced.ok("pull", "projects", "--output", "-")
    assert collector.spans()
    assert {one["service.name"] for one in collector.resources()} == {name}


def test_a_collector_that_is_not_there_stops_no_run(shell: Shell) -> None:
    traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
    told_nowhere_but_in_the_log(traced, traced.ok("datasets", "run", "Shop"))


def test_a_collector_that_never_answers_holds_no_command_back(shell: Shell) -> None:
    """It would for a day, which is the exporter's patience here."""
    silent = threading.Event()
    with listening(lambda *_: 200 if silent.wait() else 500) as url:
        traced = shell.with_env(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT="86400")
        traced.ok("datasets", "create", "--name", "Shop", *EVENTS)
        done = traced.ok("datasets", "run", "Shop")
        silent.set()
    told_nowhere_but_in_the_log(traced, done)


def told_nowhere_but_in_the_log(shell: Shell, done: Result) -> None:
    assert not {"export", "span", "collector"} & set(done.output.lower().split())
    [line] = (shell.home / "logs" / "traces.jsonl").read_text().splitlines()
    assert json.loads(line)["event"] == "spans are lost"
