"""Sentry's error answers, in the shapes in which its servers really give them."""

from __future__ import annotations

from typing import Any

DETAILS = {
    403: "You do not have permission to perform this action.",
    404: "The requested resource does not exist",
}


class Refusal(Exception):
    """An answer that is not 200, raised where the reason is found.

    Attributes:
        status: HTTP status.
        body: JSON, or text where the server answers with a page.
        headers: further headers; a Content-Type here wins over `application/json`.
    """

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}

    @classmethod
    def internal_error(cls) -> Refusal:
        """500, as for a `stat` that does not exist: it comes back however often one asks."""
        return cls(500, {"detail": "Internal Error", "errorId": "0" * 32})

    @classmethod
    def moved(cls, url: str, slug: str) -> Refusal:
        """302: the project was renamed."""
        detail = {
            "code": "resource-moved",
            "message": "Resource has been moved",
            "extra": {"url": url, "slug": slug},
        }
        return cls(302, {"slug": slug, "detail": detail}, {"Location": url})

    @classmethod
    def bad_stats_period(cls, choices: str) -> Refusal:
        """400 of the project lists: an envelope that no other endpoint has."""
        message = f"Invalid stats_period. Valid choices are {choices}"
        return cls(400, {"error": {"params": {"stats_period": {"message": message}}}})

    @classmethod
    def sso_required(cls) -> Refusal:
        """401 whose detail is an object: a new token would not cure it."""
        extra = {"loginUrl": "/auth/login/acme/"}
        return cls(401, {"detail": {"code": "sso-required", "message": "Must login via SSO", "extra": extra}})

    @classmethod
    def too_many(cls, detail: str, headers: dict[str, str] | None = None) -> Refusal:
        """429 of the rate limit middleware: JSON that calls itself HTML, and no Retry-After."""
        return cls(429, {"detail": detail}, {"Content-Type": "text/html; charset=utf-8", **(headers or {})})


def refuse(status: int, detail: str | None = None) -> Refusal:
    """The plain form, `{"detail": …}`; 403 and 404 have a sentence of their own."""
    return Refusal(status, {"detail": detail or DETAILS[status]})
