"""What machines that share a store must have in common beside it: the tables' place, and the vault's key.

A machine with a folder of its own would begin every table anew, and one with a key of its own would seal tokens that nobody else
can open. Either is found out before anything is read or written there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sentry_connector.destinations.objects import holds_objects
from sentry_connector.destinations.proof import prove, reach
from sentry_connector.errors import StorageDiffers, VaultUnusable, disk_error
from sentry_connector.settings import without_password
from sentry_connector.store.facts import KEY, PROVEN, STORAGE, Facts
from sentry_connector.store.private_files import private_directory, write_private
from sentry_connector.store.vault import Vault

MARK = "_storage"
"""The file in a folder of tables that says which one it is: folders of two machines may have one path."""

_KNOWN_TEXT = "sentry-connector"


def agree_about_storage(facts: Facts, storage: str, new_mark: Callable[[], str]) -> str:
    """See to it that the tables lie where all who share the store have them; whoever comes first settles where that is.

    Args:
        facts: of the store.
        storage: a folder, or the address of a store of objects and of its server.
        new_mark: makes a mark that no other folder has.

    Returns:
        What is known of the place, for `insist_on_storage`.

    Raises:
        StorageDiffers: they lie elsewhere.
        DestinationError: the folder cannot be read or marked.
    """
    known = facts.get(STORAGE)
    here = _here(storage)
    if here is None and known is None:
        here = _marked(Path(storage), new_mark())
    known = known if here is None else facts.settle(STORAGE, here)
    _insist(storage, known, here)
    return str(known)


def insist_on_storage(storage: str, known: str) -> None:
    """See to it that the place is still what it was: a shared folder may be mounted no more, and an empty one is in its place.

    Raises:
        StorageDiffers: it is not.
        DestinationError: the folder cannot be read.
    """
    _insist(storage, known, _here(storage))


def _insist(storage: str, known: str | None, here: str | None) -> None:
    if here != known:
        raise StorageDiffers(
            f"The tables of this store are not in {without_password(storage)}: {_where(known, here)}",
            remedy=f"{StorageDiffers.default_remedy} Where the tables were moved there: sentry-connector worker --storage-moved.",
        )


def move_storage(facts: Facts, storage: str, new_mark: Callable[[], str]) -> None:
    """The tables have been moved to this place: all who share the store are to have them there from now on.

    Raises:
        DestinationError: the folder cannot be read or marked.
    """
    facts.change(STORAGE, _here(storage) or _marked(Path(storage), new_mark()))


def rely_on_storage(facts: Facts, storage: str, options: Mapping[str, str], place: str) -> None:
    """See that a store of objects answers and, the first time, that it keeps two writers apart; a folder is the system's affair.

    Args:
        facts: of the store, which remember for which place that was seen.
        storage: a folder, or the address of a store of objects.
        options: how it is reached.
        place: what tells it apart from others.

    Raises:
        StorageUnsafe: it lets one writer overwrite another.
        DestinationRefused: it is not there, or does not take the credentials.
        DestinationUnavailable: it does not answer.
    """
    if not holds_objects(storage):
        return
    if facts.get(PROVEN) == place:
        reach(storage, options)
        return
    prove(storage, options)
    facts.change(PROVEN, place)


def agree_about_key(facts: Facts, vault: Vault) -> None:
    """See to it that the vault has the key of all who share the store; whoever comes first settles which one that is.

    Raises:
        VaultUnusable: it has another one.
    """
    sealed = facts.get(KEY) or facts.settle(KEY, vault.seal(_KNOWN_TEXT, KEY, None))
    try:
        vault.open(sealed, KEY, None)
    except VaultUnusable:
        raise VaultUnusable(
            "The vault's key of this machine is not the one that this store's tokens are sealed with.",
            remedy="Give all machines that share the store one key: SENTRY_CONNECTOR_KEY or SENTRY_CONNECTOR_KEY_FILE.",
        ) from None


def _here(storage: str) -> str | None:
    """What tells the place apart from others: an address by itself, a folder by its mark; None where it has none."""
    if holds_objects(storage):
        return without_password(storage).rstrip("/")
    try:
        return (Path(storage) / MARK).read_text(encoding="ascii", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise disk_error(error, storage) from error


def _marked(folder: Path, mark: str) -> str:
    """The folder's mark, made now; that of another process, where it was quicker."""
    private_directory(folder)
    try:
        write_private(folder / MARK, f"{mark}\n".encode())
    except FileExistsError:
        return _here(str(folder)) or mark
    except OSError as error:
        raise disk_error(error, str(folder)) from error
    return mark


def _where(known: str | None, here: str | None) -> str:
    if known is not None and holds_objects(known):
        return f"they are in {known}."
    return f"the folder that they are in has the mark {known} in its file {MARK}, and this one has {here or 'none'}."
