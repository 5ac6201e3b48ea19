"""`doctor --storage`, and tables in a store of objects from the command line: its credentials are printed nowhere."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from sentry_connector.destinations import objects
from tests.cli.shell import Shell
from tests.object_storage import KEY, SECRET, Storage

EVENTS = ("--project", "acme/shop", "--since-last-run", "--update-method", "upsert")


@pytest.fixture
def stored(shell: Shell, storage: Storage) -> Shell:
    """The command line with its tables in a store of objects."""
    return shell.with_env(SENTRY_CONNECTOR_STORAGE=storage.place(), **storage.environment)


def test_the_storage_is_looked_at_alone_and_without_sentry(shell: Shell, stored: Shell, storage: Storage) -> None:
    for one, place in ((shell, "home/tables"), (stored, f" at {storage.url}")):
        alone = one.without("SENTRY_AUTH_TOKEN").with_env(SENTRY_URL="http://127.0.0.1:9")
        (check,) = alone.json("doctor", "--storage")["checks"]
        assert (check["name"], check["ok"], check["remedy"]) == ("storage", True, "")
        assert place in check["message"]
        assert "keeps writers apart" in " ".join(alone.ok("doctor", "--storage").output.split())
    assert storage.names(stored.env["SENTRY_CONNECTOR_STORAGE"]) == set()


def test_a_storage_that_lets_one_writer_overwrite_another_ends_the_doctor(stored: Shell, storage: Storage) -> None:
    storage.keeps_conditions = False
    for command in (("doctor", "--storage"), ("doctor",)):
        result = stored(*command)
        assert (result.exit_code, "storage.unsafe" in result.output) == (30, True)
        assert "If-None-Match" in result.output


def test_the_credentials_of_the_storage_are_printed_nowhere(
    stored: Shell, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage's answers repeat the id of the key."""
    monkeypatch.setitem(objects.PATIENCE, "max_retries", "0")
    making = ("datasets", "create", "--name", "events", "--report", "project-events", *EVENTS)
    calls = [making, ("datasets", "run", "events"), ("settings",), ("doctor", "--storage")]
    said = [stored(*call) for call in calls]
    assert [one.exit_code for one in said] == [0, 0, 0, 0]
    for status in (HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE):
        storage.fault = lambda _, status=status: status  # type: ignore[misc]
        calls = [("datasets", "run", "events"), ("datasets", "show", "events"), ("query", "SELECT * FROM events")]
        said += [stored(*call) for call in (*calls, ("runs", "logs", "events"), ("doctor", "--storage"))]
        assert said[-1].exit_code == 30
    for one in said:
        assert KEY not in one.output + one.stderr
        assert SECRET not in one.output + one.stderr
