"""Where pages are: what their navigation offers, as data, and their addresses."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode


class Section(NamedTuple):
    """An entry of the navigation; who may not use its page does not see it.

    Attributes:
        path: of its page, and the beginning of those below it.
        label: in English; a word that translators know.
        icon: its symbol in `icons.svg`.
        also: the beginnings of other pages that belong to it.
    """

    path: str
    label: str
    icon: str
    also: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether a page belongs to it."""
        return any(path == one or path.startswith(f"{one}/") for one in (self.path, *self.also))


def _(word: str) -> str:
    """Marks a word for translators."""
    return word


SECTIONS = (
    Section("/", _("DataSets"), "table", also=("/datasets", "/bin")),
    Section("/runs", _("Runs"), "play"),
    Section("/query", _("Query"), "code"),
    Section("/accounts", _("Accounts"), "key"),
    Section("/notices", _("Notices"), "bell"),
    Section("/people", _("People"), "people"),
    Section("/audit", _("Audit log"), "book"),
    Section("/health", _("Health"), "pulse"),
)


def address(path: str, **chosen: str | None) -> str:
    """The address of a page with what is chosen on it; what is empty says nothing."""
    said = {name: value for name, value in chosen.items() if value}
    return f"{path}?{urlencode(said)}" if said else path
