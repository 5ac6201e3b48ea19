"""A language in which every word stands in ⟦brackets⟧: what stands on a page without them is data, or was forgotten."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from babel.messages import Catalog
from babel.messages.pofile import write_po
from tools import pages
from tools.words import REPORTS, said

from sentry_connector.errors import NotSentry
from sentry_connector.operations import notices, people
from sentry_connector.reports import menus
from sentry_connector.runs.slots import becoming
from sentry_connector.store.records import DataSet, Missing, Problem, Verdict
from sentry_connector.store.rights import Level, Right, Role
from sentry_connector.web.pages import words
from sentry_connector.web.sentences import sentences
from tests.parts import NOW
from tests.web.town import Town, Visitor

PSEUDO = "eo"
"""A language that the pages are not in."""

SILENT = {"script", "style", "time", "code", "pre"}
VOID = {"meta", "link", "input", "img", "br", "hr", "use", "path", "source", "col"}
SAID = ("aria-label", "placeholder", "title", "alt")
SENTENCES = {"message", "remedy", "attention", "warnings", "reason", "rests", "note", "words", "days", "wrong"}
"""Fields of the API that are sentences: English where nobody asks for another language, and no data of a page."""
NAMES = {
    "Sentry Connector", "English", "Deutsch", "UTC", "Excel", "JSON Lines", "Parquet", "Python", "Polars", "DuckDB", "Spark",
    "SELECT", "KiB", "min", "SQL of the connector", "Arrow", "CSV", "Delta",
}  # fmt: skip
"""What is the same in every language."""


LABELS = {*menus.LABELS.values(), *(one.label for one in menus.DATE_MENUS), menus.SPECIFIC, menus.RELATIVE}
"""The names of a report's menus are those of its documentation."""


class Said(HTMLParser):
    """The texts that a page says, its attributes' too."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        if tag not in SILENT and ("lang", None) not in attrs:
            self.texts += [value for name, value in attrs if name in SAID and value]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not SILENT.intersection(self._open):
            self.texts.append(data)


def unsaid(text: str, data: Sequence[str]) -> str:
    """What of a text stands in no brackets and is no data: nothing, or words. `data` has the longest first."""
    rest = text
    while (within := re.sub(r"⟦[^⟦⟧]*⟧", " ", rest)) != rest:  # sentences stand within sentences
        rest = within
    rest = rest.strip()
    for one in data:
        if one in rest:
            rest = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", " ", rest)
    return rest if re.search(r"[A-Za-z]{3}", rest) else ""


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language is there, as files of translators."""
    folder = tmp_path / "locales" / PSEUDO
    folder.mkdir(parents=True)
    for area, found in said().items():
        fresh = Catalog(locale=PSEUDO)
        for word in found:
            fresh.add(word, f"⟦{word}⟧" if isinstance(word, str) else tuple(f"⟦{one}⟧" for one in word))
        with (folder / f"{area}.po").open("wb") as file:
            write_po(file, fresh)
    monkeypatch.setattr(words, "LOCALES", tmp_path / "locales")
    monkeypatch.setitem(words.LANGUAGES, PSEUDO, "⟦Pseudo⟧")
    yield
    words.translations.cache_clear()
    sentences.cache_clear()


async def data_of(admin: Visitor) -> list[str]:
    """All texts that the API tells, and the names of its fields, the longest first: what is no word of a page."""
    found = NAMES | LABELS | {one.value for one in Level}

    def gather(value: Any) -> None:
        if isinstance(value, Mapping):
            for name, one in value.items():
                gather(name)
                if name not in SENTENCES:
                    gather(one)
        elif isinstance(value, list):
            for one in value:
                gather(one)
        elif isinstance(value, str) and len(value) > 2:
            found.add(value.strip())

    for path in ASKED:
        gather((await admin("GET", path)).json)
    for report in (await admin("GET", "/api/v1/reports")).json:
        gather((await admin("GET", f"/api/v1/reports/{report['slug']}")).json)
    return sorted(found - said()[REPORTS], key=len, reverse=True)


ASKED = (
    "/readyz", "/api/v1/schedule?rule=manual",
    "/api/v1/me", "/api/v1/me/sessions", "/api/v1/users", "/api/v1/api-keys", "/api/v1/audit", "/api/v1/settings",
    "/api/v1/workers", "/api/v1/accounts", "/api/v1/datasets", "/api/v1/datasets/Shop%20events", "/api/v1/runs",
    "/api/v1/datasets/Shop%20events/schema", "/api/v1/destinations", "/api/v1/notices/channels", "/api/v1/queries",
)  # fmt: skip


def put_trouble(town: Town, dataset: DataSet) -> None:
    """What there is to say of a DataSet with which everything is wrong."""
    wrong = Problem(**NotSentry("There is no Sentry API at this URL.").as_dict())
    run = town.house.store.runs.get("run-shop_events")
    assert run is not None
    town.house.store.runs.save(
        msgspec.structs.replace(
            run,
            verdict=Verdict.FAILED,
            error=wrong,
            incomplete=(Missing(scope="acme/shop", reason="Sentry answers 500 about project acme/shop."),),
            warnings=("3 lines of the run's log could not be written.",),
            drift=("newField",),
        )
    )
    store = town.house.store
    store.datasets.change(dataset.id, {"schedule": "daily 06:00", "paused": True, "updated_at": NOW})
    (one,) = store.slots.scheduled(dataset.id)
    store.slots.account(one, NOW + dt.timedelta(days=3), lambda _busy: becoming(one, [NOW], NOW, None))


async def test_every_word_of_every_page_is_translated(town: Town, pseudo: None) -> None:
    await notices.add(town.house, "Operations", "https://hooks.example/x", kinds=(), datasets=())
    ada = town.person(pages.ADMIN, Role.ADMIN)
    town.person(pages.EDITOR, Role.EDITOR)
    put_trouble(town, town.dataset("Shop events", ada, town.account("Acme", ada)))
    people.add_key(town.house, "notebook", ada, (Right.READ,))
    admin = await town.signed_in(pages.ADMIN)
    data = await data_of(admin)
    headers = {"accept": "text/html", "cookie": f"{admin.headers['cookie']}; language={PSEUDO}"}
    wrong = []
    for template in pages.templates():
        answer = await Visitor(town.app, headers)("GET", pages.address(template, pages.values_with("run-shop_events")))
        assert answer.status == 200, (template, answer.body)
        page = Said()
        page.feed(answer.body.decode())
        assert any("⟦" in one for one in page.texts)
        wrong += [f"{template}: {rest}" for one in page.texts if (rest := unsaid(one, data))]
    assert "\n".join(wrong) == ""


TOLD = {
    "/api/v1/schedule?rule=jan%20monthly%201,last%2006:30": ("words",),
    "/api/v1/schedule?rule=daily%2002:30&timezone=Europe/Berlin&from=2026-03-29&count=1": ("note",),
    "/api/v1/update-methods?report=project-events&since_last_run=true": ("about", "refused"),
    "/api/v1/days?report=project-events&date=yesterday": ("days",),
    "/api/v1/schedule?rule=often": ("title", "message", "remedy"),
    "/api/v1/datasets/Nothing": ("title", "message", "remedy"),
}
"""What the API tells the scripts of pages → the fields in which it says sentences."""


async def test_what_the_scripts_of_pages_are_told_is_translated(town: Town, pseudo: None) -> None:
    """A page's script shows sentences of the API; programs, which ask for no language, have them in English."""
    town.person(pages.ADMIN, Role.ADMIN)
    admin = await town.signed_in(pages.ADMIN)
    for path, fields in TOLD.items():
        asked = await admin("GET", path, headers={"accept-language": PSEUDO})
        plain = await admin("GET", path)
        for name in fields:
            said = [one for one in _of_field(asked.json, name) if one]
            assert said, (path, name, asked.body)
            assert [rest for one in said if (rest := unsaid(one, ()))] == [], (path, name)
            assert not any("⟦" in one for one in _of_field(plain.json, name) if one)


def _of_field(value: Any, name: str) -> Iterator[str]:
    """What stands in the fields of that name."""
    if isinstance(value, list):
        for one in value:
            yield from _of_field(one, name)
    elif isinstance(value, Mapping):
        for field, one in value.items():
            if field == name:
                yield one
            else:
                yield from _of_field(one, name)
