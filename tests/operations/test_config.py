"""A configuration becomes what is stored: by the steps that were shown, checked whole before the first, and each once."""

from __future__ import annotations

import asyncio
import base64
import io
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentry_connector.datasets.config import Configuration, text_of
from sentry_connector.datasets.config_reader import Read
from sentry_connector.datasets.definition import Definition
from sentry_connector.errors import ConfigInvalid, DatesError, EditedMeanwhile, TokenRejected, UnknownName, UsageError
from sentry_connector.operations import accounts, config, datasets, destinations, edits, notices
from sentry_connector.operations.config import Outcome, State
from sentry_connector.operations.config_steps import Planned
from sentry_connector.reports.details import Details
from sentry_connector.runs import outbox
from sentry_connector.simulator import TOKEN, Access, Simulation, World, running
from tests.datasets.definitions import definitions
from tests.operations.test_accounts import NOBODYS, SECRET, TOKENS
from tests.postgres import Server
from tests.runs.acme import HOUR, HastyApp, app_in, made, ran, rows_of, small_world

HOOK = "https://hooks.example.com/canary-path"
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOWHERE = "http://127.0.0.1:9"
ENV = {"A": TOKEN, "B": SECRET, "NOBODYS": NOBODYS, "HOOK": HOOK, "KEY": KEY, "BLANK": " "}


@pytest.fixture
def world() -> World:
    return small_world(events=120)


@pytest.fixture
async def sentry(world: World) -> AsyncIterator[Simulation]:
    tokens: dict[str, Access] = dict(TOKENS)
    async with running(world, clock=lambda: world.time, tokens=tokens) as simulation:
        yield simulation


@pytest.fixture
def app(tmp_path: Path, sentry: Simulation) -> HastyApp:
    return app_in(tmp_path, sentry)


def wanted(text: str) -> Read:
    return config.read_files(["-"], io.BytesIO(text.encode()))


def plan(app: HastyApp, text: str, *, prune: bool = False, env: Mapping[str, str] = ENV) -> Planned:
    return config.plan(app, wanted(text), env, prune=prune)


def in_short(found: Planned) -> list[tuple[str, str, list[str]]]:
    """What is done, with whom, and to which fields."""
    return [(str(step.action), step.name, [change.field for change in step.changes]) for step in found.steps]


async def applied(app: HastyApp, text: str, *, prune: bool = False, env: Mapping[str, str] = ENV) -> list[Outcome]:
    return await config.apply(app, plan(app, text, prune=prune, env=env), env)


def wrong(app: HastyApp, text: str, *, prune: bool = False, env: Mapping[str, str] = ENV) -> list[str]:
    with pytest.raises(ConfigInvalid) as error:
        plan(app, text, prune=prune, env=env)
    return list(error.value.problems)


def whole(url: str) -> str:
    return f"""
accounts:
  - {{name: acme, url: "{url}", token: {{env: A}}}}
datasets:
  - {{name: Shop, report: project-events, account: ACME, project: acme/shop, since_last_run: true, update_method: upsert}}
  - {{name: Projects, report: Projects, schedule: hourly, paused: true, muted: true}}
notices:
  - {{name: ops, address: {{env: HOOK}}, secret: {{env: KEY}}, kind: [failed, no rows], dataset: shop}}
"""


async def test_what_was_applied_is_there_and_is_not_done_again(app: HastyApp, sentry: Simulation) -> None:
    text = whole(sentry.url)
    outcomes = await applied(app, text)
    assert [one.state for one in outcomes] == [State.DONE] * 4
    assert accounts.find(app, "acme").token_hint.startswith("sntry")
    stored = datasets.find(app, "shop")
    assert stored.account_id == accounts.find(app, "acme").id
    channel = notices.find(app, "ops")
    assert channel.dataset_ids == (stored.id,)
    assert outbox.address(app, channel.id).secret == KEY
    rests = datasets.find(app, "projects")
    assert (rests.paused, rests.muted, rests.account_id) == (True, True, None)
    again = plan(app, text)
    assert (again.steps, again.unchanged, again.notes) == ((), 4, ())
    assert await applied(app, text) == []


async def test_a_dataset_of_a_file_is_the_one_that_the_command_makes(app: HastyApp) -> None:
    details = Details(projects=("acme/shop",), bodies=True)
    by_hand = made(app, "append", details, name="By hand", tags=("a",), schedule="hourly", description="x")
    await applied(
        app,
        "datasets: [{name: By file, report: Project Events, project: acme/shop, with_bodies: true, update_method: append,"
        " tag: a, schedule: hourly, description: x}]",
    )
    by_file = datasets.find(app, "by file")
    named = {"id": by_hand.id, "name": by_hand.name, "slug": by_hand.slug}
    assert msgspec.structs.replace(by_file, **named) == by_hand


async def test_a_change_shows_the_fields_and_changes_nothing_else(app: HastyApp, sentry: Simulation) -> None:
    text = whole(sentry.url)
    await applied(app, text)
    before = datasets.find(app, "shop")
    changed = text.replace("upsert}", "upsert, tag: [x], schedule: hourly}").replace("kind: [failed, no rows], ", "")
    found = plan(app, changed)
    assert in_short(found) == [("change", "Shop", ["tag", "schedule"]), ("change", "ops", ["kind"])]
    assert found.steps[0].changes[1].before == "manual"
    await applied(app, changed)
    after = datasets.find(app, "shop")
    assert (after.tags, after.schedule) == (("x",), "hourly")
    same = {name: getattr(before, name) for name in ("tags", "schedule", "updated_at")}
    assert msgspec.structs.replace(after, **same) == before
    assert plan(app, changed).steps == ()


async def test_a_rename_keeps_everything_and_may_stay_in_the_file(app: HastyApp, sentry: Simulation) -> None:
    await applied(app, whole(sentry.url))
    before = datasets.find(app, "shop")
    text = (
        whole(sentry.url)
        .replace("{name: acme", "{name: Acme, renamed_from: x")
        .replace("name: Shop,", "name: Store, renamed_from: shop,")
        .replace("{name: ops", "{name: team, renamed_from: OPS")
        .replace("dataset: shop", "dataset: STORE")
    )
    assert in_short(plan(app, text)) == [
        ("change", "Acme", ["name"]),
        ("change", "Store", ["name"]),
        ("change", "team", ["name"]),
    ]
    await applied(app, text)
    assert datasets.find(app, "store").id == before.id
    assert notices.find(app, "team").dataset_ids == (before.id,)
    assert plan(app, text).steps == ()


async def test_what_files_do_not_name_stays_and_is_pruned_in_their_sections_alone(
    app: HastyApp, sentry: Simulation
) -> None:
    await applied(app, whole(sentry.url))
    text = "datasets: [{name: Projects, report: projects, schedule: hourly}]"
    assert plan(app, text).steps == ()
    assert in_short(plan(app, text, prune=True)) == [("delete", "Shop", [])]
    assert in_short(plan(app, "accounts:\n  []\ndatasets: []\nnotices: []", prune=True)) == [
        ("delete", "ops", []),
        ("delete", "Projects", []),
        ("delete", "Shop", []),
        ("delete", "acme", []),
    ]
    [problem] = wrong(app, "accounts: []", prune=True)
    assert "'acme' is not in the files, and Shop would ask with it" in problem
    await applied(app, text, prune=True)
    assert [one.name for one in datasets.everything(app)] == ["Projects"]
    assert [one.name for one in datasets.everything(app, deleted=True)] == ["Shop"]


async def test_a_channel_cannot_hear_of_what_is_pruned(app: HastyApp, sentry: Simulation) -> None:
    await applied(app, whole(sentry.url))
    [problem] = wrong(app, "datasets: []\nnotices: [{name: ops, dataset: Shop}]", prune=True)
    assert "There is no DataSet named 'Shop'" in problem


# ---- secrets


async def test_another_token_or_secret_is_a_change_and_what_leads_nowhere_stays(
    app: HastyApp, sentry: Simulation
) -> None:
    text = whole(sentry.url)
    await applied(app, text)
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    env = ENV | {"A": SECRET, "HOOK": HOOK + "/2", "KEY": other}
    found = plan(app, text, env=env)
    assert in_short(found) == [("change", "acme", ["token"]), ("change", "ops", ["address", "secret"])]
    assert all(secret not in repr(found) for secret in (SECRET, HOOK, other))
    await applied(app, text, env=env)
    assert app.connection(accounts.find(app, "acme")).token == SECRET
    assert outbox.address(app, notices.find(app, "ops").id).url == HOOK + "/2"
    assert outbox.address(app, notices.find(app, "ops").id).secret == other
    without = plan(app, text, env={})
    assert without.steps == ()
    assert [line.partition(" stays")[0] for line in without.notes] == [
        "acme: its token",
        "ops: its address",
        "ops: its secret",
    ]


def test_what_is_new_needs_its_secret(app: HastyApp, sentry: Simulation) -> None:
    found = wrong(app, whole(sentry.url), env={"A": " "})
    assert [line.partition(": ")[2] for line in found] == [
        "the account 'acme' is new and needs its token: the variable A is not set.",
        "the channel 'ops' is new and needs its address: the variable HOOK is not set.",
        "the variable KEY is not set.",
    ]
    [problem] = wrong(app, "accounts: [{name: acme}]")
    assert problem.endswith("the account 'acme' is new and needs its token: nothing says where it is.")


def test_a_secret_of_a_file_is_read_from_the_folder_of_the_file_that_names_it(app: HastyApp, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "a.yaml").write_text("notices: [{name: ops, address: {file: hook.txt}}]")
    (folder / "b.yml").write_text("datasets: [{name: P, report: projects}]")
    (folder / "c.txt").write_text("no YAML: [")
    read = config.read_files([str(folder)], io.BytesIO())
    assert {"datasets", "notices"} == read.sections
    with pytest.raises(ConfigInvalid, match=r"there is nothing in the file hook\.txt"):
        config.plan(app, read, {})
    (folder / "hook.txt").write_text(f"{HOOK}\n")
    assert [name for _, name, _ in in_short(config.plan(app, read, {}))] == ["P", "ops"]
    (folder / "hook.txt").unlink()
    (folder / "hook.txt").mkdir()
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        config.plan(app, read, {})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("notices: [{name: a, address: {env: HOOK}, secret: {env: A}}]", "that is no secret of a webhook"),
        ("notices: [{name: a, address: {env: A}}]", "no address of a service"),
        ("notices: [{name: a, address: {env: MAIL}, secret: {env: KEY}}]", "a secret is for webhooks"),
        ("accounts: [{name: a, token: {env: TWO}}]", "the token holds characters that no token has"),
        ("accounts: [{name: a, url: 'http://u:hunter2@x', token: {env: A}}]", "must not hold a user or a password"),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_and_not_repeated(app: HastyApp, text: str, what: str) -> None:
    env = ENV | {"TWO": "hunter2 hunter3", "MAIL": "mailtos://user:hunter2@example.com"}
    [problem] = wrong(app, text, env=env)
    assert what in problem
    assert all(secret not in problem for secret in ("hunter", HOOK, KEY, TOKEN))


# ---- nothing is written before everything is checked


async def test_a_token_that_sentry_does_not_take_lets_nothing_be_written(app: HastyApp, sentry: Simulation) -> None:
    text = f"""
accounts:
  - {{name: good, url: "{sentry.url}", token: {{env: A}}}}
  - {{name: bad, url: "{sentry.url}", token: {{env: NOBODYS}}}}
datasets: [{{name: P, report: projects}}]
"""
    outcomes = await applied(app, text)
    assert [(one.step.name, one.state) for one in outcomes] == [
        ("good", State.NOT_DONE),
        ("bad", State.FAILED),
        ("P", State.NOT_DONE),
    ]
    assert isinstance(outcomes[1].error, TokenRejected)
    assert (accounts.everything(app), datasets.everything(app)) == ([], [])


def test_all_that_is_wrong_is_told_with_its_place_and_in_the_words_of_the_file(app: HastyApp) -> None:
    text = """datasets:
  - name: a
    report: projectz
  - name: b
    report: project-events
  - name: c
    report: project-events
    project: x
    keep_days: 3
  - name: d
    report: project-events
    project: x
    schedule: sometimes
  - name: e
    report: project-events
    project: x
    last_days: 3
    date: today
  - name: f
    report: project-events
    project: x
    no_retry: true
    retry_times: 3
  - name: g
    report: project-events
    project: x
    account: nobody
  - name: h
    report: project-events
    project: x
    date: 2099-01-01
notices:
  - name: i
    address: {env: HOOK}
    dataset: nothing
"""
    found = wrong(app, text)
    places = [line.split(": ")[0] for line in found]
    assert places == ["-:3:5", "-:4:5", "-:9:5", "-:13:5", "-:18:5", "-:22:5", "-:27:5", "-:31:5", "-:35:5"]
    assert "Did you mean: Projects" in found[0]
    assert "Give `project`" in found[1]
    assert "keep_days needs update_method partition" in found[2]
    assert "--" not in "".join(found)
    assert datasets.everything(app) == []


async def test_rows_are_lost_only_with_consent(app: HastyApp) -> None:
    await applied(app, "datasets: [{name: Shop, report: project-events, project: acme/shop, all_available: true}]")
    run = await ran(app, datasets.find(app, "shop"))
    shorter = "datasets: [{name: Shop, report: project-events, project: acme/shop, days_back: 1MORE}]"
    [problem] = wrong(app, shorter.replace("MORE", ""))
    assert problem.startswith("-:1:69: The next run would drop ")
    assert "consent with accept_loss" in problem
    [step] = plan(app, shorter.replace("MORE", ", accept_loss: true")).steps
    assert "would drop" in step.notes[0]
    assert len(rows_of(app, datasets.find(app, "shop"))) == run.rows_read
    [problem] = wrong(app, "datasets: [{name: Shop, report: projects}]")
    assert "rows of projects have other columns" in problem


async def test_a_filled_dataset_and_its_account_keep_their_server(app: HastyApp, sentry: Simulation) -> None:
    text = whole(sentry.url)
    await applied(app, text)
    await ran(app, datasets.find(app, "shop"))
    of_the_account, of_the_dataset = wrong(app, text.replace(sentry.url, "https://elsewhere.example.com"))
    assert "is another server" in of_the_account
    assert "another Sentry server" in of_the_dataset
    other = text.replace(
        "datasets:", '  - {name: other, url: "https://elsewhere.example.com", token: {env: B}}\ndatasets:'
    )
    [problem] = wrong(app, other.replace("account: ACME", "account: other"))
    assert "another Sentry server" in problem


async def test_an_account_moves_with_a_token_alone(app: HastyApp, sentry: Simulation) -> None:
    text = f'accounts: [{{name: acme, url: "{sentry.url}", token: {{env: A}}}}]'
    await applied(app, text)
    moved = text.replace("127.0.0.1", "localhost")
    [problem] = wrong(app, moved, env={})
    assert "moves to" in problem
    assert in_short(plan(app, moved)) == [("change", "acme", ["url", "token"])]
    [outcome] = await applied(app, moved)
    assert outcome.state is State.DONE
    assert app.connection(accounts.find(app, "acme")).token == TOKEN


async def test_at_the_first_step_that_fails_it_stops_and_goes_on_the_next_time(
    app: HastyApp,
) -> None:
    """Somebody takes the name of the second DataSet in the moment when it is made."""
    text = "datasets: [{name: A, report: projects}, {name: B, report: projects}, {name: C, report: projects}]"
    to_do = plan(app, text)

    def tell(outcome: Outcome) -> None:
        if outcome.step.name == "A":
            made(app, "replace", Details(), "projects", name="b")

    outcomes = await config.apply(app, to_do, ENV, tell)
    assert [(one.step.name, one.state) for one in outcomes] == [
        ("A", State.DONE),
        ("B", State.FAILED),
        ("C", State.NOT_DONE),
    ]
    assert isinstance(outcomes[1].error, UsageError)
    assert sorted(one.name for one in datasets.everything(app)) == ["A", "b"]
    datasets.delete(app, "b")
    assert [one.step.name for one in await applied(app, text)] == ["B", "C"]


async def test_a_plan_is_not_carried_out_on_what_was_changed_since(app: HastyApp) -> None:
    text = "datasets: [{name: A, report: projects, schedule: hourly}]"
    to_do = plan(app, text)
    await applied(app, text)
    with pytest.raises(UsageError, match="changed after this plan was made"):
        await config.apply(app, to_do, ENV)


async def test_two_that_apply_at_once_do_each_step_once(app: HastyApp) -> None:
    to_do = plan(app, "datasets: [{name: A, report: projects}, {name: B, report: projects}]")
    ends = await asyncio.gather(*(config.apply(app, to_do, ENV) for _ in range(2)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["UsageError", "list"]
    assert [one.name for one in datasets.everything(app)] == ["A", "B"]


# ---- export


async def test_an_export_is_no_plan_and_makes_the_same_elsewhere(
    app: HastyApp, sentry: Simulation, tmp_path: Path
) -> None:
    await applied(app, whole(sentry.url))
    found, notes = config.export(app)
    text = text_of(found)
    assert notes == []
    assert all(secret not in text for secret in (TOKEN, HOOK, KEY, "canary"))
    env = {"SENTRY_AUTH_TOKEN_ACME": TOKEN, "NOTICE_ADDRESS_OPS": HOOK, "NOTICE_SECRET_OPS": KEY}
    for known in (env, {}):
        assert plan(app, text, prune=True, env=known).steps == ()
    other = app_in(tmp_path / "other", sentry)
    outcomes = await applied(other, text, env=env)
    assert {one.state for one in outcomes} == {State.DONE}
    assert text_of(config.export(other)[0]) == text


def test_variables_of_an_export_are_told_apart() -> None:
    assert config.variables("T", ["acme", "ACME!", "acme_2", "2", "é"]) == [
        "T_ACME",
        "T_ACME_2",
        "T_ACME_2_2",
        "T_2",
        "T_E",
    ]


async def test_an_export_notes_what_it_cannot_say(app: HastyApp, sentry: Simulation) -> None:
    await applied(app, whole(sentry.url))
    accounts.delete(app, "acme")
    datasets.delete(app, "Projects")
    await notices.add(app, "left", HOOK, datasets=["Shop"])
    found, notes = config.export(app)
    assert [line.partition(":")[0] for line in notes] == ["Shop"]
    assert found.datasets[0].account is None
    assert in_short(plan(app, text_of(found), env={})) == [("change", "Shop", ["account"])]
    datasets.delete(app, "Shop")
    found, notes = config.export(app)
    assert [line.partition(":")[0] for line in notes] == ["left", "ops"]
    assert found == Configuration()


async def goes_round(wished: list[Definition]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = (HastyApp(Path(folder) / name, NOWHERE, TOKEN) for name in ("first", "second"))
        with first, second:
            for definition in wished:
                try:
                    datasets.create(first, definition, None)
                except DatesError:  # a range whose end comes before its start now
                    continue
            text = text_of(config.export(first)[0])
            assert plan(first, text, prune=True).steps == ()
            await applied(second, text)
            assert text_of(config.export(second)[0]) == text
            both = [[edits.definition_of(one) for one in datasets.everything(each)] for each in (first, second)]
            assert both[0] == both[1]


WISHES = st.lists(definitions(), max_size=5, unique_by=lambda one: one.name.casefold())


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(WISHES)
def test_export_apply_export_is_the_same_text(wished: list[Definition]) -> None:
    asyncio.run(goes_round(wished))


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=1000, suppress_health_check=[HealthCheck.too_slow])
@given(WISHES)
def test_export_apply_export_is_the_same_text_a_thousand_times(wished: list[Definition]) -> None:
    asyncio.run(goes_round(wished))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        config.read_files([str(tmp_path / "none.yaml")], io.BytesIO())
    with pytest.raises(UnknownName):
        config.read_files([str(tmp_path)], io.BytesIO())


# ---- destinations


async def test_a_destination_is_made_before_the_datasets_that_lie_there_and_deleted_after_them(
    app: HastyApp, sentry: Simulation, tmp_path: Path
) -> None:
    text = f"""
datasets: [{{name: Shop, report: project-events, project: acme/shop, all_available: true, destination: WAREHOUSE}}]
destinations: [{{name: warehouse, url: "sqlite:///{tmp_path}/w.db"}}]
"""
    assert in_short(plan(app, text)) == [
        ("create", "warehouse", ["url"]),
        ("create", "Shop", ["report", "project", "all_available", "destination"]),
    ]
    await applied(app, text)
    assert datasets.find(app, "shop").destination == "warehouse"
    run = await ran(app, datasets.find(app, "shop"))
    assert run.rows_written
    assert plan(app, text, prune=True).steps == ()
    [problem] = wrong(app, text.replace(", destination: WAREHOUSE", ""))
    assert "lies in warehouse, and is filled" in problem
    [problem] = wrong(app, text.replace("w.db", "other.db"))
    assert problem.startswith("-:3:34: the destination 'warehouse' is at sqlite:")
    [problem] = wrong(app, "destinations: []", prune=True)
    assert "'warehouse' is not in the files, and Shop would lie there" in problem
    exported = text_of(config.export(app)[0])
    assert plan(app, exported, prune=True).steps == ()
    other = app_in(tmp_path / "other", sentry)
    await applied(other, exported)
    assert text_of(config.export(other)[0]) == exported


async def test_another_password_of_a_database_is_a_change(app: HastyApp, postgres: Server) -> None:
    text = f"destinations: [{{name: pg, url: '{postgres.fresh_database()}', password: {{env: A}}}}]"
    await applied(app, text)
    assert plan(app, text).steps == ()
    env = ENV | {"A": "another"}
    assert in_short(plan(app, text, env=env)) == [("change", "pg", ["password"])]
    await applied(app, text, env=env)
    assert destinations.password_of(app, destinations.find(app, "pg")) == "another"
    assert plan(app, text, env={}).notes == ("pg: its password stays as it is: the variable A is not set.",)
    assert "DESTINATION_PASSWORD_PG" in text_of(config.export(app)[0])


async def test_what_is_not_filled_may_move_to_a_destination_of_the_same_file(app: HastyApp, tmp_path: Path) -> None:
    dataset = "datasets: [{name: P, report: projects}]"
    await applied(app, dataset)
    text = f"destinations: [{{name: w, url: 'duckdb:///{tmp_path}/w.duckdb'}}]\n{dataset.replace('}', ', destination: w}')}"
    assert in_short(plan(app, text)) == [("create", "w", ["url"]), ("change", "P", ["destination"])]
    await applied(app, text)
    assert datasets.find(app, "p").destination == "w"
    assert in_short(plan(app, "datasets: []\ndestinations: []", prune=True)) == [
        ("delete", "P", []),
        ("delete", "w", []),
    ]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("{name: delta, url: 'sqlite:////tmp/x.db'}", "call this one otherwise"),
        ("{name: w, url: 'postgresql://u:hunter2@h/d'}", ""),
        ("{name: w, url: 'sqlite:////tmp/x.db', password: {env: A}}", "which has no password"),
        (
            "{name: w, url: 'postgresql://u@h/d', password: {env: BLANK}}",
            "needs its password: the variable BLANK is not set",
        ),
        ("{name: w, url: 'mysql://u@h/d'}", "no address of a database"),
    ],
)
def test_a_destination_that_cannot_be_one_is_refused(app: HastyApp, entry: str, what: str) -> None:
    [problem] = wrong(app, f"destinations: [{entry}]")
    assert what in problem
    assert "hunter2" not in problem


def test_a_dataset_lies_in_a_destination_that_there_is(app: HastyApp) -> None:
    [problem] = wrong(app, "datasets: [{name: P, report: projects, destination: w}]")
    assert problem.startswith("-:1:40: There is no destination named 'w'")


async def test_what_was_edited_while_a_plan_is_carried_out_is_not_edited_over(app: HastyApp) -> None:
    await applied(app, "datasets: [{name: A, report: projects}, {name: B, report: projects}]")
    to_do = plan(app, "datasets: [{name: A, report: projects, tag: x}, {name: B, report: projects, tag: x}]")

    def tell(outcome: Outcome) -> None:
        if outcome.step.name == "A":
            app.moment += HOUR
            datasets.edit(app, "B", {"description": "by somebody else"})

    outcomes = await config.apply(app, to_do, ENV, tell)
    assert [one.state for one in outcomes] == [State.DONE, State.FAILED]
    assert isinstance(outcomes[1].error, EditedMeanwhile)
    assert datasets.find(app, "B").tags == ()
