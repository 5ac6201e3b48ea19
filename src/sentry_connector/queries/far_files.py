"""Files in an object store, as the process that runs statements sees them: who asks reads them, and has the key."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.fs as pafs

Piece = Callable[[str, int, int], bytes]
"""Path, start, length → the bytes."""


class FarFiles(pafs.FileSystemHandler):  # type: ignore[misc]  # pyarrow's is untyped
    """A file system of a few files, which can only be read."""

    def __init__(self, sizes: Mapping[str, int], piece: Piece) -> None:
        """Take the files.

        Args:
            sizes: path → bytes.
            piece: reads a part of one.
        """
        self._sizes, self._piece = sizes, piece

    def filesystem(self) -> pafs.FileSystem:
        """As Arrow takes it."""
        return pafs.PyFileSystem(self)

    def get_type_name(self) -> str:
        """What Arrow calls it."""
        return "far"

    def normalize_path(self, path: str) -> str:
        """Paths are as they were told."""
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        """What is known of files."""
        return [
            pafs.FileInfo(path, pafs.FileType.File, size=self._sizes[path])
            if path in self._sizes
            else pafs.FileInfo(path, pafs.FileType.NotFound)
            for path in paths
        ]

    def get_file_info_selector(self, selector: pafs.FileSelector) -> list[pafs.FileInfo]:
        """Nothing is listed."""
        del selector
        return []

    def open_input_file(self, path: str) -> pa.PythonFile:
        """A file, for reading."""
        if path not in self._sizes:
            raise FileNotFoundError(path)
        return pa.PythonFile(_FarFile(path, self._sizes[path], self._piece), mode="r")

    open_input_stream = open_input_file

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise PermissionError("It can only be read.")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = _refuse
    move = copy_file = open_output_stream = open_append_stream = _refuse


class _FarFile(io.RawIOBase):
    def __init__(self, path: str, size: int, piece: Piece) -> None:
        super().__init__()
        self._path, self._size, self._piece, self._at = path, size, piece, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = begin + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        rest = max(self._size - self._at, 0)
        length = rest if size is None or size < 0 else min(size, rest)
        data = self._piece(self._path, self._at, length) if length else b""
        self._at += len(data)
        return data
