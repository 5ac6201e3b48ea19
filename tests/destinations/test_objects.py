"""A bucket as Arrow's file system: objects are there whole or not at all, and there are no folders."""

from __future__ import annotations

import pyarrow.fs as pafs
import pytest

from sentry_connector.destinations import proof
from sentry_connector.destinations.delta import DeltaDestination
from sentry_connector.destinations.delta_files import open_folder
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.destinations.objects import name_in_store, open_store, plain_words
from sentry_connector.destinations.proof import prove, reach
from sentry_connector.errors import DestinationRefused, DestinationUnavailable, StorageUnsafe
from tests.destinations.tables import commit_of, row, stored
from tests.object_storage import KEY, Request, Storage


@pytest.fixture
def place(storage: Storage) -> str:
    return storage.place()


def written(storage: Storage, place: str, *names: str, content: bytes = b"content") -> pafs.FileSystem:
    folder = open_folder(place, storage.options)
    for name in names:
        with folder.filesystem.open_output_stream(folder.absolute(name)) as stream:
            stream.write(content)
    return folder.filesystem


def test_an_object_is_there_once_it_is_written_to_its_end(storage: Storage, place: str) -> None:
    folder = open_folder(place, storage.options)
    stream = folder.filesystem.open_output_stream(folder.absolute("a/b"))
    stream.write(b"con")
    assert storage.names(place) == set()
    stream.write(b"tent")
    stream.close()
    assert (storage.names(place), folder.read("a/b")) == ({"a/b"}, b"content")


def test_a_large_object_goes_in_parts_and_comes_in_places(storage: Storage, place: str) -> None:
    content = bytes(range(256)) * 50_000
    filesystem = written(storage, place, "large", content=content)
    with filesystem.open_input_file(f"{name_in_store(place)}/large") as file:
        assert (file.size(), file.read_at(10, 1_000_000)) == (len(content), content[1_000_000:1_000_010])
        file.seek(len(content) - 5)
        assert file.read() == content[-5:]
        assert file.read() == b""
    with filesystem.open_input_stream(f"{name_in_store(place)}/large") as stream:
        assert stream.read() == content


def test_nothing_is_left_where_objects_were_and_deleting_twice_is_no_error(storage: Storage, place: str) -> None:
    root = name_in_store(place)
    filesystem = written(storage, place, "x/1", "x/2", "y/1")
    kinds = [one.type for one in filesystem.get_file_info([f"{root}/x/1", f"{root}/x", f"{root}/z"])]
    assert kinds == [pafs.FileType.File, pafs.FileType.Directory, pafs.FileType.NotFound]
    here = {one.base_name for one in filesystem.get_file_info(pafs.FileSelector(root))}
    assert here == {"x", "y"}
    filesystem.move(f"{root}/y/1", f"{root}/y/2")
    filesystem.copy_file(f"{root}/y/2", f"{root}/y/3")
    assert storage.names(place) == {"x/1", "x/2", "y/2", "y/3"}
    filesystem.delete_file(f"{root}/x/1")
    filesystem.delete_file(f"{root}/x/1")
    filesystem.delete_dir(f"{root}/x")
    assert storage.names(place) == {"y/2", "y/3"}
    with pytest.raises(FileNotFoundError):
        filesystem.get_file_info(pafs.FileSelector(f"{root}/x"))
    with pytest.raises(FileNotFoundError):
        filesystem.open_input_stream(f"{root}/x/1")
    filesystem.delete_dir_contents(f"{root}/y")
    assert storage.names(place) == set()


def test_what_no_store_can_do_and_nobody_may_do_is_refused(storage: Storage, place: str) -> None:
    filesystem = written(storage, place, "x")
    with pytest.raises(NotImplementedError):
        filesystem.open_append_stream(f"{name_in_store(place)}/x")
    with pytest.raises(PermissionError):
        filesystem.delete_dir_contents("", accept_root_dir=True)
    assert storage.names(place) == {"x"}


def test_one_client_is_kept_for_a_bucket(storage: Storage, place: str) -> None:
    assert open_store(place, storage.options) is open_store(f"{place}/below", storage.options)
    assert open_store(place, storage.options) is not open_store(place, storage.options | {"aws_region": "other"})


def test_what_a_store_answers_is_told_without_its_body() -> None:
    """It repeats the id of the key, and is markup."""
    body = f"<Error><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>"
    said = f"Error performing PUT http://host/x\n status 403: {body}\n\nDebug source:\nmore"
    assert plain_words(OSError(said)) == "Error performing PUT http://host/x status 403"
    assert plain_words(OSError("\x1b[31m↳\x1b[0m a <b>")) == "↳ a <b>"


# ---- what commits rest on


def test_a_good_storage_is_proven_and_left_as_it_was(storage: Storage, place: str, tmp_path: object) -> None:
    written(storage, place, "x")
    prove(place, storage.options)
    reach(place, storage.options)
    assert storage.names(place) == {"x"}
    prove(str(tmp_path))
    reach(str(tmp_path))


def test_a_storage_that_takes_a_condition_for_nothing_is_refused_and_left_empty(storage: Storage, place: str) -> None:
    storage.keeps_conditions = False
    with pytest.raises(StorageUnsafe, match="overwrites"):
        prove(place, storage.options)
    assert storage.names(place) == set()


def test_a_storage_that_looks_before_it_writes_is_refused_where_writers_come_at_once(
    storage: Storage, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the condition for one writer after another, and not for several at once."""
    put, names = proof._put, []

    def careless(store: object, name: str, content: bytes) -> bool:
        names.append(name)
        return name.endswith("-many") or put(store, name, content)  # type: ignore[arg-type]

    monkeypatch.setattr(proof, "_put", careless)
    with pytest.raises(StorageUnsafe, match="4 writers at once"):
        prove(place, storage.options)
    assert len(names) == 2 + proof.WRITERS


def test_a_server_that_is_not_there_is_told_as_such(place: str, storage: Storage) -> None:
    with pytest.raises(DestinationUnavailable, match="does not answer"):
        reach(place, storage.options | {"aws_endpoint_url": "http://127.0.0.1:1", "max_retries": "0"})


def test_options_that_do_not_fit_together_are_refused(place: str) -> None:
    with pytest.raises(DestinationRefused, match="SecretAccessKey"):
        open_store(place, {"aws_access_key_id": "alone"})


@pytest.mark.parametrize("keeps_conditions", [True, False], ids=["kept", "not kept"])
def test_a_writer_that_comes_second_to_an_entry_loses_nothing(
    storage: Storage, place: str, *, keeps_conditions: bool
) -> None:
    """It has looked, and before it writes somebody else has written. Where the condition is not kept, rows would be lost."""
    storage.keeps_conditions = keeps_conditions
    ours, theirs = (DeltaDestination(place, storage_options=storage.options).table("ds1") for _ in range(2))
    ours.commit(commit_of(ours, 1, UpdateMethod.APPEND, [row(1)]))
    first, last = (commit_of(ours, epoch, UpdateMethod.APPEND, [row(epoch)]) for epoch in (2, 3))

    def meanwhile(one: Request) -> None:
        if one.method == "PUT" and one.name.endswith("_delta_log/00000000000000000001.json"):
            storage.fault = lambda _: None
            theirs.commit(first)

    storage.fault = meanwhile
    ours.commit(last)
    assert ours.epoch() == 3
    assert stored(ours) == ([row(1), row(2), row(3)] if keeps_conditions else [row(1), row(3)])
