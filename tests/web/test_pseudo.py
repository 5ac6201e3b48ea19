"""A language in which every word stands in ⟦brackets⟧: what stands on a page without them is data, or was forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog
from babel.messages.pofile import write_po
from tools import pages
from tools.words import REPORTS, said

from sentry_connector.operations import notices, people
from sentry_connector.reports import menus
from sentry_connector.store.rights import Level, Right, Role
from sentry_connector.web.pages import words
from tests.web.town import Town, Visitor

PSEUDO = "eo"
"""A language that the pages are not in."""

SILENT = {"script", "style", "time", "code", "pre"}
VOID = {"meta", "link", "input", "img", "br", "hr", "use", "path", "source", "col"}
SAID = ("aria-label", "placeholder", "title", "alt")
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
    rest = re.sub(r"⟦[^⟦⟧]*⟧", " ", text).strip()
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
    words.translations.cache_clear()
    yield
    words.translations.cache_clear()


async def data_of(admin: Visitor) -> list[str]:
    """All texts that the API tells, and the names of its fields, the longest first: what is no word of a page."""
    found = NAMES | LABELS | {one.value for one in Level}

    def gather(value: Any) -> None:
        if isinstance(value, Mapping):
            for name, one in value.items():
                gather(name)
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


async def test_every_word_of_every_page_is_translated(town: Town, pseudo: None) -> None:
    await notices.add(town.house, "Operations", "https://hooks.example/x", kinds=(), datasets=())
    ada = town.person(pages.ADMIN, Role.ADMIN)
    town.person(pages.EDITOR, Role.EDITOR)
    town.dataset("Shop events", ada, town.account("Acme", ada))
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
