"""What holds for every answer: headers that keep browsers safe, HEAD, and failures that tell nothing of the inside."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import Response
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentry_connector.errors import ConnectorError, UsageError, of_the_system
from sentry_connector.web.problems import Desk, problem
from sentry_connector.web.refusals import refusal

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Of every answer that does not say otherwise by itself. There is none for other origins: they may read nothing."""


class Envelope:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        """Take the application, and who is told of its failures."""
        self.app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        letter = _Letter(send, is_head=scope["method"] == "HEAD")
        inner = {**scope, "method": "GET"} if letter.is_head else scope
        try:
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                wrong = UsageError("An address may hold no NUL.")
                await refusal(inner, wrong, HTTPStatus.BAD_REQUEST)(inner, receive, letter.send)
            else:
                await self.app(inner, receive, letter.send)
        except ClientDisconnect:
            return
        except BaseException as error:
            known = of_the_system(error)
            if known is None and not isinstance(error, Exception):
                raise
            told = self._desk.told(known or ConnectorError(type(error).__name__), because=error)
            # What was begun cannot be taken back: it is left without an end, so that the server cuts the connection.
            if not letter.begun:
                await self._told(inner, told)(inner, receive, letter.send)

    def _told(self, scope: Scope, told: ConnectorError) -> Response:
        """The answer that tells of a failure, in the plainest way where even its page fails."""
        try:
            return refusal(scope, told)
        except Exception as error:  # noqa: BLE001  # whatever it is, somebody waits for an answer
            self._desk.told(ConnectorError(type(error).__name__), because=error)
            return problem(told)


class _Letter:
    """An answer on its way; that to HEAD has no body, and nobody need make the rest of one."""

    def __init__(self, send: Send, *, is_head: bool) -> None:
        self._send = send
        self.is_head = is_head
        self.begun = False
        self._ended = False

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        elif self.is_head:
            if self._ended:
                return
            self._ended = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)
