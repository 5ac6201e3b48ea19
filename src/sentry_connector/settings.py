"""The settings: one frozen record, read from the environment in one place.

`SETTINGS` describes each of them as data, so that the command `settings`, its page and the reading cannot differ.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sentry_connector.errors import UsageError

APPLICATION = "sentry-connector"
HIDDEN = "***"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that the environment decides. `SETTINGS` says what each field means."""

    auth_token: str | None = field(default=None, repr=False)
    url: str = "https://sentry.io"
    organization: str | None = None
    project: str | None = None
    home: Path
    database_url: str = field(repr=False)
    storage: str
    s3_endpoint: str | None = field(default=None, repr=False)
    aws_endpoint: str | None = field(default=None, repr=False)
    aws_region: str | None = None
    aws_default_region: str | None = None
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    azure_account_name: str | None = None
    azure_account_key: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    key_file: Path | None = None
    ca_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    max_answer_mib: int = 64
    max_wait: int = 900
    settle: int = 60
    concurrency: int = 8
    keep_versions: int = 10
    retention_days: int | None = None
    late_hours: int = 24
    reconcile_days: int = 7
    history_days: int = 90
    run_minutes: int = 30
    run_mib: int = 2048
    look_seconds: int = 20
    query_seconds: int = 60
    query_mib: int = 1024
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    oidc_only: bool = False
    require_second_factor: bool = False
    otlp_endpoint: str | None = None
    otlp_traces_endpoint: str | None = None
    no_color: bool = False

    @property
    def retention(self) -> dt.timedelta | None:
        """How long Sentry keeps events, where somebody has said it."""
        return None if self.retention_days is None else dt.timedelta(days=self.retention_days)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log and no error may hold."""
        of_storage = (
            self.aws_access_key_id,
            self.aws_secret_access_key,
            self.aws_session_token,
            self.azure_account_key,
        )
        found = (self.auth_token, self.key, _password(self.proxy), _password(self.database_url), *of_storage)
        return tuple(secret for secret in found if secret)

    @property
    def is_shared(self) -> bool:
        """Whether several machines may share the connector's own database."""
        return self.database_url.startswith("postgres")

    @property
    def storage_place(self) -> str:
        """What tells the storage apart from others: two servers may each have a bucket of one name."""
        endpoint = self._endpoint if self.storage.startswith("s3://") else None
        return self.storage if endpoint is None else f"{self.storage.rstrip('/')} at {endpoint.rstrip('/')}"

    @property
    def storage_options(self) -> dict[str, str]:
        """How the storage is reached, in the words of delta-rs; it holds secrets. Empty for a folder.

        Without a key of its own a store takes the role that the machine has.
        """
        if self.storage.startswith("s3://"):
            endpoint = self._endpoint
            known = {
                "aws_region": self.aws_region or self.aws_default_region or "us-east-1",
                "aws_endpoint_url": endpoint,
                "aws_access_key_id": self.aws_access_key_id,
                "aws_secret_access_key": self.aws_secret_access_key,
                "aws_session_token": self.aws_session_token,
                "allow_http": "true" if endpoint is not None and endpoint.startswith("http://") else None,
            }
        elif self.storage.startswith("az://"):
            known = {
                "azure_storage_account_name": self.azure_account_name,
                "azure_storage_account_key": self.azure_account_key,
            }
        else:
            known = {}
        return {name: value for name, value in known.items() if value is not None}

    @property
    def _endpoint(self) -> str | None:
        return self.s3_endpoint or self.aws_endpoint

    @property
    def folders(self) -> dict[str, Path]:
        """The folders of this machine that are written to: the connector's own, and that of the tables where it is no store."""
        return {"home": self.home} | ({} if "://" in self.storage else {"tables": Path(self.storage)})

    @property
    def traces_url(self) -> str | None:
        """Where spans are posted to; None where nothing is traced (https://opentelemetry.io/docs/specs/otel/protocol/exporter)."""
        if self.otlp_traces_endpoint is not None or self.otlp_endpoint is None:
            return self.otlp_traces_endpoint
        return f"{self.otlp_endpoint.rstrip('/')}/v1/traces"

    def described(self) -> list[dict[str, Any]]:
        """The settings as JSON; secrets are hidden, passwords in addresses too."""
        values = self.masked()
        return [
            {
                "variable": one.variable,
                "value": values[one.variable],
                "default": one.default,
                "secret": one.secret,
                "about": one.about,
            }
            for one in SETTINGS
        ]

    def masked(self) -> dict[str, str | None]:
        """The values as text by the names of their variables; secrets are hidden, passwords in addresses too."""
        return {setting.variable: setting.shown(getattr(self, setting.name)) for setting in SETTINGS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: the field of `Settings`.
        variable: the environment variable.
        about: one sentence, with the unit.
        default: what holds where the variable is not set, in words.
        parse: turns the variable's text, without blanks around it, into the value.
        secret: the value is never shown.
        address: the value is a URL whose password is never shown.
    """

    name: str
    variable: str
    about: str
    default: str
    parse: Callable[[str], Any] = str
    secret: bool = False
    address: bool = False

    def read(self, env: Mapping[str, str]) -> Any:
        """The value, or None where the variable is not set or blank.

        Raises:
            UsageError: the text is not a value of this setting; the error names the variable and never a secret.
        """
        text = env.get(self.variable, "").strip()
        if not text:
            return None
        try:
            return self.parse(text)
        except ValueError as error:
            raise UsageError(
                f"{self.variable} is {'wrong' if self.secret else repr(self.shown(text))}: {error}",
                remedy=f"Set {self.variable} anew, or unset it for the default ({self.default}).",
                variable=self.variable,
            ) from None

    def shown(self, value: Any) -> str | None:
        """The value as people may see it."""
        if value is None:
            return None
        if self.secret:
            return HIDDEN
        return without_password(str(value)) if self.address else str(value)


def without_password(url: str) -> str:
    """The URL with `***` in place of its user and password, and of its query, which can hold them too.

    It hides rather too much: a password may hold any character, unescaped.
    """
    return re.sub(r"\?.*", f"?{HIDDEN}", re.sub(r"://.*@", f"://{HIDDEN}@", url, flags=re.DOTALL), flags=re.DOTALL)


def _password(url: str | None) -> str | None:
    """The password in an address, decoded; the whole address where it is none, so that no part of it is shown."""
    try:
        password = urlsplit(url or "").password
    except ValueError:
        return url
    return unquote(password) if password else None


def _whole(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers between two bounds, both included."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most} is wanted")
        return int(text)

    return parse


def _path(text: str) -> Path:
    """An absolute path; `~` is the user's home."""
    return Path(text).expanduser().absolute()


def _storage(text: str) -> str:
    """A folder, or an address of objects without a user or a password in it."""
    scheme, found, rest = text.partition("://")
    if not found:
        return text
    if scheme not in {"s3", "gs", "az"} or not rest.strip("/"):
        raise ValueError("a folder, or s3://BUCKET/PREFIX, gs://… or az://… is wanted")
    if "@" in rest.partition("/")[0] or "?" in rest:
        raise ValueError("credentials have variables of their own: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
    return text


def _http(text: str) -> str:
    """The address of a server, without a user or a password in it."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError("http://HOST:PORT or https://HOST:PORT is wanted")
    return text


def _token(text: str) -> str:
    """A token in one piece: HTTP headers have no room for blanks or control characters."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it holds characters that no token has")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="auth_token",
        variable="SENTRY_AUTH_TOKEN",
        about="The token that Sentry is asked with where no account is named.",
        default="none",
        parse=_token,
        secret=True,
    ),
    Setting(
        name="url",
        variable="SENTRY_URL",
        about="The address of Sentry: sentry.io or your own.",
        default="https://sentry.io",
        address=True,
    ),
    Setting(
        name="organization",
        variable="SENTRY_ORG",
        about="The slug of the organization where a report asks for one and none is chosen.",
        default="none",
    ),
    Setting(
        name="project",
        variable="SENTRY_PROJECT",
        about="The slug of the project where a report asks for one and none is chosen.",
        default="none",
    ),
    Setting(
        name="home",
        variable="SENTRY_CONNECTOR_HOME",
        about="The folder of the connector's database, key and tables.",
        default="the platform's folder for user data",
        parse=_path,
    ),
    Setting(
        name="database_url",
        variable="SENTRY_CONNECTOR_DATABASE_URL",
        about="The connector's own database: SQLite, or postgresql://USER:PASSWORD@HOST:PORT/NAME for many workers.",
        default="SQLite under home",
        address=True,
    ),
    Setting(
        name="storage",
        variable="SENTRY_CONNECTOR_STORAGE",
        about="Where the tables live: a folder, or s3://BUCKET/PREFIX, gs://…, az://…; with PostgreSQL one for all machines.",
        default="tables under home",
        parse=_storage,
        address=True,
    ),
    Setting(
        name="s3_endpoint",
        variable="AWS_ENDPOINT_URL_S3",
        about="The server of s3:// addresses, where it is not AWS: MinIO, Ceph and others that speak its protocol.",
        default="AWS_ENDPOINT_URL",
        parse=_http,
        address=True,
    ),
    Setting(
        name="aws_endpoint",
        variable="AWS_ENDPOINT_URL",
        about="The same, for all services of AWS.",
        default="AWS itself",
        parse=_http,
        address=True,
    ),
    Setting(
        name="aws_region",
        variable="AWS_REGION",
        about="The region of the bucket in an s3:// address.",
        default="AWS_DEFAULT_REGION",
    ),
    Setting(
        name="aws_default_region",
        variable="AWS_DEFAULT_REGION",
        about="The same, where AWS_REGION is not set.",
        default="us-east-1",
    ),
    Setting(
        name="aws_access_key_id",
        variable="AWS_ACCESS_KEY_ID",
        about="Whose key an s3:// address is asked with.",
        default="the role that the machine, its container or its service account has",
        parse=_token,
        secret=True,
    ),
    Setting(
        name="aws_secret_access_key",
        variable="AWS_SECRET_ACCESS_KEY",
        about="That key.",
        default="none",
        parse=_token,
        secret=True,
    ),
    Setting(
        name="aws_session_token",
        variable="AWS_SESSION_TOKEN",
        about="What a key that holds for a time needs beside it; it is not renewed while a server runs.",
        default="none",
        parse=_token,
        secret=True,
    ),
    Setting(
        name="azure_account_name",
        variable="AZURE_STORAGE_ACCOUNT_NAME",
        about="Whose storage an az:// address is in.",
        default="none",
    ),
    Setting(
        name="azure_account_key",
        variable="AZURE_STORAGE_ACCOUNT_KEY",
        about="The key of that account.",
        default="the identity that the machine has",
        parse=_token,
        secret=True,
    ),
    Setting(
        name="key",
        variable="SENTRY_CONNECTOR_KEY",
        about="The key that seals stored tokens: 32 random bytes, as base64 or hexadecimal digits.",
        default="the key file's, the system keyring's, or one made under home at first use",
        secret=True,
    ),
    Setting(
        name="key_file",
        variable="SENTRY_CONNECTOR_KEY_FILE",
        about="A file that holds that key and that only its owner may read.",
        default="none",
        parse=_path,
    ),
    Setting(
        name="ca_file",
        variable="SENTRY_CONNECTOR_CA_FILE",
        about="Certificates (PEM) of the authorities that are trusted beside the system's.",
        default="none",
        parse=_path,
    ),
    Setting(
        name="proxy",
        variable="SENTRY_CONNECTOR_PROXY",
        about="The HTTP proxy that leads to Sentry.",
        default="none",
        address=True,
    ),
    Setting(
        name="max_answer_mib",
        variable="SENTRY_CONNECTOR_MAX_ANSWER_MIB",
        about="The largest answer of Sentry that is taken, in MiB after decompression.",
        default="64",
        parse=_whole(1, 4096),
    ),
    Setting(
        name="max_wait",
        variable="SENTRY_CONNECTOR_MAX_WAIT",
        about="The longest single wait for a rate limit, in seconds.",
        default="900",
        parse=_whole(0, 86_400),
    ),
    Setting(
        name="settle",
        variable="SENTRY_CONNECTOR_SETTLE",
        about="How far before now reading stops, in seconds, so that rows which Sentry still stores are not missed.",
        default="60",
        parse=_whole(0, 86_400),
    ),
    Setting(
        name="concurrency",
        variable="SENTRY_CONNECTOR_CONCURRENCY",
        about="Requests at once to a Sentry that names no limit of its own.",
        default="8",
        parse=_whole(1, 64),
    ),
    Setting(
        name="keep_versions",
        variable="SENTRY_CONNECTOR_KEEP_VERSIONS",
        about="How many versions of a table can at least be reverted to.",
        default="10",
        parse=_whole(1, 10_000),
    ),
    Setting(
        name="retention_days",
        variable="SENTRY_CONNECTOR_RETENTION_DAYS",
        about="How many days Sentry keeps events; a run takes no rows of older days out of a table, since Sentry shows none.",
        default="30, and more, up to 90, as far back as a run reads rows",
        parse=_whole(1, 3650),
    ),
    Setting(
        name="late_hours",
        variable="SENTRY_CONNECTOR_LATE_HOURS",
        about="How often, in hours, Since Last Successful Run looks for events that arrived up to 30 days late; 0 = never.",
        default="24",
        parse=_whole(0, 24 * 365),
    ),
    Setting(
        name="reconcile_days",
        variable="SENTRY_CONNECTOR_RECONCILE_DAYS",
        about="How often, in days, all issues are read for changes without activity and for issues that are gone; 0 = never.",
        default="7",
        parse=_whole(0, 3650),
    ),
    Setting(
        name="history_days",
        variable="SENTRY_CONNECTOR_HISTORY_DAYS",
        about="How many days runs with their logs, passed slots and notices are kept; the last 100 runs of a DataSet always.",
        default="90",
        parse=_whole(1, 36_500),
    ),
    Setting(
        name="run_minutes",
        variable="SENTRY_CONNECTOR_RUN_MINUTES",
        about="The longest run that is planned, in minutes; what takes longer becomes a chain of runs, newest days first.",
        default="30",
        parse=_whole(1, 10_000),
    ),
    Setting(
        name="run_mib",
        variable="SENTRY_CONNECTOR_RUN_MIB",
        about="The largest run that is planned, in MiB of Sentry's answers; what is larger becomes a chain of runs.",
        default="2048",
        parse=_whole(1, 1_000_000),
    ),
    Setting(
        name="look_seconds",
        variable="SENTRY_CONNECTOR_LOOK_SECONDS",
        about="How long, in seconds, a look at a table may take: a page of its rows, figures of its columns, a chart.",
        default="20",
        parse=_whole(1, 86_400),
    ),
    Setting(
        name="query_seconds",
        variable="SENTRY_CONNECTOR_QUERY_SECONDS",
        about="How long, in seconds, the rows of one SQL statement are waited for.",
        default="60",
        parse=_whole(1, 86_400),
    ),
    Setting(
        name="query_mib",
        variable="SENTRY_CONNECTOR_QUERY_MIB",
        about="The memory, in MiB, that the engine holds for one SQL statement.",
        default="1024",
        parse=_whole(64, 1_000_000),
    ),
    Setting(
        name="oidc_issuer",
        variable="SENTRY_CONNECTOR_OIDC_ISSUER",
        about="The identity provider (OpenID Connect) that signs people in, exactly as its tokens name it.",
        default="none: people sign in with passwords",
    ),
    Setting(
        name="oidc_client_id",
        variable="SENTRY_CONNECTOR_OIDC_CLIENT_ID",
        about="What the identity provider calls this server.",
        default="none",
    ),
    Setting(
        name="oidc_client_secret",
        variable="SENTRY_CONNECTOR_OIDC_CLIENT_SECRET",
        about="The secret that the identity provider knows this server by.",
        default="none: the provider takes this server for a public client",
        secret=True,
    ),
    Setting(
        name="oidc_only",
        variable="SENTRY_CONNECTOR_OIDC_ONLY",
        about="With any value, nobody signs in with a password any more.",
        default="people sign in either way",
        parse=bool,
    ),
    Setting(
        name="require_second_factor",
        variable="SENTRY_CONNECTOR_REQUIRE_SECOND_FACTOR",
        about="With any value, who signs in with a password sets up a second factor before anything else.",
        default="each person decides",
        parse=bool,
    ),
    Setting(
        name="otlp_endpoint",
        variable="OTEL_EXPORTER_OTLP_ENDPOINT",
        about="The base URL of an OpenTelemetry collector (OTLP over HTTP) that traces of runs go to.",
        default="none: nothing is traced",
        address=True,
    ),
    Setting(
        name="otlp_traces_endpoint",
        variable="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        about="The whole URL that traces are posted to, in place of the collector's base URL with /v1/traces.",
        default="that of the collector",
        address=True,
    ),
    Setting(
        name="no_color",
        variable="NO_COLOR",
        about="With any value, nothing is printed in colour (no-color.org).",
        default="colours on a terminal",
        parse=bool,
    ),
)


def from_environment(env: Mapping[str, str]) -> Settings:
    """The settings that the variables of `env` say; a variable that is blank counts as not set.

    Raises:
        UsageError: a variable holds a wrong value, or lacks its other half; the error names it. Or nothing says where the home
            folder is.
    """
    values = {setting.name: setting.read(env) for setting in SETTINGS}
    given = {name: value for name, value in values.items() if value is not None}
    home = given["home"] = given.get("home") or user_data_folder(env)
    given.setdefault("database_url", f"sqlite:///{home / 'connector.db'}")
    given.setdefault("storage", str(home / "tables"))
    settings = Settings(**given)
    if settings.storage.startswith("s3://") and bool(settings.aws_access_key_id) != bool(
        settings.aws_secret_access_key
    ):
        raise UsageError(
            "Of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set and the other is not.",
            remedy="Set both, or unset both for the role that the machine has.",
        )
    return settings


def user_data_folder(env: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The platform's folder for a user's data of this program.

    Linux: the XDG Base Directory Specification; macOS: Application Support; Windows: LOCALAPPDATA.

    Raises:
        UsageError: the system does not know the user, as in a container with an id of its own.
    """
    try:
        user = Path(env["HOME"]) if env.get("HOME") else Path.home()
    except RuntimeError:
        raise UsageError(
            "The system does not know where this user's home is.", remedy="Set SENTRY_CONNECTOR_HOME to a folder."
        ) from None
    if platform == "darwin":
        base = user / "Library" / "Application Support"
    elif platform == "win32":
        base = Path(env.get("LOCALAPPDATA") or user / "AppData" / "Local")
    else:
        base = Path(env.get("XDG_DATA_HOME") or user / ".local" / "share")
    return (base / APPLICATION).absolute()
