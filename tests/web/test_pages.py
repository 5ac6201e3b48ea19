"""What holds for all pages, without a browser: words, files, and who is led where."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from tools import words

from sentry_connector.store.rights import Level, Role, Thing
from sentry_connector.web.pages.assets import STATIC, Assets
from sentry_connector.web.pages.door import local
from sentry_connector.web.pages.rendering import TEMPLATES
from sentry_connector.web.pages.words import LANGUAGES, LOCALES, language_of
from tests.web.town import Town

HTML = {"accept": "text/html"}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_word_is_translated(language: str) -> None:
    assert words.missing(language) == []


@pytest.mark.parametrize("path", sorted(LOCALES.rglob("*.po")), ids=lambda path: path.stem)
def test_a_translation_has_the_places_of_its_word(path: Path) -> None:
    with path.open("rb") as file:
        kept = read_po(file)
    for one in kept:
        ids = [one.id] if isinstance(one.id, str) else list(one.id)
        strings = [one.string] if isinstance(one.string, str) else list(one.string or ())
        assert len(strings) == len(ids)
        for string, said in zip(strings, ids, strict=True):  # the one of a plural may say its number or not
            assert places(string) == places(said), one.id


def places(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}", text))


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "de-AT,de;q=0.9,en;q=0.5", "de"),
        (None, "fr, en;q=0.2, de;q=0.1", "en"),
        (None, "de;q=x, *", "en"),
        ("de", "en", "de"),
        ("xx", "de", "de"),
    ],
)
def test_the_language_is_the_one_chosen_or_asked_for(chosen: str | None, accepted: str, language: str) -> None:
    assert language_of(chosen, accepted) == language


def test_no_template_says_that_text_is_safe_or_holds_a_script_or_a_style() -> None:
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe|Markup|autoescape|<style|style=|<script(?![^>]*src=)|\son\w+=", text), path


def test_what_was_taken_over_is_what_its_list_says() -> None:
    """Version and checksum of each library; nothing else lies there."""
    vendor = STATIC / "vendor"
    listed = json.loads((vendor / "vendored.json").read_text())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in vendor.iterdir()}
    del found["vendored.json"]
    assert {name: one["sha256"] for name, one in listed.items()} == found
    assert all(one["version"] and one["licence"] for one in listed.values())


def test_a_file_has_its_own_address_for_good() -> None:
    assets = Assets()
    answer = assets.answer(assets.digest, "app.css", packed=True)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert assets.answer("0" * 16, "app.css", packed=False).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["../rendering.py", "..%2frendering.py", "/etc/passwd", "js", "", "vendor/../app.css"])
async def test_nothing_else_is_a_file(town: Town, name: str) -> None:
    digest = town.app.state.pages.assets.digest
    assert (await town.nobody("GET", f"/static/{digest}/{name}")).status == 404


async def test_who_has_to_sign_in_is_led_there_and_back(town: Town) -> None:
    town.person("ada", Role.ADMIN)
    answer = await town.nobody("GET", "/accounts?search=a%26b", headers=HTML)
    assert (answer.status, answer.all("location")) == (303, ["/sign-in?next=%2Faccounts%3Fsearch%3Da%2526b"])
    shown = await town.nobody("GET", "/sign-in?next=%2Faccounts%3Fsearch%3Da%2526b", headers=HTML)
    assert 'data-then="/accounts?search=a%26b"' in shown.body.decode()


@pytest.mark.parametrize(
    "there", ["https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil", "javascript:alert(1)", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(there: str) -> None:
    assert local(there) == "/"


async def test_a_refusal_is_a_page_to_a_browser_and_a_problem_to_a_program(town: Town) -> None:
    town.person("vera", Role.VIEWER)
    vera = await town.signed_in("vera")
    page = await vera("GET", "/accounts/new", headers=HTML)
    assert (page.status, dict(page.headers)["content-type"]) == (403, "text/html; charset=utf-8")
    assert "needs the role" in page.body.decode()
    told = await vera("GET", "/accounts/new")
    assert (told.status, told.json["name"]) == (403, "access.denied")


async def test_a_page_offers_only_what_the_api_would_do(town: Town) -> None:
    ada, vera = town.person("ada", Role.ADMIN), town.person("vera", Role.VIEWER)
    account = town.account("Ours", owner=ada)
    town.share(Thing.ACCOUNT, "Ours", vera, Level.USE)
    for name, offered in (("ada", True), ("vera", False)):
        person = await town.signed_in(name)
        text = (await person("GET", f"/accounts/{account.id}", headers=HTML)).body.decode()
        assert (f'data-action="/api/v1/accounts/{account.id}' in text) is offered


def test_a_script_s_imports_are_known_with_theirs() -> None:
    assets = Assets()
    known = {address.rpartition("/js/")[2] for address in assets.imported_by("js/app.js")}
    assert {"forms.js", "api.js", "toasts.js"} <= known
    assert "app.js" not in known
    assert len(known) == len(assets.imported_by("js/app.js"))
    assert "wizard/details.js" in {one.rpartition("/js/")[2] for one in assets.imported_by("js/wizard.js")}
