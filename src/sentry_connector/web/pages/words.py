"""The languages of the pages: English as the templates have it, and what translators made of it (`locales/`)."""

from __future__ import annotations

import io
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Annotated

from babel.core import negotiate_locale
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from fastapi import Depends, Request

from sentry_connector.web.place import Place

LOCALES = Path(__file__).parent / "locales"
ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "de": "Deutsch"}
"""Code → its name in the language itself."""


@cache
def translations(language: str) -> NullTranslations:
    """What a language says for the words of the templates; English says the words themselves.

    The files are one for each area of the pages, in gettext's form.
    """
    if language == ENGLISH:
        return NullTranslations()
    whole = Catalog(locale=language)
    for path in sorted((LOCALES / language).glob("*.po")):
        for message in catalogue(language, path.stem):
            if message.id:
                whole.add(message.id, message.string, context=message.context)
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return Translations(compiled)


def catalogue(language: str, area: str) -> Catalog:
    """What a language has for the words of an area; empty where it has no file."""
    path = LOCALES / language / f"{area}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def words_of(language: str, area: str) -> dict[str, str]:
    """What a language says for the words of an area that have one form; what is not translated is left out."""
    simple = ((one.id, one.string) for one in catalogue(language, area))
    return {form: said for form, said in simple if form and said and isinstance(form, str) and isinstance(said, str)}


def language_asked(request: Request) -> str:
    """The language in which a request is answered."""
    place: Place = request.app.state.place
    return language_of(request.cookies.get(place.cookie_of("language")), request.headers.get("accept-language", ""))


def language_of(chosen: str | None, accepted: str) -> str:
    """The language of an answer.

    Args:
        chosen: what the person chose, where they did.
        accepted: what their browser asks for: the header Accept-Language.
    """
    if chosen in LANGUAGES:
        return chosen
    return negotiate_locale(_by_preference(accepted), list(LANGUAGES), sep="-") or ENGLISH


Language = Annotated[str, Depends(language_asked)]
"""Of an answer, for a route."""


def _by_preference(accepted: str) -> list[str]:
    """`de-AT, en;q=0.5` → ["de-AT", "en"]."""
    weighed = []
    for place, one in enumerate(accepted[:1000].split(",")):
        name, _, weight = one.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), place, name))
        except ValueError:
            continue
    return [name for _, _, name in sorted(weighed)]
