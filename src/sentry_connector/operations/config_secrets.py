"""Secrets of a configuration: looked up where the file says they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sentry_connector.datasets.config import Reference
from sentry_connector.datasets.yaml_tree import Place
from sentry_connector.errors import UsageError
from sentry_connector.redact import redact_patterns

LARGEST_SECRET = 64 * 1024
"""Bytes of a file that holds a secret."""


class Secrets:
    """Looks secrets up where references say they are; each once."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._found: dict[tuple[str, Reference], str | None] = {}

    def of(self, reference: Reference | None, place: Place) -> str | None:
        """The secret, without blanks around it; None where nothing is there.

        Raises:
            UsageError: its file cannot be read.
        """
        if reference is None:
            return None
        known = (place.file, reference)
        if known not in self._found:
            self._found[known] = self._look_up(reference, place)
        return self._found[known]

    def needed(self, reference: Reference | None, place: Place) -> str:
        """The secret.

        Raises:
            UsageError: it is not there.
        """
        found = self.of(reference, place)
        if found is None:
            raise UsageError(missing(reference))
        return found

    def _look_up(self, reference: Reference, place: Place) -> str | None:
        if reference.env is not None:
            return self._env.get(reference.env, "").strip() or None
        path = Path(place.file).parent / Path(reference.file or "").expanduser()
        try:
            with path.open("rb") as stream:
                text = stream.read(LARGEST_SECRET).decode().strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"The file that {reference} names cannot be read.") from None
        return text or None


def missing(reference: Reference | None) -> str:
    """That a secret is not there, in words."""
    if reference is None:
        return "nothing says where it is."
    if reference.env is not None:
        return redact_patterns(f"the variable {reference.env} is not set.")
    return redact_patterns(f"there is nothing in the file {reference.file}.")
