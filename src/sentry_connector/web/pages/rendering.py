"""Pages as answers: templates, in the language and the theme of whoever asks, under a policy that lets nothing foreign run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from babel.core import Locale
from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import Response
from starlette.types import Scope

from sentry_connector import __version__
from sentry_connector.errors import ConnectorError, NotAllowed, SignInNeeded, UnknownName
from sentry_connector.store.rights import Level
from sentry_connector.web.access import allow, may, visitor_if_known
from sentry_connector.web.pages.assets import Assets
from sentry_connector.web.pages.navigation import SECTIONS
from sentry_connector.web.pages.words import LANGUAGES, language_asked, translations
from sentry_connector.web.place import Place
from sentry_connector.web.policy import Policy
from sentry_connector.web.problems import document
from sentry_connector.web.sentences import sentences

TEMPLATES = Path(__file__).parent / "templates"
THEMES = ("light", "dark")
"""Beside that of the system, which is had where none is chosen."""

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default"
)
"""Nothing inline, nothing from elsewhere, in no frame. Charts draw on a canvas and set no style by text."""

SIGN_IN = "/sign-in"
FIRST_ADMIN = "/first-admin"


class Pages:
    """Makes pages from templates."""

    def __init__(self, assets: Assets, now: Callable[[], dt.datetime], place: Place) -> None:
        """Take the files beside the templates, a clock for `5 minutes ago`, and how browsers reach the server."""
        self.assets, self._now, self._policy = assets, now, Policy()
        self._cookies = {name: place.cookie_of(name) for name in ("language", "theme")}
        self._environment = cache(self._new_environment)

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """A page.

        Args:
            request: what it answers.
            template: its file below `templates/`.
            status, headers: of HTTP.
            values: what the template shows.
        """
        language, theme = language_asked(request), request.cookies.get(self._cookies["theme"])
        came = visitor_if_known()
        common = {
            "path": request.url.path,
            "language": language,
            "languages": LANGUAGES,
            "theme": theme if theme in THEMES else None,
            "cookies": self._cookies,
            "person": None if came is None else came.person,
            "sections": [one for one in SECTIONS if self.can("GET", one.path)],
            "version": __version__,
        }
        text = self._environment(language).get_template(template).render({**common, **values})
        return Response(
            text,
            status_code=status,
            media_type="text/html",
            headers={"Content-Security-Policy": CONTENT_POLICY, "Vary": "Cookie, Accept-Language", **(headers or {})},
        )

    def refusal(self, scope: Scope, error: ConnectorError, status: HTTPStatus) -> Response:
        """An error as a page; who has to sign in is led there, and back afterwards."""
        request = Request(scope)
        if isinstance(error, SignInNeeded):
            return self._to_sign_in(request)
        say = sentences(language_asked(request))
        return self.page(request, "refusal.html", status=status, problem=document(error, status, say))

    def can(self, method: str, path: str) -> bool:
        """Whether whoever asks would be let through with a request: a page offers nothing that would be refused."""
        came, asked = visitor_if_known(), self._policy.find(method, path)
        if came is None or asked is None:
            return False
        if came.person is None:
            return True
        try:
            allow(came.house, came.person, asked)
        except (NotAllowed, UnknownName):
            return False
        return True

    def can_with(self, method: str, template: str, level: Level | None) -> bool:
        """As `can`, for any thing of which whoever asks has that level; the path is a template."""
        came, asked = visitor_if_known(), self._policy.find(method, template)
        return came is not None and asked is not None and (came.person is None or may(came.person, asked.rule, level))

    def _to_sign_in(self, request: Request) -> Response:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        there = SIGN_IN if here == "/" else f"{SIGN_IN}?next={quote(here, safe='')}"
        if "hx-request" in request.headers:  # a part of a page: the whole page goes there
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": SIGN_IN})
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": there})

    def _new_environment(self, language: str) -> jinja2.Environment:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # What is written in the templates for translators is known to the extension by these.
        environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
        locale = Locale.parse(language)
        environment.filters |= {
            "number": lambda value: format_decimal(value, locale=locale),
            "utc": lambda value: format_datetime(value.astimezone(dt.UTC), "d MMM y, HH:mm", locale=locale) + " UTC",
            "said": sentences(language),
            "ago": lambda value: format_timedelta(value - self._now(), add_direction=True, locale=locale),
        }
        environment.globals |= {
            "asset": self.assets.url,
            "imported_by": self.assets.imported_by,
            "can": self.can,
        }
        return environment
