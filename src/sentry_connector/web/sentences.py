"""The sentences that the house says, in the language of whoever reads: problems, findings, what becomes of runs.

They are made where things happen, in English, as `f"No space is left at {place}."`; runs keep them, and logs and programs have
them as they are. A translator has their forms, `No space is left at {place}.` (`tools/sentences.py` reads them off the source).
By its form a sentence is found again, and said in the other words, with what it was filled with. One that is not found is said
as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from sentry_connector.datasets.schedule import Say
from sentry_connector.web.pages.words import ENGLISH, words_of

SENTENCES = "sentences"
"""The area of the translators' files."""

LONGEST = 4000
"""Characters of a text that is looked through."""

MOST_JOINTS = 12
"""Places of a text at which it may be made of two."""

DEEPEST = 3
"""How far sentences may stand within one another."""

FEWEST_LETTERS = 5
"""Of a form, by which it is told from other texts."""

FINDING = frozenset({"message", "remedy"})
"""The fields of a check that are sentences."""

_FILLED = re.compile(r"\{(\w+)\}")
_END = re.compile(r"[.?!…](\s|; )")
"""Where a sentence ends and another one follows: no form goes on beyond that."""

_JOINT = re.compile(r"((?<=[.?!…])\s+|; |: )")


@dataclass(frozen=True, slots=True)
class Form:
    """A sentence without what it is filled with.

    Attributes:
        pieces: what stands before, between and after that.
        names: of what is filled in.
        words: the same in another language.
    """

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    words: str

    @classmethod
    def of(cls, form: str, words: str) -> Form:
        """From a form with names in braces, and its translation."""
        parts = _FILLED.split(form)
        return cls(pieces=tuple(parts[::2]), names=tuple(parts[1::2]), words=words)

    @property
    def weight(self) -> int:
        """How much it says by itself."""
        return sum(map(len, self.pieces))

    def filling(self, text: str) -> dict[str, str] | None:
        """What a sentence of this form is filled with; None where it is of another one."""
        first, *between, last = self.pieces
        at, end = len(first), len(text) - len(last)
        if at > end or not (text.startswith(first) and text.endswith(last)):
            return None
        found = []
        for piece in between:
            there = text.find(piece, at, end)
            if there < 0 or _END.search(text, at, there):
                return None
            found.append(text[at:there])
            at = there + len(piece)
        if last and _END.search(text, at, end):
            return None
        return dict(zip(self.names, [*found, text[at:end]], strict=True))

    def filled(self, filling: Mapping[str, str]) -> str:
        """The other words with that in their places."""
        return _FILLED.sub(lambda name: filling[name[1]], self.words)


class Sentences:
    """Says sentences in another language."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """Take form → words."""
        self._whole = {form: said for form, said in words.items() if not _FILLED.search(form)}
        forms = [Form.of(form, said) for form, said in words.items() if _FILLED.search(form)]
        self._forms = sorted(forms, key=lambda one: -one.weight)
        self._said = lru_cache(maxsize=4096)(self._say)

    def __call__(self, text: str) -> str:
        """The text in the other words, as far as its sentences are known."""
        return self._said(text) if len(text) <= LONGEST else text

    def _say(self, text: str, depth: int = 0) -> str:
        """From the left to the right, the longest known sentence after another; what is none stays."""
        inner = text.lstrip()
        parts = _JOINT.split(inner, MOST_JOINTS)
        said, at = text[: len(text) - len(inner)], 0
        while at < len(parts):
            known = ((end, self._one("".join(parts[at:end]), depth)) for end in range(len(parts), at, -2))
            end, words = next(((end, words) for end, words in known if words is not None), (at + 1, parts[at]))
            said += words + "".join(parts[end : end + 1])
            at = end + 1
        return said

    def _one(self, text: str, depth: int) -> str | None:
        """A text that is one sentence; None where it is none that is known."""
        if text in self._whole:
            return self._whole[text]
        for form in self._forms:
            filling = form.filling(text)
            if filling is not None:
                within = {name: self._say(one, depth + 1) if depth < DEEPEST else one for name, one in filling.items()}
                return form.filled(within)
        return None


def is_form(text: str) -> bool:
    """Whether a form says enough by itself to be found again."""
    return len(re.findall(r"[a-z]", _FILLED.sub(" ", text))) >= FEWEST_LETTERS


def spoken(view: Any, language: str, fields: Collection[str]) -> Any:
    """A view, with the sentences in those of its fields in a language; what else it holds is no sentence.

    Args:
        view: as JSON.
        language: of whoever asked.
        fields: names of fields, wherever in the view they are.
    """
    say = sentences(language)

    def in_words(value: Any, *, said: bool) -> Any:
        match value:
            case str() if said:
                return say(value)
            case list() | tuple():
                return [in_words(one, said=said) for one in value]
            case dict():
                return {name: in_words(one, said=name in fields) for name, one in value.items()}
        return value

    return in_words(view, said=False)


@cache
def sentences(language: str) -> Say:
    """Says sentences in that language."""
    return str if language == ENGLISH else Sentences(words_of(language, SENTENCES))
