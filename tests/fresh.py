"""A new store is a copy of one that was made before: each of its migrations by itself costs more than many a test."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from sentry_connector.store.private_files import private_directory
from sentry_connector.store.store import Store


def lay_store(path: Path) -> None:
    """Put an SQLite file with the tables of a store, and nothing in them, where no file is."""
    if path.exists():
        return
    private_directory(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        copy = Path(folder, path.name)
        copy.touch(mode=0o600)
        copy.write_bytes(_empty_store())
        with suppress(FileExistsError):  # of several who begin at once, one has been first
            path.hardlink_to(copy)


@cache
def _empty_store() -> bytes:
    """What migrations make of an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "connector.db")
        Store(f"sqlite:///{path}").close()
        return path.read_bytes()
