"""What requests bring and answers hold, for the OpenAPI document, where no record of the program's own says it already."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from sentry_connector.datasets.definition import Definition
from sentry_connector.datasets.methods import Offer
from sentry_connector.formats.model import Profile
from sentry_connector.operations.overview import Group, Show, Sort
from sentry_connector.operations.people import KEY_DAYS, LONGEST_KEY_DAYS
from sentry_connector.operations.query import MOST_SHOWN
from sentry_connector.reports.details import Details, Duration
from sentry_connector.runs.health import Status
from sentry_connector.store.audit import Entry
from sentry_connector.store.records import Kind, Latest
from sentry_connector.store.rights import Level, Right, Role, User

LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON keeps."""

Format = Literal["jsonl", "csv", "parquet", "arrow", "xlsx"]
"""One of `FORMATS`."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
VersionNumber = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]


# ---- requests


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be run: `dataset` is a DataSet's name, slug or id."""

    dataset: Name


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account: without a name it is `Sentry Account`, without a URL it is of the server's SENTRY_URL."""

    token: Secret
    name: Name | None = None
    url: Name | None = None


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of an account."""

    name: Name


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another token of an account, and another URL where one is given."""

    token: Secret
    url: Name | None = None


class NewDataSet(Definition, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A DataSet, with the fields that it is answered with; without an account it uses the server's SENTRY_AUTH_TOKEN."""

    details: Details = Details()
    account: Name | None = None


def _changes(name: str, record: type[msgspec.Struct], about: str, **instead: Any) -> type[msgspec.Struct]:
    """A record whose fields are those of another one, each of which may be left out."""
    fields = {one.name: one.type for one in msgspec.structs.fields(record)} | instead
    return msgspec.defstruct(
        name,
        [(field, kind | msgspec.UnsetType, msgspec.UNSET) for field, kind in fields.items()],
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        namespace={"__doc__": about},
    )


DetailsChanges = _changes(
    "DetailsChanges", Details, "The details that change; the others stay. A list is replaced whole."
)
DataSetChanges = _changes(
    "DataSetChanges",
    Definition,
    "What becomes of a DataSet; what is left out stays. Without an account (null) it uses the server's SENTRY_AUTH_TOKEN.",
    details=DetailsChanges,
    account=Name | None,
)


class Days(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first and the last day, both included: YYYY-MM-DD, `today`, `yesterday` or `today-N`."""

    start: Name
    end: Name


class Back(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version that a table is to be as it was at."""

    to_version: VersionNumber


Ticket = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern="^[A-Za-z0-9_-]+$")]
"""By what a statement can be stopped, while it is run: one's own, made anew for each."""


class Purge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a deleted DataSet goes for good; with `leave_table` its table stays where it is, and need not be reached."""

    leave_table: bool = False


class Update(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run whose rows are to be taken out of the table."""

    run: Name


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SELECT over the DataSets' slugs."""

    sql: Text
    format: Format = "jsonl"
    profile: Profile = Profile.DATA
    ticket: Ticket | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SELECT over the DataSets' slugs, of whose rows the first are wanted."""

    sql: Text
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_SHOWN)] = MOST_SHOWN
    ticket: Ticket | None = None


class QueryToSave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement, for oneself or shared with all who may use the server."""

    sql: Text
    shared: bool = False


class NewExport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a DataSet's rows (of a version, or the newest), or of the rows of one SELECT, which its ticket stops."""

    dataset: Name | None = None
    version: VersionNumber | None = None
    sql: Text | None = None
    format: Format = "jsonl"
    profile: Profile = Profile.DATA
    ticket: Ticket | None = None


class Pull(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One report, read now; without an account with the server's SENTRY_AUTH_TOKEN. A limit stops it after so many rows.

    With `explain` no row is read, and the answer is the plan: what would be read, how, and how long it should take.
    """

    report: Name
    details: Details = Details()
    account: Name | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LARGEST)] | None = None
    explain: bool = False
    format: Format = "jsonl"
    profile: Profile = Profile.DATA


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a DataSet would read; without an account with the server's SENTRY_AUTH_TOKEN."""

    report: Name
    details: Details = Details()
    account: Name | None = None


class NewChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel: its address, the kinds of notices that it takes, and the DataSets whose; empty = all."""

    name: Name
    address: Secret
    kinds: tuple[Kind, ...] = ()
    datasets: tuple[Name, ...] = ()


class ChannelChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a channel; what is left out stays. A webhook at another address keeps its secret."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    address: Secret | msgspec.UnsetType = msgspec.UNSET
    kinds: tuple[Kind, ...] | msgspec.UnsetType = msgspec.UNSET
    datasets: tuple[Name, ...] | msgspec.UnsetType = msgspec.UNSET


Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


Code = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name and a password; with the code of the second factor, or a recovery code, of whoever has one."""

    name: Name
    password: Password
    code: Code | None = None


class FirstAdmin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first admin, with the code that the server has printed on its console."""

    code: Password
    name: Name
    password: Password


class OwnPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own password, the old one and the new one; with the code of the second factor of whoever has one."""

    old: Password
    new: Password
    code: Code | None = None


class ShownAgain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own password, and the code of the second factor that one has: whoever has the session alone may not go on."""

    password: Password
    code: Code | None = None


class FactorCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that the authenticator shows."""

    code: Code


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another password."""

    password: Password


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person, with a password; or with the issuer and the subject by which an identity provider's tokens name them."""

    name: Name
    role: Role
    password: Password | None = None
    issuer: Name | None = None
    subject: Name | None = None


class UserChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a person; what is left out stays."""

    role: Role | None = None
    active: bool | None = None


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key for one's own programs: its scopes, and the days that it is good for."""

    name: Name
    scopes: Annotated[tuple[Right, ...], msgspec.Meta(min_length=1, max_length=10)]
    days: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_KEY_DAYS)] = KEY_DAYS


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level of a DataSet or an account."""

    level: Level


class NewOrigin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server that may be asked, by its URL."""

    url: Name


class NewDestination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A PostgreSQL database: its address is without a password."""

    name: Name
    url: Name
    password: Secret | None = None


class OtherPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another password of a database; null = it needs none any more."""

    password: Secret | None


class NewConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A configuration: its files by name, as YAML, and the secrets that they refer to with `env`."""

    files: dict[str, Text]
    secrets: dict[str, Secret] = {}
    prune: bool = False


REQUESTS: tuple[type[msgspec.Struct], ...] = (
    NewRun,
    NewAccount,
    AccountChanges,
    NewToken,
    NewDataSet,
    DataSetChanges,
    Days,
    Back,
    Purge,
    Update,
    Query,
    Look,
    QueryToSave,
    NewExport,
    Pull,
    Draft,
    NewChannel,
    ChannelChanges,
    Login,
    FirstAdmin,
    OwnPassword,
    ShownAgain,
    FactorCode,
    NewPassword,
    NewUser,
    UserChanges,
    NewKey,
    Given,
    NewOrigin,
    NewDestination,
    OtherPassword,
    NewConfiguration,
)


# ---- answers


class ProblemDocument(msgspec.Struct, kw_only=True):
    """An error, as RFC 9457 has it, with the name and the code of the command line; some have further fields."""

    type: str
    title: str
    status: int
    name: str
    code: int
    message: str
    remedy: str


class ApiKey(msgspec.Struct, kw_only=True):
    """An API key; the key itself is no part of it."""

    id: str
    name: str
    owner: str
    hint: str
    scopes: list[Right]
    created_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None


class NewlyMadeApiKey(ApiKey, kw_only=True):
    """A new API key, with the key itself, which is answered this once."""

    key: str | None = None


class Share(msgspec.Struct, kw_only=True):
    """What a person was given."""

    person: str
    level: Level
    granted_at: dt.datetime


class AuditEntry(Entry, frozen=True, kw_only=True):
    """What was done, or refused; `digest` is of all else, and `previous` that of the entry before."""


class Me(msgspec.Struct, kw_only=True):
    """Whoever asks: a person, or this machine's user where nobody has to sign in."""

    user: User | None
    scopes: list[Right]
    via: str


class OwnSession(msgspec.Struct, kw_only=True):
    """Where somebody is signed in; `current` is the session that asks."""

    id: str
    address: str | None
    created_at: dt.datetime
    used_at: dt.datetime
    current: bool


class Factor(msgspec.Struct, kw_only=True):
    """One's own second factor: since when it is asked for, the recovery codes that are left, and whether everybody needs one."""

    since: dt.datetime | None
    recovery_codes_left: int
    required: bool


class OfferedFactor(msgspec.Struct, kw_only=True):
    """A second factor that is asked for once a code of it was shown; answered this once."""

    seed: str
    uri: str


class RecoveryCodes(msgspec.Struct, kw_only=True):
    """Codes that each stand for the second factor once; answered this once."""

    recovery_codes: list[str]


class ReportColumn(msgspec.Struct, kw_only=True):
    """A column of a report."""

    name: str
    type: str
    about: str
    source: str
    key: bool


class ReportChart(msgspec.Struct, kw_only=True):
    """A chart that fits a report."""

    title: str
    kind: Literal["timeline", "ranking"]


class Report(msgspec.Struct, kw_only=True):
    """A report of the catalogue: its menus, each required or optional, its columns, and how it is checked."""

    slug: str
    name: str
    aliases: list[str]
    about: str
    menus: dict[str, str]
    durations: list[str]
    stats: list[str]
    scope: str
    key: list[str]
    time_column: str | None
    check: str
    check_about: str
    columns: list[ReportColumn]
    charts: list[ReportChart]
    notes: list[str]
    docs: str | None


class TableColumn(msgspec.Struct, kw_only=True):
    """A column of a table; `source` is where its values stand in Sentry's answer, `key` whether it tells rows apart."""

    name: str
    type: str
    about: str
    source: str
    key: bool


class ShownColumn(msgspec.Struct, kw_only=True):
    """A column of rows."""

    name: str
    type: str


class RowPage(msgspec.Struct, kw_only=True):
    """Some rows, from the one numbered `offset` on, of `total`; JSON columns are JSON."""

    total: int
    offset: int
    columns: list[ShownColumn]
    rows: list[dict[str, Any]]


class ColumnStats(msgspec.Struct, kw_only=True):
    """What is to be said of a column; lengths are in characters."""

    name: str
    rows: int
    nulls: int
    distinct: int
    distinct_is_estimate: bool
    min: Any
    max: Any
    mean: float | None
    min_length: int | None
    max_length: int | None
    mean_length: float | None


class CommonValue(msgspec.Struct, kw_only=True):
    """A value, and how many rows have it, or the sum of what a chart adds up; null = the rows without one."""

    value: Any
    rows: int
    label: str | None


class ChartData(msgspec.Struct, kw_only=True):
    """What a chart draws; `width` is that of a timeline's bars, `rest` what a ranking leaves out."""

    title: str
    kind: Literal["timeline", "ranking"]
    width: str | None
    bars: list[CommonValue]
    rest: int


class RunFigures(msgspec.Struct, kw_only=True):
    """How well runs have gone: shares from 0 to 1, and seconds."""

    runs: int
    complete: int
    success_rate: float | None
    mean_seconds: float | None
    last_success: dt.datetime | None


class Drifted(msgspec.Struct, kw_only=True):
    """A path in Sentry's answer that no column takes, and how many rows have something there."""

    path: str
    rows: int


class Snippet(msgspec.Struct, kw_only=True):
    """Lines that read a DataSet."""

    reader: str
    language: str
    code: str


class Lineage(msgspec.Struct, kw_only=True):
    """What a DataSet is made from, where it lies, and how programs read it."""

    account: str | None
    url: str | None
    organizations: list[str]
    projects: list[str]
    teams: list[str]
    issue: str | None
    report: str
    endpoints: list[str]
    dataset: str
    destination: str
    kind: str
    address: str | None
    table: str | None
    readers: list[Snippet]


class Deleted(msgspec.Struct, kw_only=True):
    """What became of a table from which an update was taken out."""

    version: int
    rows_deleted: int


class LeftBehind(msgspec.Struct, kw_only=True):
    """A table that stays where it is: a folder, or one of a database, where `statements` are for being rid of it."""

    address: str
    table: str | None
    statements: list[str]


class PurgedDataSet(msgspec.Struct, kw_only=True):
    """A DataSet that is no more; `left` is what stays behind of it, null = nothing."""

    id: str
    name: str
    left: LeftBehind | None


class Version(msgspec.Struct, kw_only=True):
    """A state that a table can be reverted to."""

    version: int
    at: dt.datetime
    operation: str
    run: str | None
    rows: int | None
    bytes: int | None
    current: bool


class Stats(msgspec.Struct, kw_only=True):
    """How large a table is."""

    rows: int
    files: int | None
    bytes: int | None
    versions: int


class OfferedDestination(msgspec.Struct, kw_only=True):
    """Where a DataSet's table can lie: the name that DataSets give, and what it is."""

    name: str
    kind: str


class Destination(msgspec.Struct, kw_only=True):
    """A database that tables lie in."""

    id: str
    name: str
    kind: str
    url: str
    password_since: dt.datetime | None
    used_by: list[str]
    created_at: dt.datetime
    updated_at: dt.datetime


class StoredConfiguration(msgspec.Struct, kw_only=True):
    """What is stored, as YAML and as an object, and what could not be said in it."""

    text: str
    sections: dict[str, Any]
    notes: list[str]


class FieldChange(msgspec.Struct, kw_only=True):
    """A field of an entry, with its values before and after."""

    field: str
    before: Any
    after: Any


class StepError(msgspec.Struct, kw_only=True):
    """Why a step failed: as errors are told everywhere."""

    name: str
    code: int
    message: str
    remedy: str
    problems: list[str] | msgspec.UnsetType = msgspec.UNSET


class ConfigurationStep(msgspec.Struct, kw_only=True):
    """An entry that is created, changed or deleted; `state` and `error` are there once it was to be taken.

    `secret` is what a new webhook's notices are signed with, shown this once.
    """

    action: str
    section: str
    name: str
    changes: list[FieldChange]
    notes: list[str]
    state: str | msgspec.UnsetType = msgspec.UNSET
    error: StepError | msgspec.UnsetType | None = msgspec.UNSET
    secret: str | msgspec.UnsetType = msgspec.UNSET


class ConfigurationPlan(msgspec.Struct, kw_only=True):
    """How many entries are created, changed, deleted and stay; and each step, with what became of it once it was taken."""

    create: int
    change: int
    delete: int
    unchanged: int
    steps: list[ConfigurationStep]
    notes: list[str]


class AuditProof(msgspec.Struct, kw_only=True):
    """How many entries there are, and the digest of the last, which proves all of them."""

    entries: int
    digest: str


class Rotated(msgspec.Struct, kw_only=True):
    """What a change of the vault's key did: how many secrets were sealed anew, and where the key is."""

    secrets: int
    place: str


class Reverted(msgspec.Struct, kw_only=True):
    """What became of a table that was reverted."""

    version: int
    reverted_to: int
    rows: int


class Slot(msgspec.Struct, kw_only=True):
    """A time of a schedule: in UTC, in its zone, and what a change of clocks does to it."""

    at: dt.datetime
    local: str
    note: str | None


class Schedule(msgspec.Struct, kw_only=True):
    """What a schedule means: in its one spelling, in words, and in its next slots."""

    rule: str
    words: str
    timezone: str
    slots: list[Slot]


class Passed(msgspec.Struct, kw_only=True):
    """Slots, one after another, that have no run of their own."""

    first: dt.datetime
    last: dt.datetime
    count: int
    reason: str
    run_id: str | None
    merged: bool


class Coming(Schedule, kw_only=True):
    """When a DataSet runs next by itself; where it rests, why."""

    paused: bool
    rests: str | None
    served: bool
    passed: list[Passed]


class Setting(msgspec.Struct, kw_only=True):
    """A setting; a secret is `***`."""

    variable: str
    value: str | None
    default: str
    secret: bool
    about: str


class Worker(msgspec.Struct, kw_only=True):
    """A process that does runs: a server, or a worker."""

    name: str
    process: str
    since: dt.datetime
    heartbeat: dt.datetime
    datasets: list[str]


class Check(msgspec.Struct, kw_only=True):
    """One thing that the doctor looked at."""

    name: str
    ok: bool
    error: str | None
    message: str
    remedy: str
    seconds: float


class Readiness(msgspec.Struct, kw_only=True):
    """Whether the server does what it is there for: `ready` or `not ready`, and then what is wrong, a sentence each.

    `ticked_at` is when it last looked at the schedules.
    """

    status: str
    wrong: list[str]
    ticked_at: dt.datetime | None


class Diagnosis(msgspec.Struct, kw_only=True):
    """What the doctor found."""

    ok: bool
    checks: list[Check]


class MeantDays(msgspec.Struct, kw_only=True):
    """What dates mean now: as `details` hold them, in words, and as the span and days that a first run would read."""

    duration: Duration | None
    days: str | None
    start: dt.datetime | None
    end: dt.datetime | None
    first_day: dt.date | None
    last_day: dt.date | None


class Preview(msgspec.Struct, kw_only=True):
    """The first rows that a run would bring, and their columns."""

    columns: list[TableColumn]
    rows: list[dict[str, Any]]
    windows: list[str]


class PlannedWay(msgspec.Struct, kw_only=True):
    """One of equal ways to the same rows: an endpoint, perhaps once for each item of another, and what it costs."""

    path: str
    for_each_of: str | None
    requests: int
    requests_by_budget: dict[str, int]
    bound: str | None
    seconds: float
    taken: bool


class PlannedSlice(msgspec.Struct, kw_only=True):
    """A part of what would be read: of which scope, in which span, how many rows are expected, and the ways to them.

    `counted` is how many items Sentry counts there; with `at_least` there may be more pages than are reckoned with.
    """

    scope: str
    start: dt.datetime | None
    end: dt.datetime | None
    rows: int | None
    counted: int | None
    at_least: bool
    url: str
    ways: list[PlannedWay]


class BudgetOfPlan(msgspec.Struct, kw_only=True):
    """The budget of requests that takes longest, and what it allows: so many requests in so many seconds, so many at once."""

    budget: str
    requests: int | None
    seconds: float | None
    at_once: int | None


class NotRead(msgspec.Struct, kw_only=True):
    """A scope that could not be read, and why."""

    scope: str
    reason: str


class Plan(msgspec.Struct, kw_only=True):
    """What a pull would read, how, and how long it should take."""

    report: str
    windows: list[str]
    limit: int | None
    slices: list[PlannedSlice]
    rows: int | None
    requests: int
    requests_by_budget: dict[str, int]
    at_least: bool
    bound: BudgetOfPlan | None
    seconds: float
    incomplete: list[NotRead]
    requests_for_plan: int


class ResultColumn(msgspec.Struct, kw_only=True):
    """A column of a result or a table, and its type."""

    name: str
    type: str


class FirstRows(msgspec.Struct, kw_only=True):
    """The first rows of a result, each with a value for every column; and whether there are more."""

    columns: list[ResultColumn]
    rows: list[list[Any]]
    more: bool
    seconds: float


class NamedTable(msgspec.Struct, kw_only=True):
    """A table, and its columns."""

    name: str
    columns: list[ResultColumn]


class Names(msgspec.Struct, kw_only=True):
    """What a statement may name."""

    tables: list[NamedTable]
    functions: list[str]
    keywords: list[str]


class SavedQuery(msgspec.Struct, kw_only=True):
    """A statement with a name; `may_change`: whether whoever asks may."""

    id: str
    name: str
    sql: str
    shared: bool
    owner: str | None
    may_change: bool
    created_at: dt.datetime
    updated_at: dt.datetime


class Glance(msgspec.Struct, kw_only=True):
    """A DataSet at a glance."""

    id: str
    name: str
    slug: str
    description: str
    tags: list[str]
    report: str
    account: str | None
    owners: list[str]
    schedule: str
    paused: bool
    status: Status
    health: str
    rows: int | None
    columns: int | None
    last_run: Latest | None
    fresh_at: dt.datetime | None
    next_slot: dt.datetime | None
    rows_of_runs: list[int]


class Grouped(msgspec.Struct, kw_only=True):
    """DataSets that have something in common, and how many of them failed or need attention."""

    value: str
    datasets: int
    wanting: int
    rows: int


class Overview(msgspec.Struct, kw_only=True):
    """A page of DataSets; `shown` says how many each quick choice would show."""

    found: int
    everything: int
    page: int
    pages: int
    shown: dict[str, int]
    datasets: list[Glance]
    groups: list[Grouped]


ANSWERS: tuple[type[msgspec.Struct], ...] = (
    ApiKey,
    NewlyMadeApiKey,
    Share,
    AuditEntry,
    Me,
    OwnSession,
    Factor,
    OfferedFactor,
    RecoveryCodes,
    ProblemDocument,
    Report,
    TableColumn,
    RowPage,
    ColumnStats,
    CommonValue,
    ChartData,
    RunFigures,
    Drifted,
    Lineage,
    Deleted,
    PurgedDataSet,
    Version,
    Stats,
    OfferedDestination,
    Destination,
    StoredConfiguration,
    ConfigurationPlan,
    Rotated,
    AuditProof,
    Readiness,
    Reverted,
    Schedule,
    Coming,
    Setting,
    Worker,
    Diagnosis,
    MeantDays,
    Offer,
    Preview,
    Plan,
    FirstRows,
    Names,
    SavedQuery,
    Overview,
)

WORDS: tuple[type[StrEnum], ...] = (Show, Sort, Group)
"""Words that are asked with, and stand in no answer."""
