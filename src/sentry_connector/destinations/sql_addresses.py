"""Addresses of SQL databases: what a person gives, and the database that it means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from sentry_connector.errors import UsageError

if TYPE_CHECKING:
    from sentry_connector.destinations.sql_model import Database

_FORMS = "postgresql://USER@HOST/DATABASE, duckdb:///FILE or sqlite:///FILE"
_POSTGRES = {"postgresql", "postgres"}
_FILES = {"duckdb": "DuckDB", "sqlite": "SQLite"}


def takes_password(url: str) -> bool:
    """Whether a password may belong to the address."""
    return _scheme(url) in _POSTGRES


def kind_of(url: str) -> str:
    """The database's name, for people."""
    return "PostgreSQL" if takes_password(url) else _FILES[_scheme(url)]


def checked(url: str) -> str:
    """The address as it is stored: a file by its whole path.

    Raises:
        UsageError: it is none, holds a password, or names a file in a folder that is not there.
    """
    scheme = _scheme(url)
    if scheme in _POSTGRES:
        return _checked_server(url)
    if scheme in _FILES:
        return _checked_file(scheme, url)
    raise UsageError("That is no address of a database that tables can lie in.", remedy=f"Give {_FORMS}.")


def database(url: str, password: Callable[[], str | None]) -> Database:
    """The database at an address that `checked` answered; its library is loaded now, but for an extra's."""
    if takes_password(url):
        from sentry_connector.destinations.sql_postgres import Postgres  # noqa: PLC0415  # each loads what it needs alone

        return Postgres(url=url, password=password)
    path = url.partition("://")[2].removeprefix("/")
    if _scheme(url) == "duckdb":
        from sentry_connector.destinations.sql_duckdb import DuckDB  # noqa: PLC0415

        return DuckDB(path=path)
    from sentry_connector.destinations.sql_sqlite import Sqlite  # noqa: PLC0415

    return Sqlite(path=path)


def _scheme(url: str) -> str:
    return url.partition("://")[0].casefold()


def _checked_server(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"That is no address: {error}.", remedy=f"Give {_FORMS}.") from None
    if ":" in parts.netloc.rpartition("@")[0] or "password" in parse_qs(parts.query, keep_blank_values=True):
        raise UsageError(
            "The address holds a password, which would be seen in the list of processes and in the shell's history.",
            remedy="Leave it out of the address, and give it on standard input or when you are asked for it.",
        )
    return url


def _checked_file(scheme: str, url: str) -> str:
    rest = url.partition("://")[2]
    path = rest.removeprefix("/")
    if not rest.startswith("/") or not path or path == ":memory:":
        raise UsageError(
            f"The address names no file: {url}",
            remedy=f"Give {scheme}:///FILE, where FILE is a path: one from the root begins with a slash of its own.",
        )
    whole = Path(path).expanduser().absolute()
    if not whole.parent.is_dir():
        raise UsageError(f"There is no folder {whole.parent}.", remedy="Make it first, or name another file.")
    return f"{scheme}:///{whole}"
