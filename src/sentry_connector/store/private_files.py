"""Files and folders that only their owner can read, whatever the umask says."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sentry_connector.errors import StoreUnusable

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def private_directory(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone; one that is there stays as it is.

    Raises:
        StoreUnusable: it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise StoreUnusable(f"The folder {path} cannot be made: {error.strerror}.") from error


def private_file(path: Path) -> None:
    """Make an empty file for the owner alone, with its folder.

    Raises:
        FileExistsError: the file is there already; it stays as it is.
    """
    private_directory(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))


def write_private(path: Path, content: bytes) -> None:
    """Write a file for the owner alone, with its folder: whoever comes between finds all of it or none.

    Raises:
        FileExistsError: the file is there already; it stays as it is.
    """
    private_directory(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # which is private too
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)  # unlike a move, it never takes the place of another file
    finally:
        Path(name).unlink()
    sync_folder(path.parent)


def is_private(path: Path) -> bool:
    """Whether nobody but the owner may read or write the file; on Windows its folder decides, not a mode."""
    return os.name == "nt" or not path.stat().st_mode & 0o077


def sync_folder(path: Path) -> None:
    """See to it that the folder's files are there by their names after a loss of power too; Windows has no such thing."""
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
