"""Looking for a secret: in the forms that a text takes on its way, and in what files hold where they are packed."""

from __future__ import annotations

import base64
import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import feather
from python_calamine import CalamineWorkbook


def forms(text: str) -> Mapping[str, bytes]:
    """The text as it may stand in bytes."""
    plain = text.encode()
    return {
        "plain": plain,
        "base64": base64.b64encode(plain)[:-4],
        "base64, a byte later": base64.b64encode(b"-" + plain)[4:-4],
        "base64, two bytes later": base64.b64encode(b"--" + plain)[4:-4],
        "base64 for addresses": base64.urlsafe_b64encode(plain)[:-4],
        "base32": base64.b32encode(plain)[:-8],
        "hexadecimal": plain.hex().encode(),
        "HEXADECIMAL": plain.hex().upper().encode(),
        "percent": "".join(f"%{byte:02X}" for byte in plain).encode(),
        "UTF-16, little end first": text.encode("utf-16-le"),
        "UTF-16, big end first": text.encode("utf-16-be"),
        "backwards": plain[::-1],
        "thirteen letters on": codecs.encode(text, "rot13").encode(),
    }


class Canaries:
    """Secrets that must stand nowhere. Of each the half is looked for too, where only a part of it was cut off."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.forms = {
            (f"{secret[:12]}…", f"{name} ({what})"): form
            for secret in secrets
            for what, part in (("whole", secret), ("half", secret[len(secret) // 2 :]))
            for name, form in forms(part).items()
        }

    def found_in(self, content: bytes) -> list[tuple[str, str]]:
        """Which of them stand in some bytes, and in which form."""
        return [name for name, form in self.forms.items() if form in content]

    def found_in_files(self, folder: Path) -> list[tuple[str, tuple[str, str]]]:
        """Which of them stand in which file below a folder."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        return [(path.name, found) for path in files for one in contents(path) for found in self.found_in(one)]


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what they hold where they are packed."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path, partitioning=None).to_pydict()).encode()
    if path.suffix == ".arrow":
        yield repr(feather.read_table(path).to_pydict()).encode()
    if path.suffix == ".xlsx":
        book = CalamineWorkbook.from_path(path)
        yield repr([book.get_sheet_by_name(name).to_python() for name in book.sheet_names]).encode()
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            yield unpack(raw)
        except (OSError, zlib.error, EOFError):
            continue
