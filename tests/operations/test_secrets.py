"""A token stands in no byte that the connector leaves behind, whatever went wrong."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from sentry_connector.errors import TokenRejected
from sentry_connector.operations import accounts, datasets
from sentry_connector.sentry.budget import Observer
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.simulator import TOKEN, Access, running
from sentry_connector.store.records import Verdict
from tests.operations.test_accounts import SECRET, TOKENS
from tests.runs.acme import ALL_OF_SHOP, SHOP, Broken, HastyApp, app_in, made, pass_time, ran, small_world

UNMARKED = "a-token-without-a-prefix-94c1"
"""Old self-hosted servers give tokens that no pattern tells."""

PASSWORD = "pass:word/of the-proxy"

REVOKED = "sntryu_" + "7" * 63 + "d"


def traces(home: Path, token: str) -> list[str]:
    """Files that hold the token, its second half, or either of them packed into Parquet."""
    found = []
    for path in home.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".parquet":
            content += repr(pq.read_table(path, partitioning=None).to_pydict()).encode()
        if token.encode() in content or token[len(token) // 2 :].encode() in content:
            found.append(str(path.relative_to(home)))
    return found


def kinds(home: Path) -> set[str]:
    return {path.suffix for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", ["replace", "upsert"])
async def test_no_token_stands_in_any_file_after_runs_that_went_well_and_wrong(method: str, tmp_path: Path) -> None:
    world, faults, tokens = small_world(), Broken(), dict(TOKENS)
    details = ALL_OF_SHOP if method == "replace" else SHOP
    async with running(world, clock=lambda: world.time, faults=faults, tokens=tokens) as sentry:
        app = app_in(tmp_path, sentry)
        await accounts.add(app, "Main", sentry.url, SECRET)
        with pytest.raises(TokenRejected):
            await accounts.replace_token(app, "Main", REVOKED)
        by_account, by_environment = made(app, method, details), made(app, "append", details, name="other")
        datasets.edit(app, by_account.name, {}, account="Main")
        for dataset in (by_account, by_environment):
            await ran(app, dataset)
            faults.path = "/events/"
            pass_time(app, world)
            await ran(app, dataset, Verdict.FAILED)
            faults.path = None
        del tokens[SECRET]
        await ran(app, by_account, Verdict.FAILED)
        accounts.delete(app, "Main")
        await ran(app, by_account, Verdict.FAILED)
        assert {".db", ".jsonl", ".parquet", ".json", ".key"} <= kinds(tmp_path), (
            "all kinds of files were there to look through"
        )
        assert [traces(tmp_path, token) for token in (SECRET, TOKEN, REVOKED)] == [[], [], []]
        app.close()


class TalkativeApp(HastyApp):
    """The connector with a client that repeats its secrets when it fails, as a library might."""

    def client(self, connection: Connection, observer: Observer | None = None) -> SentryClient:
        raise RuntimeError(f"cannot reach {connection.url} with {connection.token!r} by way of {PASSWORD}")


async def test_an_error_that_repeats_the_accounts_token_and_the_proxys_password_is_stored_without_them(
    tmp_path: Path,
) -> None:
    world = small_world(events=50)
    async with running(world, clock=lambda: world.time, tokens={UNMARKED: Access()}) as sentry:
        with HastyApp(tmp_path, sentry.url, TOKEN) as app:
            await accounts.add(app, "Main", sentry.url, UNMARKED)
            dataset = made(app, "append")
            datasets.edit(app, dataset.name, {}, account="Main")
        proxy = f"http://user:{quote(PASSWORD, safe='')}@proxy.example:3128"
        with TalkativeApp(tmp_path, sentry.url, TOKEN, SENTRY_CONNECTOR_PROXY=proxy) as app:
            run = await ran(app, dataset, Verdict.FAILED)
            assert run.error is not None
            assert "cannot reach" in run.error.message
            assert [secret for secret in (UNMARKED, PASSWORD) if secret in run.error.message] == []
            assert [traces(tmp_path, secret) for secret in (UNMARKED, PASSWORD)] == [[], []]
