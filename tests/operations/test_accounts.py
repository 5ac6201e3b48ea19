"""Accounts: a token is tried before it is stored, never read back, and never replaced by another one in silence."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from sentry_connector.errors import (
    AccessDenied,
    HostUnknown,
    SentryUnreachable,
    TokenMissing,
    TokenRejected,
    UnknownName,
    UsageError,
)
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import accounts, datasets
from sentry_connector.operations.doctor import doctor
from sentry_connector.operations.views import account_view, dataset_view
from sentry_connector.runs import check
from sentry_connector.simulator import (
    EXPIRED_TOKEN,
    PROJECT_TOKEN,
    SSO_TOKEN,
    TOKEN,
    Access,
    Simulation,
    World,
    running,
)
from sentry_connector.store.records import Account, AccountStatus, DataSet, Kind, RunState, Verdict
from tests.parts import NOW
from tests.runs.acme import HOUR, SHOP, HastyApp, app_in, made, ran, rows_of, small_world, state
from tests.runs.watching import PATIENCE, Watch

SECRET = "sntryu_" + "5ec2e7" * 10 + "beef"
TOKENS = {
    TOKEN: Access(),
    SECRET: Access(),
    PROJECT_TOKEN: Access(scopes=frozenset({"project:read"})),
    SSO_TOKEN: Access(problem="sso"),
    EXPIRED_TOKEN: Access(problem="expired"),
}
NOBODYS = "sntryu_" + "9" * 64


@pytest.fixture
def world() -> World:
    return small_world(events=120)


@pytest.fixture
def tokens() -> dict[str, Access]:
    return dict(TOKENS)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def sentry(world: World, tokens: dict[str, Access], watch: Watch) -> AsyncIterator[Simulation]:
    async with running(world, clock=lambda: world.time, tokens=tokens, faults=watch) as simulation:
        yield simulation


@pytest.fixture
def app(tmp_path: Path, sentry: Simulation) -> HastyApp:
    return app_in(tmp_path, sentry)


def opened(app: HastyApp, name: str) -> str:
    """The token as it goes to Sentry."""
    return app.connection(accounts.find(app, name)).token


def stored(app: HastyApp, account: Account, token: str) -> None:
    """Another process has replaced the token."""
    after = msgspec.structs.replace(account, token_since=app.now() + HOUR)
    app.store.accounts.replace_token(account, after, app.vault.seal(token, account.id, account.url))


def begun(app: HastyApp, dataset: DataSet) -> None:
    """A run of the DataSet has begun, and has no end yet."""
    run, _ = datasets.ask(app, dataset.name)
    app.store.runs.save(msgspec.structs.replace(run, epoch=1, state=RunState.RUNNING))


# ---- add


async def test_a_good_token_is_stored_sealed_and_shown_only_as_a_hint(app: HastyApp, sentry: Simulation) -> None:
    account = await accounts.add(app, " Main ", sentry.url + "/", SECRET)
    assert (account.name, account.url, account.status) == ("Main", sentry.url, AccountStatus.VALID)
    assert account.checked_at == account.token_since == app.now()
    assert opened(app, "main") == SECRET
    shown = repr(account) + repr(account_view(account, [])) + repr(app.connection(account))
    assert SECRET[:12] not in shown
    assert len(account.token_hint.replace("sntryu_", "").strip("…*.")) <= 2


async def test_a_token_older_than_a_year_is_a_warning_of_the_doctor(app: HastyApp, sentry: Simulation) -> None:
    async def told() -> tuple[bool, str, str]:
        checks = await doctor(app, app.with_token(sentry.url, SECRET))
        found = next(one for one in checks if one.name == "tokens")
        return found.ok, found.message, found.remedy

    await accounts.add(app, "Main", sentry.url, SECRET)
    app.moment += dt.timedelta(days=365)
    assert await told() == (True, "No stored token is older than a year.", "")
    app.moment += HOUR
    ok, message, remedy = await told()
    assert (ok, message.endswith("the token of Main."), "replace-token" in remedy) == (True, True, True)


@pytest.mark.parametrize("token", [NOBODYS, EXPIRED_TOKEN])
async def test_a_token_that_sentry_does_not_know_is_not_stored(token: str, app: HastyApp, sentry: Simulation) -> None:
    with pytest.raises(TokenRejected):
        await accounts.add(app, "Main", sentry.url, token)
    assert accounts.everything(app) == []


async def test_a_token_that_waits_for_single_sign_on_is_not_stored_and_not_called_wrong(
    app: HastyApp, sentry: Simulation
) -> None:
    with pytest.raises(AccessDenied):
        await accounts.add(app, "Main", sentry.url, SSO_TOKEN)
    assert accounts.everything(app) == []


async def test_a_token_with_few_scopes_is_valid(app: HastyApp, sentry: Simulation) -> None:
    """What it lacks is said by the reports that want it."""
    assert (await accounts.add(app, "Main", sentry.url, PROJECT_TOKEN)).status is AccountStatus.VALID


@pytest.mark.parametrize("token", ["", "   ", "\n"])
async def test_a_blank_token_is_refused(token: str, app: HastyApp, sentry: Simulation) -> None:
    with pytest.raises((TokenMissing, TokenRejected, UsageError)):
        await accounts.add(app, "Main", sentry.url, token)
    assert accounts.everything(app) == []


async def test_a_name_that_is_taken_is_refused_before_sentry_is_asked(app: HastyApp, sentry: Simulation) -> None:
    """The first account keeps its token."""
    await accounts.add(app, "Main", sentry.url, SECRET)
    asked = sentry.requests
    with pytest.raises(UsageError, match="MAIN"):
        await accounts.add(app, "MAIN", sentry.url, TOKEN)
    assert sentry.requests == asked
    assert [one.name for one in accounts.everything(app)] == ["Main"]
    assert opened(app, "Main") == SECRET


async def test_of_two_that_add_the_same_name_at_once_one_is_refused(app: HastyApp, sentry: Simulation) -> None:
    results = await asyncio.gather(
        *(accounts.add(app, "Main", sentry.url, token) for token in (SECRET, TOKEN)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in results) == ["Account", "UsageError"]
    assert len(accounts.everything(app)) == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "a\nb"])
async def test_a_name_that_is_none_is_refused(name: str, app: HastyApp, sentry: Simulation) -> None:
    with pytest.raises(UsageError):
        await accounts.add(app, name, sentry.url, SECRET)


async def test_a_host_that_does_not_answer_stores_nothing(app: HastyApp) -> None:
    with pytest.raises((SentryUnreachable, HostUnknown)):
        await accounts.add(app, "Main", "http://127.0.0.1:1", SECRET)
    assert accounts.everything(app) == []


# ---- check


async def test_a_token_that_was_revoked_makes_the_account_invalid_and_one_that_works_again_valid(
    app: HastyApp, sentry: Simulation, tokens: dict[str, Access]
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    del tokens[SECRET]
    with pytest.raises(TokenRejected):
        await accounts.check(app, "Main")
    invalid = accounts.find(app, "Main")
    assert (invalid.status, bool(invalid.message)) == (AccountStatus.INVALID, True)
    tokens[SECRET] = Access()
    assert (await accounts.check(app, "Main")).status is AccountStatus.VALID
    assert accounts.find(app, "Main").message is None


async def test_a_server_that_is_away_leaves_the_account_as_it_was(app: HastyApp, world: World) -> None:
    async with running(world, tokens=TOKENS) as other:
        await accounts.add(app, "Main", other.url, SECRET)
    before = accounts.find(app, "Main")
    with pytest.raises(SentryUnreachable):
        await accounts.check(app, "Main")
    assert accounts.find(app, "Main") == before


async def test_a_run_that_is_rejected_makes_the_account_invalid(
    app: HastyApp, sentry: Simulation, tokens: dict[str, Access]
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    dataset = made(app, "upsert", SHOP)
    datasets.edit(app, dataset.name, {}, account="Main")
    await ran(app, dataset)
    before = state(app, dataset)
    del tokens[SECRET]
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert run.error.name == "token.rejected"
    assert accounts.find(app, "Main").status is AccountStatus.INVALID
    assert state(app, dataset) == before


async def test_a_run_that_is_rejected_with_a_token_of_before_says_nothing_of_the_new_one(
    app: HastyApp, sentry: Simulation, tokens: dict[str, Access], watch: Watch
) -> None:
    account = await accounts.add(app, "Main", sentry.url, SECRET)
    dataset = made(app, "upsert", SHOP)
    datasets.edit(app, dataset.name, {}, account="Main")

    def replace() -> None:
        del tokens[SECRET]
        stored(app, account, TOKEN)

    watch.do(replace, after=2)
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert run.error.name == "token.rejected"
    assert accounts.find(app, "Main").status is AccountStatus.VALID
    assert Kind.TOKEN_REJECTED not in {notice.kind for notice, _ in app.store.notices.recent()}
    await ran(app, dataset)


async def test_a_check_keeps_what_it_found_and_the_name_that_was_given_meanwhile(
    app: HastyApp, sentry: Simulation, watch: Watch
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    app.moment += HOUR
    watch.do(lambda: accounts.rename(app, "Main", "Other"))
    checked = await accounts.check(app, "Main")
    assert (checked.name, checked.checked_at) == ("Other", app.now())
    assert checked == accounts.find(app, "Other")


async def test_a_check_of_a_token_that_was_replaced_meanwhile_is_void(
    app: HastyApp, sentry: Simulation, tokens: dict[str, Access], watch: Watch
) -> None:
    account = await accounts.add(app, "Main", sentry.url, SECRET)
    del tokens[SECRET]
    watch.do(lambda: stored(app, account, TOKEN))
    with pytest.raises(TokenRejected):
        await accounts.check(app, "Main")
    assert accounts.find(app, "Main").status is AccountStatus.VALID


async def test_a_check_of_an_account_that_was_deleted_meanwhile_is_told_as_such(
    app: HastyApp, sentry: Simulation, watch: Watch
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    watch.do(lambda: accounts.delete(app, "Main"))
    with pytest.raises(UnknownName, match="Main"):
        await accounts.check(app, "Main")


async def test_a_host_that_does_not_answer_keeps_no_other_accounts_check_waiting(
    app: HastyApp, sentry: Simulation, watch: Watch
) -> None:
    others_turn = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await others_turn.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        first = await accounts.add(app, "A", sentry.url, SECRET)
        await accounts.add(app, "B", sentry.url, SECRET)
        moved = msgspec.structs.replace(first, url=url)
        app.store.accounts.replace_token(first, moved, app.vault.seal(SECRET, first.id, url))
        app.moment += check.EVERY
        watch.do(others_turn.set)
        async with asyncio.timeout(PATIENCE):
            failed = await check.check_due(app)
    assert [(account.name, type(error)) for account, error in failed] == [("A", SentryUnreachable)]
    assert [one.checked_at == app.now() for one in accounts.everything(app)] == [False, True]


# ---- rename, replace the token


async def test_a_renamed_account_stays_that_of_its_datasets(app: HastyApp, sentry: Simulation) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    dataset = made(app, "upsert", SHOP)
    datasets.edit(app, dataset.name, {}, account="Main")
    accounts.rename(app, "Main", "Other")
    renamed = datasets.account(app, datasets.find(app, dataset.name))
    assert renamed is not None
    assert renamed.name == "Other"
    assert opened(app, "Other") == SECRET
    await ran(app, dataset)
    with pytest.raises(UnknownName):
        accounts.find(app, "Main")


async def test_an_account_is_not_renamed_to_a_name_that_is_taken(app: HastyApp, sentry: Simulation) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    await accounts.add(app, "Other", sentry.url, TOKEN)
    with pytest.raises(UsageError):
        accounts.rename(app, "Other", "main")
    assert accounts.rename(app, "Other", "OTHER").name == "OTHER", "its own name in other letters is free"


async def test_a_bad_token_does_not_replace_a_good_one(app: HastyApp, sentry: Simulation) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    before = accounts.find(app, "Main")
    for bad in (NOBODYS, EXPIRED_TOKEN):
        with pytest.raises(TokenRejected):
            await accounts.replace_token(app, "Main", bad)
    with pytest.raises(SentryUnreachable):
        await accounts.replace_token(app, "Main", TOKEN, "http://127.0.0.1:1")
    assert accounts.find(app, "Main") == before
    assert opened(app, "Main") == SECRET


async def test_a_good_token_replaces_the_old_one_and_mends_the_account(
    app: HastyApp, sentry: Simulation, tokens: dict[str, Access]
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    del tokens[SECRET]
    with pytest.raises(TokenRejected):
        await accounts.check(app, "Main")
    account = await accounts.replace_token(app, "Main", TOKEN)
    assert (account.status, opened(app, "Main")) == (AccountStatus.VALID, TOKEN)


async def test_a_token_is_replaced_and_the_name_that_was_given_meanwhile_stays(
    app: HastyApp, sentry: Simulation, watch: Watch
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    watch.do(lambda: accounts.rename(app, "Main", "Other"))
    account = await accounts.replace_token(app, "Main", TOKEN)
    assert account == accounts.find(app, "Other")
    assert opened(app, "Other") == TOKEN


async def test_a_token_of_an_account_that_was_deleted_meanwhile_is_not_called_replaced(
    app: HastyApp, sentry: Simulation, watch: Watch
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    watch.do(lambda: accounts.delete(app, "Main"))
    with pytest.raises(UsageError, match="meanwhile"):
        await accounts.replace_token(app, "Main", TOKEN)
    assert accounts.everything(app) == []


async def test_of_two_that_replace_a_token_at_once_the_second_is_refused(
    app: HastyApp, sentry: Simulation, watch: Watch
) -> None:
    account = await accounts.add(app, "Main", sentry.url, SECRET)
    watch.do(lambda: stored(app, account, TOKEN))
    with pytest.raises(UsageError, match="another token, meanwhile"):
        await accounts.replace_token(app, "Main", PROJECT_TOKEN)
    assert opened(app, "Main") == TOKEN


async def test_a_rename_leaves_a_token_that_was_replaced_meanwhile(app: HastyApp, sentry: Simulation) -> None:
    account = await accounts.add(app, "Main", sentry.url, SECRET)
    stored(app, account, TOKEN)
    replaced = accounts.find(app, "Main")
    renamed = app.store.accounts.rename(account, "Other", app.now())
    assert renamed == msgspec.structs.replace(replaced, name="Other")
    assert opened(app, "Other") == TOKEN


async def test_an_account_that_was_deleted_meanwhile_is_not_called_renamed(app: HastyApp, sentry: Simulation) -> None:
    account = await accounts.add(app, "Main", sentry.url, SECRET)
    accounts.delete(app, "Main")
    with pytest.raises(UnknownName, match="Main"):
        app.store.accounts.rename(account, "Other", app.now())


@pytest.mark.parametrize("then", ["filled", "deleted", "begun"])
async def test_an_account_whose_datasets_hold_rows_is_not_moved_to_another_server(
    then: str, app: HastyApp, sentry: Simulation, world: World
) -> None:
    """There the same ids mean something else, and the watermarks too."""
    await accounts.add(app, "Main", sentry.url, SECRET)
    full, empty = made(app, "upsert", SHOP), made(app, "append", SHOP)
    for dataset in (full, empty):
        datasets.edit(app, dataset.name, {}, account="Main")
    if then == "begun":
        begun(app, full)
    else:
        await ran(app, full)
    if then == "deleted":
        datasets.delete(app, full.name)
    before = accounts.find(app, "Main")
    async with running(world, tokens=TOKENS) as other:
        with pytest.raises(UsageError, match="another server") as refused:
            await accounts.replace_token(app, "Main", TOKEN, other.url)
        assert (full.name in refused.value.message, empty.name in refused.value.message) == (True, False)
        assert f"accounts add NAME --url {other.url}" in refused.value.remedy
        assert other.requests == 0
        assert accounts.find(app, "Main") == before
        assert opened(app, "Main") == SECRET


async def test_an_account_is_not_moved_where_a_run_begins_meanwhile(
    app: HastyApp, sentry: Simulation, world: World, watch: Watch
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    dataset = made(app, "upsert", SHOP)
    datasets.edit(app, dataset.name, {}, account="Main")
    watch.do(lambda: begun(app, dataset))
    async with running(world, tokens=TOKENS, faults=watch) as other:
        with pytest.raises(UsageError, match="another server"):
            await accounts.replace_token(app, "Main", TOKEN, other.url)
    assert accounts.find(app, "Main").url == sentry.url


async def test_an_account_whose_datasets_are_empty_goes_to_another_server(
    app: HastyApp, sentry: Simulation, world: World
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    datasets.edit(app, made(app, "upsert", SHOP).name, {}, account="Main")
    async with running(world, tokens=TOKENS) as other:
        moved = await accounts.replace_token(app, "Main", TOKEN, other.url)
        assert (moved.url, opened(app, "Main")) == (other.url, TOKEN)


# ---- delete


async def test_a_deleted_accounts_datasets_are_named_and_do_not_fall_back_to_the_environments_token(
    app: HastyApp, sentry: Simulation
) -> None:
    """That token may be somebody else's, who sees other projects of the same name."""
    await accounts.add(app, "Main", sentry.url, SECRET)
    dataset, other = made(app, "upsert", SHOP), made(app, "append", SHOP)
    datasets.edit(app, dataset.name, {}, account="Main")
    await ran(app, dataset)
    before, asked = state(app, dataset), sentry.requests
    account, users = accounts.delete(app, "Main")
    assert (account.name, [one.name for one in users]) == ("Main", [dataset.name])
    assert health_of(app, dataset) == "account missing"
    run = await ran(app, dataset, Verdict.FAILED)
    assert run.error is not None
    assert (run.error.name, run.error.code) == ("token.missing", 10)
    assert "deleted" in run.error.message
    assert "--account" in run.error.remedy
    with pytest.raises(TokenMissing, match="deleted"):
        await datasets.preview(app, dataset.name, progress=Progress())
    assert sentry.requests == asked
    assert state(app, dataset) == before
    assert rows_of(app, dataset), "its table can still be read"
    await ran(app, other)
    await accounts.add(app, "New", sentry.url, SECRET)
    datasets.edit(app, dataset.name, {}, account="New")
    app.moment += HOUR
    await ran(app, dataset)
    assert health_of(app, dataset) == "good"


def health_of(app: HastyApp, dataset: DataSet) -> object:
    return dataset_view(app, datasets.find(app, dataset.name))["health"]


async def test_a_new_account_of_the_old_name_is_not_taken_for_the_deleted_one(
    app: HastyApp, sentry: Simulation
) -> None:
    await accounts.add(app, "Main", sentry.url, SECRET)
    dataset = made(app, "upsert", SHOP)
    datasets.edit(app, dataset.name, {}, account="Main")
    accounts.delete(app, "Main")
    await accounts.add(app, "Main", sentry.url, TOKEN)
    await ran(app, dataset, Verdict.FAILED)


# ---- scopes


def test_scopes_that_only_read_are_not_too_many() -> None:
    reading = ("org:read", "project:read", "team:read", "event:read", "member:read")
    assert accounts.scopes_beyond_reading(reading) == []
    assert accounts.scopes_beyond_reading(None) == []


def test_scopes_that_write_are_listed() -> None:
    assert accounts.scopes_beyond_reading(("project:write", "org:admin", "org:read")) == ["org:admin", "project:write"]


async def test_an_account_without_a_name_gets_one_that_no_other_has(app: HastyApp, sentry: Simulation) -> None:
    names = [(await accounts.add(app, None, sentry.url, sentry.token)).name for _ in range(3)]
    assert names == ["Sentry Account", "Sentry Account 2", "Sentry Account 3"]


async def test_accounts_that_are_added_at_once_without_a_name_get_names_too(app: HastyApp, sentry: Simulation) -> None:
    added = await asyncio.gather(*(accounts.add(app, None, sentry.url, token) for token in (TOKEN, SECRET)))
    assert sorted(one.name for one in added) == ["Sentry Account", "Sentry Account 2"]
    assert [opened(app, one.name) for one in added] == [TOKEN, SECRET]


def test_a_token_is_asked_about_daily_and_a_bad_one_hourly() -> None:
    good = Account(
        id="a",
        name="A",
        url="https://sentry.io",
        token_hint="",
        status=AccountStatus.VALID,
        checked_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    bad = msgspec.structs.replace(good, status=AccountStatus.INVALID)
    hour = dt.timedelta(hours=1)
    assert [check.is_due(good, NOW + hours * hour) for hours in (0, 1, 23, 24)] == [False, False, False, True]
    assert [check.is_due(bad, NOW + hours * hour) for hours in (0, 1)] == [False, True]
    assert check.is_due(msgspec.structs.replace(good, checked_at=None), NOW)
    assert check.is_due(good, NOW - hour), "a clock that was set back"
