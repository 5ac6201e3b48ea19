"""Where seeds are played: a folder, and the store in it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sentry_connector.store.store import Store


class Ground:
    """A folder to play in, and its store: one engine for all seeds, which knows its statements already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.store = Store(f"sqlite:///{self.home / 'connector.db'}")
        self.store.close()
        shutil.copy(self.home / "connector.db", folder / "new.db")

    def clear(self) -> None:
        """Leave an empty store and nothing else."""
        self.store.close()
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        self.home.mkdir()
        shutil.copy(self.folder / "new.db", self.home / "connector.db")

    def backup(self) -> Path:
        """A copy of the store as it is now."""
        copy = self.folder / "backup.db"
        copy.unlink(missing_ok=True)
        with (
            contextlib.closing(sqlite3.connect(self.home / "connector.db")) as store,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            store.backup(target)
        return copy

    def restore(self, copy: Path) -> None:
        """Put the store back to what it was when the copy was made."""
        self.store.close()
        for path in self.home.glob("connector.db*"):
            path.unlink()
        shutil.copy(copy, self.home / "connector.db")


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """A place to play in, in memory where there is a folder of that kind: nothing that is written has to last."""
    fast = Path("/dev/shm")  # noqa: S108  # a folder of one's own is made in it
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None, prefix="faults-") as folder:
        made = Ground(Path(folder))
        yield made
        made.store.close()
