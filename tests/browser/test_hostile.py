"""Hostile texts in everything that has a name or a text, on every page: none runs, none breaks a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import cycle, product

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from playwright.sync_api import BrowserContext, Page, expect
from tools import pages

from sentry_connector.redact import Redactor
from sentry_connector.runs.log import bound_log, run_lines
from sentry_connector.simulator import Simulation
from sentry_connector.store.records import (
    Account,
    Channel,
    DataSet,
    Kind,
    Missing,
    Notice,
    Problem,
    Run,
    RunState,
    SavedQuery,
    Trigger,
    Verdict,
)
from sentry_connector.store.rights import Role, User
from sentry_connector.store.store import Store
from tests.browser.filled import filled, sign_in
from tests.browser.looks import SIZES, too_wide
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving
from tests.hostile import COUNT, PAYLOADS

pytestmark = pytest.mark.timeout(600)  # what the module stands on is made within its first test

NOW = dt.datetime.now(dt.UTC)
EVERY_PAGE = pages.templates()
OF_ONE = {
    "accounts": {"name": "account"},
    "datasets": {"name": "dataset", "run_id": "run"},
    "runs": {"run_id": "run"},
    "people": {"name": "person"},
    "notices": {"name": "channel"},
}
"""Whose pages are of one thing: the beginnings of the ids of its parts, of which there is one for each text."""

WATCH = """
window.hurts = 0;
window.hurt = () => { window.hurts += 1; };
window.violations = [];
document.addEventListener("securitypolicyviolation", told => window.violations.push(
  `${told.violatedDirective} ${told.blockedURI} ${told.sample}`));
"""


def put(store: Store, number: int, text: str) -> None:
    """One thing of each kind that bears the text wherever it has one."""
    mark = f"{number:03}"
    account = Account(
        id=f"account-{mark}",
        name=text,
        url="https://sentry.io",
        token_hint="sntryu_…",
        message=text,
        created_at=NOW,
        updated_at=NOW,
    )
    store.accounts.add(account, "v1.sealed")
    dataset = DataSet(
        id=f"dataset-{mark}", name=text, slug="", description=text, tags=(text,), report="projects",
        account_id=account.id, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    store.datasets.add(dataset)
    problem = Problem(name="request.failed", code=6, message=text, remedy=text)
    run = Run(
        id=f"run-{mark}", dataset_id=dataset.id, trigger=Trigger.MANUAL, state=RunState.DONE, verdict=Verdict.FAILED,
        queued_at=NOW, started_at=NOW, finished_at=NOW, error=problem, warnings=(text,), drift=(text,),
        incomplete=(Missing(scope=text, reason=text),),
    )  # fmt: skip
    store.runs.add(run)
    store.people.add(User(id=f"person-{mark}", name=text, role=Role.VIEWER, created_at=NOW, updated_at=NOW), None)
    channel = Channel(
        id=f"channel-{mark}", name=text, service=text, hint=text, kinds=(Kind.PAUSED,), created_at=NOW, updated_at=NOW
    )
    store.notices.add_channel(channel, "v1.sealed")
    notice = Notice(
        id=f"notice-{mark}", kind=Kind.FAILED, recovered=False, subject_id=dataset.id, subject=text,
        dataset_id=dataset.id, message=text, run_id=run.id, since=NOW, at=NOW,
    )  # fmt: skip
    store.notices.add([notice])
    store.queries.save(
        SavedQuery(id=f"query-{mark}", name=text, sql=f"SELECT '{text}'", shared=True, created_at=NOW, updated_at=NOW)
    )


def fill_table(folder: str, texts: Sequence[str]) -> None:
    """A row for each text, which stands in every text column, beside the rows that are there."""
    schema = pa.schema(DeltaTable(folder).schema().to_arrow())
    columns = [
        pa.array(texts, pa.string()).cast(one.type) if one.type in TEXTS else pa.nulls(len(texts), one.type)
        for one in schema
    ]
    write_deltalake(folder, pa.table(columns, schema=schema), mode="append")


TEXTS = (pa.string(), pa.large_string(), pa.string_view())


@pytest.fixture(
    scope="module",
    params=[pytest.param(COUNT // 15, id="fifteen"), pytest.param(1, id="all", marks=pytest.mark.long)],
)
def numbers(request: pytest.FixtureRequest) -> range:
    """Which of the texts are there."""
    assert len(set(PAYLOADS)) == COUNT == 300
    return range(0, COUNT, request.param)


@pytest.fixture(scope="module")
def shell(sentry: Simulation, tmp_path_factory: pytest.TempPathFactory, numbers: range) -> Shell:
    """The command line on a home of its own for each choice of texts."""
    return Shell(
        {
            "SENTRY_CONNECTOR_HOME": str(tmp_path_factory.mktemp("hostile") / "home"),
            "SENTRY_URL": sentry.url,
            "SENTRY_AUTH_TOKEN": sentry.token,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
    )


@pytest.fixture(scope="module")
def values(shell: Shell, sentry: Simulation, numbers: range) -> pages.Values:
    found = filled(shell, sentry.token)
    with closing(Store(f"sqlite:///{shell.home}/connector.db")) as store:
        for number in numbers:
            put(store, number, PAYLOADS[number])
            with run_lines(shell.home / "logs", f"run-{number:03}") as lines:
                bound_log(lines, Redactor(), f"run-{number:03}").info(PAYLOADS[number], text=PAYLOADS[number])
        folder = shell.home / "tables" / store.datasets.find("Shop events").id
        fill_table(str(folder), [PAYLOADS[number] for number in numbers])
    return found


@pytest.fixture(scope="module")
def server(shell: Shell, values: pages.Values) -> Iterator[Served]:
    with serving(shell) as served:
        yield served


@pytest.fixture
def admin(context: BrowserContext, page: Page) -> Page:
    page.add_init_script(WATCH)
    sign_in(context)
    return page


def harm(page: Page, path: str) -> list[str]:
    """What hostile texts did on a page, in a wide window and in a small one."""
    page.goto(path)
    wrong = []
    for size in ("wide", "small"):
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        if (more := too_wide(page)) > 0:
            wrong.append(f"{path}, {size}: {more} pixels too wide")
    hurts, violations = page.evaluate("[window.hurts, window.violations]")
    wrong += [f"{path}: {hurts} scripts ran"] if hurts else []
    return wrong + [f"{path}: {one}" for one in violations]


def of_one(template: str, number: int) -> str:
    """The address of the page of the thing that bears a text."""
    values = {piece: {name: f"{kind}-{number:03}" for name, kind in parts.items()} for piece, parts in OF_ONE.items()}
    return pages.address(template, values)


ONES = [template for template in EVERY_PAGE if "{" in template]


def test_what_watches_sees_what_runs_and_what_is_refused(context: BrowserContext) -> None:
    admin = context.new_page()
    admin.add_init_script(WATCH)
    admin.goto("/sign-in")
    admin.evaluate("hurt()")
    told = admin.evaluate(
        """() => new Promise(told => {
          document.addEventListener("securitypolicyviolation", () => told(window.violations));
          new Image().src = "https://evil.example/x.png";
        })"""
    )
    assert told == ["img-src https://evil.example/x.png "]
    assert admin.evaluate("window.hurts") == 1


@pytest.mark.parametrize("template", EVERY_PAGE)
def test_no_page_with_the_texts_on_it_is_harmed(admin: Page, values: pages.Values, template: str) -> None:
    assert harm(admin, pages.address(template, values)) == []


@pytest.mark.timeout(1800)
def test_no_page_of_a_thing_with_such_a_name_is_harmed(admin: Page, numbers: range) -> None:
    """Of a few texts each on one page after another, of all of them each on all."""
    every = product(numbers, ONES) if len(numbers) == COUNT else zip(numbers, cycle(ONES), strict=False)
    assert [one for number, template in every for one in harm(admin, of_one(template, number))] == []


def test_41_texts_in_a_table_are_shown_as_they_are(admin: Page) -> None:
    """All of them as rows of a query's result, which a script draws."""
    admin.goto("/query?sql=SELECT+*+FROM+shop_events+WHERE+_run_id+LIKE+'%25+%25'")
    admin.get_by_role("button", name="Run", exact=True).click()
    expect(admin.get_by_text("<script>hurt()</script>", exact=False).first).to_be_visible()
    assert too_wide(admin) <= 0
    assert admin.evaluate("[window.hurts, window.violations]") == [0, []]
