"""Every error that the connector raises on purpose, in one tree.

```text
ConnectorError
├── UsageError                 usage.invalid          2   the call is wrong; nothing was asked of Sentry
│   ├── UnknownName            usage.unknown_name     2   no such report, menu value, account, DataSet, file …
│   ├── DetailsError           usage.details          2   a menu is missing, superfluous or holds a wrong value
│   ├── DatesError             usage.dates            2   a date, a range or a zone is wrong
│   ├── ScheduleError          usage.schedule         2   a schedule is none that can be kept
│   ├── LossNotAccepted        usage.loss             2   the run would drop rows that the table holds
│   ├── ConfigInvalid          usage.config           2   a configuration file is wrong; each place is named
│   ├── EditedMeanwhile        usage.edited           2   somebody else has changed it since it was looked at
│   └── SqlError               usage.sql              2   the SQL was refused
│       └── QueryTimeout       query.timeout          2   a statement, or a look at a table, took longer than it may
├── CredentialError
│   ├── TokenMissing           token.missing         10   no token was given
│   ├── TokenRejected          token.rejected        10   Sentry does not know the token
│   ├── AccessDenied           token.access_denied   10   Sentry knows the token and wants something else (SSO, 2FA …)
│   ├── ScopeMissing           scope.missing         11   the token may not read this
│   ├── NotFound               sentry.not_found      12   no such organization, project, team or issue for this token
│   └── TokenNotForHost        token.not_for_host    13   an answer wanted to lead the token to another host
├── ConnectionFailed
│   ├── TlsFailed              tls.failed            14
│   ├── ProxyFailed            proxy.failed          14
│   ├── HostUnknown            sentry.host_unknown   20
│   ├── SentryUnreachable      sentry.unreachable    20   retry
│   └── SentryUnavailable      sentry.unavailable    20   retry
├── MalformedAnswer            sentry.malformed      21
│   ├── NotSentry              sentry.not_sentry     21   a page that is not Sentry's
│   ├── AnswerTooLarge         sentry.too_large      21
│   ├── CursorLoop             sentry.cursor_loop    21
│   └── RequestRefused         sentry.refused        21   a 400 that no other form of the request cures
│       └── BeyondRetention    sentry.beyond_retention 21 Sentry keeps nothing any more of the dates that were asked for
├── RateLimited                sentry.rate_limited   22   retry
├── DestinationError
│   ├── DestinationRefused     destination.refused   30
│   │   └── StorageUnsafe      storage.unsafe        30   a storage that lets one writer overwrite another
│   ├── DestinationUnavailable destination.unavailable 30 retry; a database, or a store of objects, cannot be reached or is busy
│   ├── DiskFull               disk.full             31
│   ├── TableChanged           table.changed         32   retry
│   └── KeyViolated            key.violated          33
├── AccessError
│   ├── SignInNeeded           access.sign_in        10   nobody is signed in, or not any more
│   │   └── CodeNeeded         access.code_needed    10   the password is right, and a second factor is asked for too
│   ├── NotAllowed             access.denied         11   the person, or the key, may not do this
│   └── TooManyTries           access.too_many_tries 22   retry; too many wrong passwords
├── RunIncomplete              run.incomplete        40
├── Locked                     store.locked          50   retry
│   └── LeaseLost              store.locked          50   retry; another process has taken over what this one was doing
├── StoreUnusable              store.unusable        51
│   ├── StoreUnreachable       store.unreachable     51   retry; a PostgreSQL server that does not answer
│   ├── StoreNewer             store.newer           51   a newer version of this program has changed the database
│   ├── StorageDiffers         storage.differs       51   the tables of this store are elsewhere
│   ├── VaultUnusable          vault.unusable        51
│   └── AuditBroken            audit.broken          51   the audit log was edited
├── RunCrashed                 run.crashed            1   each process that worked on it died
├── NotDelivered               notice.not_delivered  30   retry; a channel did not take a notice
│   └── NoticeRefused          notice.refused        30   a channel refuses a notice for what it is
├── OutOfResources             system.exhausted       1   retry; the process may open no more files, or have no more memory
├── QueriesBusy                query.busy            50   retry; too many statements are run at the same time
└── Cancelled                  run.cancelled         60   somebody has stopped it
```

`name` is stable and is what programs compare; `exit_code` is the command line's; `remedy` says what to do; `retryable` says
whether the very same call may succeed later. Code decides by class, never by text.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any, ClassVar

EXIT_UNEXPECTED = 1


class ConnectorError(Exception):
    """Base of the tree. `message` is one sentence for people; `data` holds facts for programs (host, scope, seconds …)."""

    name: ClassVar[str] = "unexpected"
    exit_code: ClassVar[int] = EXIT_UNEXPECTED
    retryable: ClassVar[bool] = False
    default_remedy: ClassVar[str] = "Please report this with the log of the run."

    def __init__(self, message: str, *, remedy: str | None = None, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy if remedy is not None else self.default_remedy
        self.data = data

    def as_dict(self) -> dict[str, Any]:
        """The error as the `error` object of JSON output: name, code, message, remedy."""
        return {"name": self.name, "code": self.exit_code, "message": self.message, "remedy": self.remedy}


class UsageError(ConnectorError):
    """The call is wrong; nothing was asked of Sentry and nothing was written."""

    name = "usage.invalid"
    exit_code = 2
    default_remedy = "Correct the call; `--help` lists what it takes."


class UnknownName(UsageError):
    """No such thing; `nearest` holds the names that come closest."""

    name = "usage.unknown_name"

    def __init__(self, kind: str, given: str, known: Iterable[str] = (), *, remedy: str | None = None) -> None:
        known = list(known)
        self.nearest = nearest(given, known)
        if remedy is None:
            remedy = f"Did you mean: {', '.join(self.nearest)}?" if self.nearest else _listing(known)
        super().__init__(f"There is no {kind} named {given!r}.", remedy=remedy, kind=kind, given=given)


class DetailsError(UsageError):
    """A menu of the report is missing, not offered or holds a wrong value; `menu` names it."""

    name = "usage.details"

    def __init__(self, menu: str, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy, menu=menu)
        self.menu = menu


class DatesError(UsageError):
    """A date, a range of dates or a time zone is wrong."""

    name = "usage.dates"
    default_remedy = "Dates are YYYY-MM-DD; days back are whole numbers from 0 to 3650; the start is not after the end."


class ScheduleError(UsageError):
    """A schedule cannot be understood, or names no time that ever comes."""

    name = "usage.schedule"
    default_remedy = "`sentry-connector schedule show RULE` tries a schedule; `--help` lists the forms."


class LossNotAccepted(UsageError):
    """The run would drop rows that the table holds; `rows` says how many."""

    name = "usage.loss"
    default_remedy = "Choose longer dates or another update method, or consent: `datasets edit NAME --accept-loss`."


class ConfigInvalid(UsageError):
    """A configuration is wrong, or cannot be applied; `problems` names each place. Nothing was changed."""

    name = "usage.config"
    default_remedy = "Correct the file; `sentry-connector export-config --schema` describes what it takes."
    problems: tuple[str, ...] = ()

    def __init__(self, problems: Iterable[str], *, remedy: str | None = None) -> None:
        self.problems = tuple(problems)
        one = len(self.problems) == 1
        super().__init__(self.problems[0] if one else f"{len(self.problems)} things are wrong.", remedy=remedy)

    def as_dict(self) -> dict[str, Any]:
        """As every error, and `problems`, each with its place."""
        return super().as_dict() | {"problems": list(self.problems)}


class EditedMeanwhile(UsageError):
    """Somebody else has changed it since it was looked at; nothing of this change was stored."""

    name = "usage.edited"
    default_remedy = "Look at it again, then repeat the change if it is still wanted."


class SqlError(UsageError):
    """The SQL was refused; the message is the engine's."""

    name = "usage.sql"
    default_remedy = "`query` takes one SELECT over the DataSets' slugs; `datasets list` names them."


class QueryTimeout(SqlError):
    """A statement, or a look at a table, took longer than it may and was stopped; the table is as it was."""

    name = "query.timeout"
    default_remedy = (
        "Ask for less: fewer columns, a narrower filter; or raise SENTRY_CONNECTOR_LOOK_SECONDS (pages of rows, figures,"
        " charts) or SENTRY_CONNECTOR_QUERY_SECONDS (SQL)."
    )


class CredentialError(ConnectorError):
    """Sentry answers, but not to this token or not about this thing."""


class TokenMissing(CredentialError):
    """No token was given."""

    name = "token.missing"
    exit_code = 10
    default_remedy = "Set SENTRY_AUTH_TOKEN, or store a token with `sentry-connector accounts add NAME`."


class TokenRejected(CredentialError):
    """Sentry does not know the token: wrong, expired or revoked (401)."""

    name = "token.rejected"
    exit_code = 10
    default_remedy = "Make a new token in Sentry under Settings → Auth Tokens, and give that one."


class AccessDenied(CredentialError):
    """Sentry knows the token and asks for what no new token cures: single sign-on, a second factor."""

    name = "token.access_denied"
    exit_code = 10
    default_remedy = "Sign in to Sentry in a browser, do what it asks for, then try again."


class ScopeMissing(CredentialError):
    """The token may not read this; `scope` and `report` say what was missing for what."""

    name = "scope.missing"
    exit_code = 11
    default_remedy = "Give the token the scopes org:read, project:read, team:read and event:read."


class NotFound(CredentialError):
    """No such organization, project, team or issue for this token; `kind` and `given` name it."""

    name = "sentry.not_found"
    exit_code = 12
    default_remedy = "`sentry-connector choices organizations` (or projects, teams) lists what the token can see."


class TokenNotForHost(CredentialError):
    """An answer wanted to lead the token to a host that it is not for; it was not sent there."""

    name = "token.not_for_host"
    exit_code = 13
    default_remedy = "Set the Sentry URL to the address that Sentry itself uses, without a redirect."


class ConnectionFailed(ConnectorError):
    """Sentry could not be asked."""


class TlsFailed(ConnectionFailed):
    """The server's certificate was refused, or no common protocol was found."""

    name = "tls.failed"
    exit_code = 14
    default_remedy = "Give the authority's certificate with SENTRY_CONNECTOR_CA_FILE, or have the server's one renewed."


class ProxyFailed(ConnectionFailed):
    """The HTTP proxy refused or could not be reached."""

    name = "proxy.failed"
    exit_code = 14
    default_remedy = "Check SENTRY_CONNECTOR_PROXY: its address, user and password."


class HostUnknown(ConnectionFailed):
    """The host's name has no address."""

    name = "sentry.host_unknown"
    exit_code = 20
    retryable = True
    default_remedy = "Check the Sentry URL for a typing error, then this machine's DNS."


class SentryUnreachable(ConnectionFailed):
    """No connection, or it broke or fell silent, after all retries."""

    name = "sentry.unreachable"
    exit_code = 20
    retryable = True
    default_remedy = "Check that the Sentry URL is right and that this machine may connect to it."


class SentryUnavailable(ConnectionFailed):
    """Sentry answers with server errors, after all retries."""

    name = "sentry.unavailable"
    exit_code = 20
    retryable = True
    default_remedy = "Sentry has a problem of its own; see status.sentry.io or the server's log, then try again."


class MalformedAnswer(ConnectorError):
    """An answer is not what Sentry's API gives."""

    name = "sentry.malformed"
    exit_code = 21
    default_remedy = "Try again; if it stays, report it with the request that the log names."


class NotSentry(MalformedAnswer):
    """The page is not Sentry's: a login page, a proxy's page, another service."""

    name = "sentry.not_sentry"
    default_remedy = "Check the Sentry URL, and that no login page or proxy stands before Sentry's API."


class AnswerTooLarge(MalformedAnswer):
    """An answer is larger than the cap, measured after decompression."""

    name = "sentry.too_large"
    default_remedy = "Raise SENTRY_CONNECTOR_MAX_ANSWER_MIB if answers of this size are expected."


class CursorLoop(MalformedAnswer):
    """Paging came back to a page that it had been to, or found no end."""

    name = "sentry.cursor_loop"


class RequestRefused(MalformedAnswer):
    """Sentry refused the request itself (400), with its own words in `detail`."""

    name = "sentry.refused"
    default_remedy = "Check the chosen details; Sentry's own words are in the message."


class BeyondRetention(RequestRefused):
    """The whole window is older than what Sentry keeps: a run reads nothing there, and its table keeps the rows it has."""

    name = "sentry.beyond_retention"
    default_remedy = "Choose younger dates: Sentry keeps events for 30 to 90 days, by plan."


class RateLimited(ConnectorError):
    """The rate limit lasts longer than the run is allowed to wait; `retry_after` is in seconds."""

    name = "sentry.rate_limited"
    exit_code = 22
    retryable = True
    default_remedy = "Try again later, or raise SENTRY_CONNECTOR_MAX_WAIT."


class DestinationError(ConnectorError):
    """Rows could not be stored; the table is as it was."""


class DestinationRefused(DestinationError):
    """The destination does not take the table, the file or the change."""

    name = "destination.refused"
    exit_code = 30
    default_remedy = "Check the destination's address and permissions."


class StorageUnsafe(DestinationRefused):
    """The storage does not keep what commits rest on: it lets one writer overwrite another. No table is written there."""

    name = "storage.unsafe"
    default_remedy = (
        "Use a store that keeps `If-None-Match: *` (AWS S3, MinIO, Ceph, Cloudflare R2 in versions of today), or a folder;"
        " `sentry-connector doctor --storage` tries it."
    )


class DestinationUnavailable(DestinationError):
    """A database or a store of objects cannot be reached, or others keep what is wanted of it locked.

    Nothing of this run is in the table.
    """

    name = "destination.unavailable"
    exit_code = 30
    retryable = True
    default_remedy = "See that the database runs and can be reached: `sentry-connector destinations check NAME`."


class DiskFull(DestinationError):
    """No space is left; the table is as it was."""

    name = "disk.full"
    exit_code = 31
    default_remedy = "Free space where the message says, then run again; `datasets stats` shows what tables take."


class TableChanged(DestinationError):
    """Somebody else committed to the table meanwhile; nothing of this run was stored."""

    name = "table.changed"
    exit_code = 32
    retryable = True
    default_remedy = "Run again; let only this connector write to the table."


class KeyViolated(DestinationError):
    """A key column is null or a key is doubled, or a day is not one that can be replaced; the table is as it was."""

    name = "key.violated"
    exit_code = 33
    default_remedy = "Choose a key whose columns are never null, or the update method replace or append."


class NotDelivered(ConnectorError):
    """A channel did not take a notice."""

    name = "notice.not_delivered"
    exit_code = 30
    retryable = True
    default_remedy = "Look at the channel's address and its service, then `sentry-connector notices test NAME`."


class NoticeRefused(NotDelivered):
    """A channel refuses a notice for what it is; another one may be taken."""

    name = "notice.refused"
    retryable = False


class AccessError(ConnectorError):
    """A server that several people use does not let somebody in, or not do something."""


class SignInNeeded(AccessError):
    """Nobody is signed in: no session and no API key, or one that is over; or the name or the password is wrong."""

    name = "access.sign_in"
    exit_code = 10
    default_remedy = "Sign in again, or send an API key: `Authorization: Bearer sck_…`."


class CodeNeeded(SignInNeeded):
    """The password is right, and the code of the second factor is asked for too."""

    name = "access.code_needed"
    default_remedy = "Give the code that the authenticator shows, or one of the recovery codes, as well."


class NotAllowed(AccessError):
    """The person, or the API key, may not do this."""

    name = "access.denied"
    exit_code = 11
    default_remedy = (
        "Ask an owner to share it with you, or an admin for another role; an API key may do what its scopes say."
    )


class TooManyTries(AccessError):
    """Too many wrong passwords from one address; `retry_after` is in seconds."""

    name = "access.too_many_tries"
    exit_code = 22
    retryable = True
    default_remedy = (
        "Wait, then try again; an admin can set another password: `sentry-connector users set-password NAME`."
    )


class RunIncomplete(ConnectorError):
    """A scope, a page or a permission is missing; `incomplete` lists each with its reason."""

    name = "run.incomplete"
    exit_code = 40
    default_remedy = "See the reasons; what was whole is stored, unless the update method is replace."


class Locked(ConnectorError):
    """Another process is at work on the same thing; `holder` names it."""

    name = "store.locked"
    exit_code = 50
    retryable = True
    default_remedy = "Wait for it, or repeat with --wait-lock 30s."


class LeaseLost(Locked):
    """This process was at work on it, until another one took it over."""


class StoreUnusable(ConnectorError):
    """The connector's own database cannot be used."""

    name = "store.unusable"
    exit_code = 51
    default_remedy = "Check SENTRY_CONNECTOR_HOME and SENTRY_CONNECTOR_DATABASE_URL, and that they can be written."


class StoreUnreachable(StoreUnusable):
    """The server of the connector's own database does not answer, or the connection to it was lost."""

    name = "store.unreachable"
    retryable = True
    default_remedy = (
        "See that the server runs, and that SENTRY_CONNECTOR_DATABASE_URL names it; then what was begun goes on."
    )


class StoreNewer(StoreUnusable):
    """A newer version of this program has made the connector's own database, or changed it."""

    name = "store.newer"
    default_remedy = "Install the newer version, or name another database or home."


class StorageDiffers(StoreUnusable):
    """The tables of the DataSets are not where this machine looks for them: it would begin other ones."""

    name = "storage.differs"
    default_remedy = "Set SENTRY_CONNECTOR_STORAGE to what all other machines of this database have."


class VaultUnusable(StoreUnusable):
    """The key that opens the stored tokens is missing or wrong."""

    name = "vault.unusable"
    default_remedy = "Give the key that the tokens were stored with, or replace the account's token."


class AuditBroken(StoreUnusable):
    """The audit log is not as it was written: an entry was changed, or is missing."""

    name = "audit.broken"
    default_remedy = "Compare with an export of before, and find out who can write to the database."


class RunCrashed(ConnectorError):
    """One process after another died while it was at work on the run, and none got any further; the table is as it was."""

    name = "run.crashed"
    default_remedy = (
        "Look into the system's log for what ended the processes, as a rule too little memory; then run again."
    )


class OutOfResources(ConnectorError):
    """The system gives this process no more memory, or lets it open no more files."""

    name = "system.exhausted"
    retryable = True
    default_remedy = "Run fewer things at once, or raise the process's limits (`ulimit -n` for open files)."


def of_the_system(error: BaseException) -> ConnectorError | None:
    """An error of the system, or of a library that gave up, in our words; None where it is another.

    Libraries that are written in Rust give up by a panic, which is no `Exception` and whose class cannot be imported.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NO_MORE):
        return OutOfResources(f"The system gives this process no more: {str(error) or 'out of memory'}.")
    if type(error).__module__ == "pyo3_runtime":
        return DestinationRefused(f"The library that keeps the tables gave up: {' '.join(str(error).split())}")
    return None


_NO_MORE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class QueriesBusy(ConnectorError):
    """As many statements are run as may be at one time, and none of them has ended while this one waited."""

    name = "query.busy"
    exit_code = 50
    retryable = True
    default_remedy = "Try again in a moment."


class Cancelled(ConnectorError):
    """Somebody asked for the run, or the statement, to stop; tables are as they were."""

    name = "run.cancelled"
    exit_code = 60
    default_remedy = "Run it again when wanted."


def disk_error(error: OSError, place: str) -> DestinationError:
    """What the operating system says about writing at a place, as our error: no space is left, or it may not be written.

    A connection is what only a store of objects needs.
    """
    if isinstance(error, ConnectionError):
        return DestinationUnavailable(
            f"{place} does not answer: {error}", remedy="See what the store has: `sentry-connector doctor --storage`."
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"No space is left at {place}.")
    return DestinationRefused(f"{place} cannot be written: {error.strerror or error}.")


def nearest(given: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """The names of `known` closest to `given`, compared without case, best first."""
    by_fold = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(given.casefold(), by_fold, n=count, cutoff=0.5)
    return [by_fold[match] for match in matches]


def _listing(known: list[str], most: int = 20) -> str:
    """A sentence that lists what there is."""
    if not known:
        return "There is none yet."
    shown = ", ".join(known[:most])
    return f"There are: {shown}{' …' if len(known) > most else ''}."
