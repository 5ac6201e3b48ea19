"""Sentences of the house, found again by their forms and said in another language."""

from __future__ import annotations

import pytest
from tools.sentences import sentences as forms

from sentry_connector.datasets.schedule import parse
from sentry_connector.web.pages.words import translations
from sentry_connector.web.sentences import LONGEST, Sentences, sentences, spoken

SAY = Sentences(
    {
        "No space is left at {place}.": "In {place} ist kein Platz mehr.",
        "The last run failed: {message}": "Der letzte Lauf ist gescheitert: {message}",
        "Run again.": "Noch einmal laufen lassen.",
        "{place} does not answer: {error}": "{place} antwortet nicht: {error}",
    }
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("No space is left at /data.", "In /data ist kein Platz mehr."),
        ("No space is left at /data. Run again.", "In /data ist kein Platz mehr. Noch einmal laufen lassen."),
        (
            "The last run failed: No space is left at /a.b. Run again.",
            "Der letzte Lauf ist gescheitert: In /a.b ist kein Platz mehr. Noch einmal laufen lassen.",
        ),
        (
            "acme/shop: Run again.; acme/api: No space is left at x.",
            "acme/shop: Noch einmal laufen lassen.; acme/api: In x ist kein Platz mehr.",
        ),
        ("Whatever else: happens. There.", "Whatever else: happens. There."),
        ("No space is left at {place} {error}.", "In {place} {error} ist kein Platz mehr."),
        ("", ""),
    ],
)
def test_a_sentence_is_found_by_its_form_and_said_with_what_it_was_filled_with(said: str, meant: str) -> None:
    assert SAY(said) == meant


def test_a_text_that_is_too_long_to_be_looked_through_stays_as_it_is() -> None:
    text = "Run again. " * LONGEST
    assert SAY(text) == text


def test_only_the_fields_that_are_named_are_said_in_another_language() -> None:
    view = {"message": "An address may hold no NUL.", "rows": [{"text": "An address may hold no NUL."}]}
    assert spoken(view, "de", {"message"}) == {**view, "message": "Eine Adresse darf kein NUL enthalten."}
    assert spoken(view, "en", {"message"}) == view


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("manual", "nie von selbst"),
        ("every 90m", "alle 90 Minuten, gezählt ab Mitternacht UTC"),
        ("every 15m 8-17", "jeden Tag, alle 15 Minuten von 08:00 bis vor 17:00"),
        ("weekly mon,thu 06:30,18:00", "jeden Montag und Donnerstag, um 06:30 und 18:00"),
        ("jan,jul monthly 1,15,last 06:30", "am 1., 15. und letzten Tag des Monats im Januar und Juli, um 06:30"),
        ("monthly 2nd,last sun hourly", "am 2. und letzten Sonntag des Monats, zu jeder vollen Stunde"),
        ("cron: 30 6 1 * MON-FRI", "Um 06:30, am 1 Tag des Monats, oder Montag bis Freitag"),
    ],
)
def test_a_schedule_is_told_in_german(rule: str, words: str) -> None:
    assert parse(rule, translations("de").gettext).words == words


def test_sentences_are_read_off_the_source() -> None:
    """Those of errors, of findings and of what becomes of slots: translators have them without anybody listing them."""
    found = set(forms())
    assert {
        "No space is left at {place}.",
        "The last run failed: {message}",
        "it was missed",
        "There is no DataSet named {given}.",
        "Run again; let only this connector write to the table.",
        "{operator} takes {needed} value, not {values}.",
        "{operator} takes {needed} values, not {values}.",
    } <= found


def test_german_sentences_keep_what_they_are_filled_with() -> None:
    said = sentences("de")("The last run failed: The proxy refuses to connect to sentry.example (403).")
    assert said == "Der letzte Lauf ist gescheitert: Der Proxy lehnt eine Verbindung zu sentry.example ab (403)."
