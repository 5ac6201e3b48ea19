"""Stores of objects, as S3 and what speaks its protocol, behind Arrow's idea of a file system.

The client is the one that delta-rs has (`object_store`), so that rows and log are reached with the same options, patience and
credentials. Objects are written whole or not at all, and there are no folders: what looks like one is the beginning of a name.
"""

from __future__ import annotations

import datetime as dt
import errno
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
import pyarrow.fs as pafs
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from sentry_connector.errors import DestinationRefused

PATIENCE = {"connect_timeout": "10s", "timeout": "60s", "max_retries": "6", "retry_timeout": "120s"}
"""How long a store is waited for, in the words of delta-rs: a throttled or failing request is sent again, with growing pauses."""

_OF_CLIENT = {"allow_http", "connect_timeout", "timeout"}
_OF_RETRIES = {"max_retries", "retry_timeout"}

_READ_AHEAD = 4 * 1024 * 1024
"""Bytes of a request where an object is read from its beginning to its end."""

_BODY = re.compile(r":?\s*<(\?xml|Error)\b.*", re.DOTALL)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def holds_objects(place: str) -> bool:
    """Whether a place is a store of objects, and not a folder."""
    return "://" in place


def with_patience(options: Mapping[str, str] | None) -> dict[str, str]:
    """delta-rs's options for a store, with those that say how long it is waited for."""
    return PATIENCE | dict(options or {})


def open_store(address: str, options: Mapping[str, str] | None = None) -> ObjectStore:
    """The store of an s3://, gs:// or az:// address; names in it are relative to the bucket.

    Args:
        address: of the bucket, or of anything in it.
        options: delta-rs's options; what they lack is found in the environment.
            https://delta-io.github.io/delta-rs/integrations/object-storage/s3/

    Raises:
        DestinationRefused: the options do not fit together.
    """
    parts = urlsplit(address)
    return _opened(f"{parts.scheme}://{parts.netloc}", tuple(sorted(with_patience(options).items())))


def name_in_store(address: str) -> str:
    """The name, or the beginning of names, that an address leads to in its bucket."""
    return urlsplit(address).path.strip("/")


@lru_cache(maxsize=8)
def _opened(bucket: str, options: tuple[tuple[str, str], ...]) -> ObjectStore:
    """A client, which keeps its connections: each one anew would begin with a handshake."""
    given = dict(options)
    client: Any = {name: value for name, value in given.items() if name in _OF_CLIENT}
    config: Any = {name: value for name, value in given.items() if name not in _OF_CLIENT | _OF_RETRIES}
    retries: Any = {
        "max_retries": int(given["max_retries"]),
        "retry_timeout": dt.timedelta(seconds=int(given["retry_timeout"].removesuffix("s"))),
    }
    parts = urlsplit(bucket)
    try:
        return _KINDS[parts.scheme](parts.netloc, config=config, client_options=client, retry_config=retries)
    except exceptions.BaseError as error:
        raise DestinationRefused(f"{bucket} cannot be asked with these settings: {plain_words(error)}") from error


_KINDS: Mapping[str, Callable[..., ObjectStore]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}


def plain_words(error: BaseException) -> str:
    """What a client of a store says, on one line, without the answer that it got: that can hold the id of a key."""
    words = str(error).partition("\n\nDebug source")[0]
    return " ".join(_BODY.sub("", _ESCAPES.sub("", words)).split())


@contextmanager
def as_os_errors() -> Iterator[None]:
    """The client's errors as those that Python has for files; what is not there is a FileNotFoundError already.

    Raises:
        PermissionError: the store does not know the credentials, or they may not do this.
        ConnectionError: it does not answer, or with errors, after all retries.
    """
    try:
        yield
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, plain_words(error)) from error
    except FileNotFoundError:
        raise
    except (exceptions.BaseError, OSError) as error:  # it writes large objects behind an interface for files
        raise ConnectionError(plain_words(error)) from error


class Objects(pafs.FileSystemHandler):  # type: ignore[misc]  # Arrow has no types
    """The objects of a bucket, for `pyarrow.fs.PyFileSystem`; paths are their names."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def get_type_name(self) -> str:
        """What Arrow calls it."""
        return "objects"

    def normalize_path(self, path: str) -> str:
        """Names are taken as they are."""
        return path

    def get_file_info(self, paths: Sequence[str]) -> list[pafs.FileInfo]:
        """What is there by these names."""
        return [self._info(path) for path in paths]

    def _info(self, path: str) -> pafs.FileInfo:
        with as_os_errors():
            try:
                return _file(obstore.head(self.store, path))
            except FileNotFoundError:
                first = next(iter(obstore.list(self.store, prefix=path, chunk_size=1)), [])
        return pafs.FileInfo(path, pafs.FileType.Directory if first else pafs.FileType.NotFound)

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        """What is there below a name."""
        prefix = selector.base_dir or None
        with as_os_errors():
            if selector.recursive:
                found = [_file(one) for part in obstore.list(self.store, prefix=prefix) for one in part]
            else:
                here = obstore.list_with_delimiter(self.store, prefix=prefix)
                found = [pafs.FileInfo(name, pafs.FileType.Directory) for name in here["common_prefixes"]]
                found += [_file(one) for one in here["objects"]]
        if not found and not selector.allow_not_found:
            raise FileNotFoundError(errno.ENOENT, f"Nothing is there below {selector.base_dir!r}.")
        return found

    def create_dir(self, path: str, recursive: bool) -> None:  # noqa: FBT001  # Arrow calls it so
        """There is nothing to do: names need no folder."""

    def delete_dir(self, path: str) -> None:
        """Delete all objects below a name."""
        self.delete_all(one.path for one in self.get_file_info_selector(_below(path)))

    def delete_dir_contents(self, path: str, missing_dir_ok: bool) -> None:  # noqa: ARG002, FBT001  # Arrow calls it so
        """The same: there is no folder that could stay."""
        self.delete_dir(path)

    def delete_root_dir_contents(self) -> None:
        """Refuse to empty the bucket."""
        raise PermissionError(errno.EPERM, "A bucket is emptied by nobody here.")

    def delete_file(self, path: str) -> None:
        """Delete an object; one that is not there is as good as deleted."""
        self.delete_all([path])

    def delete_all(self, paths: Iterable[str]) -> None:
        """Delete objects, many in one request."""
        with as_os_errors():
            obstore.delete(self.store, list(paths))

    def move(self, src: str, dest: str) -> None:
        """Give an object another name."""
        with as_os_errors():
            obstore.rename(self.store, src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        """Copy an object."""
        with as_os_errors():
            obstore.copy(self.store, src, dest)

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """An object, to be read from its beginning."""
        return pa.PythonFile(io.BufferedReader(self._reader(path), _READ_AHEAD), mode="r")

    def open_input_file(self, path: str) -> pa.NativeFile:
        """An object, to be read in places."""
        return pa.PythonFile(self._reader(path), mode="r")

    def _reader(self, path: str) -> _Reader:
        with as_os_errors():
            return _Reader(self.store, path, obstore.head(self.store, path)["size"])

    def open_output_stream(self, path: str, metadata: Mapping[str, str] | None) -> pa.NativeFile:  # noqa: ARG002
        """An object, to be written; it is there, whole, once the stream is closed."""
        return pa.PythonFile(_Writer(self.store, path), mode="w")

    def open_append_stream(self, path: str, metadata: Mapping[str, str] | None) -> pa.NativeFile:
        """Refuse it: no object grows."""
        raise NotImplementedError("nothing can be appended to an object")


def _file(found: Any) -> pafs.FileInfo:
    return pafs.FileInfo(found["path"], pafs.FileType.File, size=found["size"], mtime=found["last_modified"])


def _below(path: str) -> pafs.FileSelector:
    return pafs.FileSelector(path, recursive=True, allow_not_found=True)


class _Reader(io.RawIOBase):
    """An object; every read is one request for just what is wanted."""

    def __init__(self, store: ObjectStore, path: str, size: int) -> None:
        self._store, self._path, self._size, self._place = store, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._place)
        if length <= 0:
            return 0
        with as_os_errors():
            data = obstore.get_range(self._store, self._path, start=self._place, length=length)
        buffer[: len(data)] = memoryview(data)
        self._place += len(data)
        return len(data)


class _Writer(io.RawIOBase):
    """An object that is being written: in one request, or in several parts where it is large."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._inner = obstore.open_writer(store, path)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with as_os_errors():
            self._inner.write(bytes(data))
        return len(data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            with as_os_errors():
                self._inner.close()
