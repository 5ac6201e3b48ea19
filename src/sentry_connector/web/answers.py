"""Answers of the API: JSON, and what may be kept of it for a request that is sent again."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.responses import Response

JSON = "application/json"


class JsonAnswer(Response):
    """An answer in JSON.

    Attributes:
        kept: what is answered to the same request once more: all of it, but for what is shown only once.
    """

    def __init__(self, value: Any, *, status: int, headers: Mapping[str, str] | None, kept: Any) -> None:
        super().__init__(msgspec.json.encode(value), status_code=status, media_type=JSON, headers=headers)
        self.kept = bytes(self.body) if kept is None else msgspec.json.encode(kept)


def json_of(
    value: Any, *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None, kept: Any = None
) -> JsonAnswer:
    """An answer.

    Args:
        value: what is answered.
        status, headers: of HTTP.
        kept: what may be kept of it, where something secret is part of it; None = all.
    """
    return JsonAnswer(value, status=status, headers=headers, kept=kept)
