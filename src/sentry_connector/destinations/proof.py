"""That a storage keeps what commits rest on: a name is written once, whoever wants it too, and what was written is listed.

Two writers are kept apart by this alone: the entry of a version is put under a name that must not be there yet
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). A store that takes the condition and does not
keep it would let one commit overwrite another, and nobody would be told.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import obstore
from obstore import exceptions
from obstore.store import LocalStore, ObjectStore

from sentry_connector.destinations.objects import as_os_errors, holds_objects, name_in_store, open_store
from sentry_connector.errors import (
    DestinationError,
    DestinationRefused,
    DestinationUnavailable,
    StorageUnsafe,
    disk_error,
)

FOLDER = "_proof"
"""Where it is tried, below the storage's root; it is empty afterwards."""

WRITERS = 4
"""How many want one name at once."""


def reach(storage: str, options: Mapping[str, str] | None = None) -> None:
    """See that a storage answers. Nothing is written; a folder of this machine is not looked at.

    Raises:
        DestinationRefused: its bucket is not there, or the credentials are not taken.
        DestinationUnavailable: it does not answer.
    """
    if not holds_objects(storage):
        return
    store = open_store(storage, options)
    try:
        with as_os_errors():
            next(iter(obstore.list(store, prefix=_below(storage, FOLDER), chunk_size=1)), None)
    except ConnectionError:  # a listing does not tell one refusal from another; a write does
        prove(storage, options)


def prove(storage: str, options: Mapping[str, str] | None = None) -> None:
    """See that of those who write under one name only the first succeeds, and that a listing shows what was written.

    Args:
        storage: a folder, which is made where it is not there, or an s3://, gs:// or az:// address.
        options: of a store of objects.

    Raises:
        StorageUnsafe: it lets one writer overwrite another, or hides what was written.
        DestinationRefused: it is not there, or refuses.
        DestinationUnavailable: it does not answer.
        DiskFull: no space is left.
    """
    store = open_store(storage, options) if holds_objects(storage) else None
    try:
        local = store or LocalStore(Path(storage), mkdir=True, automatic_cleanup=True)
        _prove(storage, local, _below(storage, f"{FOLDER}/{uuid.uuid4().hex}"))
    except OSError as error:
        raise _refusal(error, storage, options) from error
    except exceptions.BaseError as error:
        raise DestinationRefused(f"{storage} cannot be used: {error}") from error


def _prove(storage: str, store: ObjectStore, below: str) -> None:
    names = [f"{below}-one", f"{below}-many"]
    try:
        _put(store, names[0], b"1")
        if _put(store, names[0], b"2"):
            raise StorageUnsafe(f"{storage} overwrites an object that must be written only where there is none.")
        with ThreadPoolExecutor(WRITERS) as writers:
            taken = list(writers.map(partial(_put, store, names[1]), map(b"%d".__mod__, range(WRITERS))))
        if sum(taken) > 1:
            raise StorageUnsafe(f"{storage} lets {sum(taken)} writers at once believe that each was the first one.")
        with as_os_errors():
            listed = {one["path"] for part in obstore.list(store, prefix=below.rpartition("/")[0]) for one in part}
        if not listed.issuperset(names):
            raise StorageUnsafe(f"{storage} does not list an object that was just written.")
    finally:
        with suppress(OSError), as_os_errors():
            obstore.delete(store, names)


def _put(store: ObjectStore, name: str, content: bytes) -> bool:
    """Whether this one was the first under its name."""
    with as_os_errors():
        try:
            obstore.put(store, name, content, mode="create")
        except exceptions.AlreadyExistsError:
            return False
    return True


def _below(storage: str, name: str) -> str:
    """A name below the storage's root; a folder's root is that of its store."""
    return "/".join(filter(None, [name_in_store(storage) if holds_objects(storage) else "", name]))


def _refusal(error: OSError, storage: str, options: Mapping[str, str] | None) -> DestinationError:
    """What keeps a storage from being used, and what to do about it."""
    if not holds_objects(storage):
        return disk_error(error, storage)
    if isinstance(error, FileNotFoundError):
        return DestinationRefused(
            f"The bucket of {storage} is not there.",
            remedy="Make it, or set SENTRY_CONNECTOR_STORAGE to one that is; for another server than AWS also"
            " AWS_ENDPOINT_URL.",
        )
    if isinstance(error, PermissionError):
        return DestinationRefused(
            f"{storage} does not take the credentials, or they may not write there: {error.strerror}",
            remedy="Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; docs/operations.md lists the rights that are needed.",
        )
    if any(name.endswith("access_key_id") for name in options or {}) or not storage.startswith("s3://"):
        return DestinationUnavailable(
            f"{storage} does not answer: {error}",
            remedy="See that the store runs and can be reached: `sentry-connector doctor --storage`.",
        )
    return DestinationUnavailable(
        f"{storage} cannot be asked without credentials, and this machine has no role that gives any: {error}",
        remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role that may use the bucket.",
    )
