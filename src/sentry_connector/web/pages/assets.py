"""The files that pages are made of beside HTML: style, scripts and the libraries that were taken over, under one digest."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import posixpath
import re
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sentry_connector.errors import UnknownName

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
_IMPORT = re.compile(r'^import (?:[^"]* from )?"(\.{1,2}/[^"]+)";$', re.MULTILINE)
SMALL = 1024
"""Bytes below which an answer is not worth packing."""


class Assets:
    """The files, which never change while a process lives."""

    def __init__(self, root: Path = STATIC) -> None:
        """Read which files there are, and their common digest."""
        self._files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
        whole = hashlib.sha256()
        for name, path in self._files.items():
            whole.update(f"{name}\0".encode() + path.read_bytes())
        self.digest = whole.hexdigest()[:16]
        """Part of every file's address: a browser keeps a file for good, and asks anew when any of them has changed."""
        self._packed = lru_cache(maxsize=None)(self._pack)
        self.imported_by = lru_cache(maxsize=None)(self._imported_by)

    def url(self, name: str) -> str:
        """The address of a file.

        Raises:
            UnknownName: there is none.
        """
        self.path(name)
        return f"/static/{self.digest}/{name}"

    def _imported_by(self, script: str) -> list[str]:
        """The addresses of the scripts that one imports, those of these too: a browser that is told asks for all at once.

        Raises:
            UnknownName: there is no such script.
        """
        found = [script]
        for one in found:  # which grows
            for named in _IMPORT.findall(self.path(one).read_text(encoding="utf-8")):
                name = posixpath.normpath(f"{posixpath.dirname(one)}/{named}")
                if name not in found:
                    found.append(name)
        return [self.url(name) for name in found[1:]]

    def path(self, name: str) -> Path:
        """Where a file lies.

        Raises:
            UnknownName: there is none.
        """
        found = self._files.get(name)
        if found is None:
            raise UnknownName("file", name)
        return found

    def answer(self, digest: str, name: str, *, packed: bool) -> Response:
        """A file as an answer, for good where it is the one that the address is of.

        Raises:
            UnknownName: there is none.
        """
        path = self.path(name)
        media_type = mimetypes.types_map.get(path.suffix, "application/octet-stream")
        headers = {"Cache-Control": FOREVER if digest == self.digest else "no-cache", "Vary": "Accept-Encoding"}
        if packed and (content := self._packed(name)) is not None:
            headers["Content-Encoding"] = "gzip"
        else:
            content = path.read_bytes()
        return Response(content, media_type=media_type, headers=headers)

    def _pack(self, name: str) -> bytes | None:
        content = self.path(name).read_bytes()
        return gzip.compress(content, mtime=0) if len(content) >= SMALL else None


def asset_routes(assets: Assets) -> APIRouter:
    """The route to the files."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/static/{digest}/{path:path}")
    def show_asset(request: Request, digest: str, path: str) -> Response:
        return assets.answer(digest, path, packed="gzip" in request.headers.get("accept-encoding", ""))

    return routes
