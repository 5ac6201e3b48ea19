"""The words of the pages, for translators: `python -m tools.words` puts those that are new into each language's files.

A file is of one area: the folder of its templates; `common` for those that lie in none, and for the words in Python; `reports`
for what the catalogue says of reports and charts; `schedules` for schedules in words; `sentences` for what is said elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

from sentry_connector.datasets import schedule
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.web.pages.rendering import TEMPLATES
from sentry_connector.web.pages.words import ENGLISH, LANGUAGES, LOCALES, catalogue
from sentry_connector.web.sentences import SENTENCES
from tools.sentences import sentences

COMMON = "common"
SCHEDULES = "schedules"
"""The area of a schedule in words."""
REPORTS = "reports"
"""The area of what the catalogue says: the pages say it by `_(report.about)`."""
WAYS = {".html": "jinja2.ext:babel_extract", ".py": "python"}
KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "say": None, "gettext": None, "ngettext": (1, 2)}


def said() -> dict[str, set[str | tuple[str, ...]]]:
    """Area → the words in it, a pair where there is one word for one and another for many. A word is in one area only."""
    found: dict[str, set[str | tuple[str, ...]]] = {}
    known: set[str | tuple[str, ...]] = set()
    for area, path in sorted(_sources(), key=lambda one: (one[0] != COMMON, one)):
        options = {"trimmed": "true", "silent": "false"} if path.suffix == ".html" else {}
        for _, message, _, _ in extract_from_file(WAYS[path.suffix], path, keywords=KEYWORDS, options=options):
            if message not in known:
                known.add(message)
                found.setdefault(area, set()).add(message)
    found[SCHEDULES] |= {*schedule.MONTHS, *schedule.DAYS}
    found[REPORTS] = set(_of_reports()) - known
    found[SENTENCES] = set(sentences())
    return found


def _of_reports() -> Iterator[str | tuple[str, ...]]:
    for report in CATALOGUE:
        yield report.about
        yield from (chart.title for chart in report.charts)


def _sources() -> Iterator[tuple[str, Path]]:
    for path in TEMPLATES.rglob("*.html"):
        inner = path.relative_to(TEMPLATES).parts
        yield inner[0] if len(inner) > 1 else COMMON, path
    for path in TEMPLATES.parent.glob("*.py"):
        yield COMMON, path
    yield SCHEDULES, Path(schedule.__file__)


def missing(language: str) -> list[str]:
    """The words that a language lacks, and those that no page says any more."""
    wrong = []
    for area, words in said().items():
        kept = catalogue(language, area)
        wrong += [f"{area}.po lacks {word!r}" for word in words if not _is_translated(kept, word)]
        wrong += [f"{area}.po has {one.id!r}, which no page says" for one in kept if one.id and one.id not in words]
    return sorted(wrong)


def _is_translated(kept: Catalog, word: str | tuple[str, ...]) -> bool:
    found = kept.get(word if isinstance(word, str) else word[0])
    if found is None or found.fuzzy:
        return False
    return all(found.string) if isinstance(found.string, list | tuple) else bool(found.string)


def main() -> int:
    """Write the files anew; what has no translation yet has an empty one."""
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        (LOCALES / language).mkdir(parents=True, exist_ok=True)
        areas = said()
        kept = {area: catalogue(language, area) for area in areas}  # a word may have moved from one to another
        for area, words in areas.items():
            fresh = Catalog(locale=language, header_comment="")
            for word in sorted(words, key=str):
                key = word if isinstance(word, str) else word[0]
                found = next((one for one in (kept[area].get(key), *(c.get(key) for c in kept.values())) if one), None)
                fresh.add(word, found.string if found else "")
            with (LOCALES / language / f"{area}.po").open("wb") as file:
                write_po(file, fresh, omit_header=True, width=120)
        for line in missing(language):
            print(f"{language}: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
