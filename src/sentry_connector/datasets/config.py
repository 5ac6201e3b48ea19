"""What a configuration file holds: accounts, destinations, DataSets and channels of notices, in the words of the command line.

The structs here are the one description: the files are read by them, the exported file is written from them, and the published
JSON Schema is theirs. Pure: files are read, and secrets looked up, by `operations.config`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from sentry_connector.datasets import times
from sentry_connector.datasets.definition import Definition
from sentry_connector.datasets.schedule import EXAMPLES
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UsageError
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import AllAvailable, DateRange, Day, Details, Duration, SinceLastRun, SingleDate
from sentry_connector.reports.windows import MAX_DAYS_BACK
from sentry_connector.store.records import DELTA, MANUAL, CatchUp, Kind, Retry

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret is found, either of the two: it never stands in the file itself."""

    env: Annotated[str | None, Meta(description="Name of an environment variable that holds it.")] = None
    file: Annotated[str | None, Meta(description="Path of a file that holds it, from this file's folder.")] = None

    def __str__(self) -> str:
        return f"{{env: {self.env}}}" if self.env is not None else f"{{file: {self.file}}}"


_EITHER = {"minProperties": 1, "maxProperties": 1}


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stored Sentry token."""

    name: Annotated[str, Meta(description="Unique, compared without case.")]
    renamed_from: Annotated[str | None, Meta(description="Its name until now, where it gets another one.")] = None
    url: Annotated[str, Meta(description="Sentry's address.")] = "https://sentry.io"
    token: Annotated[
        Reference | None,
        Meta(description="Where the API token is; not needed where the account is there.", extra_json_schema=_EITHER),
    ] = None


class DestinationEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A database that tables lie in."""

    name: Annotated[str, Meta(description="Unique, compared without case.")]
    url: Annotated[str, Meta(description="Where it is, without a password: postgresql://…, sqlite:///…, duckdb:///….")]
    password: Annotated[
        Reference | None, Meta(description="Where its password is, if it has one.", extra_json_schema=_EITHER)
    ] = None


class DataSetEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that stays up to date."""

    name: Annotated[str, Meta(description="Unique, compared without case.")]
    renamed_from: Annotated[str | None, Meta(description="Its name until now, where it gets another one.")] = None
    report: Annotated[str, Meta(description="Name, alias or slug of a report.")]
    account: Annotated[
        str | None, Meta(description="The account to ask with; without one, SENTRY_AUTH_TOKEN of whoever runs it.")
    ] = None
    description: Annotated[str, Meta(description="For people.")] = ""
    tag: Annotated[tuple[str, ...], Meta(description="For people.")] = ()
    organization: Annotated[tuple[str, ...], Meta(description="Organizations: slugs, or '*' = all.")] = ()
    project: Annotated[
        tuple[str, ...],
        Meta(description="Projects: slugs, ids or ORG/PROJECT, or '*' = all."),
    ] = ()
    team: Annotated[tuple[str, ...], Meta(description="Teams: slugs, or '*' = all.")] = ()
    issue: Annotated[str | None, Meta(description="An issue: id, short id or address.")] = None
    stat: Annotated[str | None, Meta(description="What is counted; by default the report's first.")] = None
    resolution: Annotated[str | None, Meta(description="The width of a bucket of counts: 10s, 1h (default), 1d.")] = (
        None
    )
    date: Annotated[str | None, Meta(description="One day: YYYY-MM-DD, today, yesterday or today-N.")] = None
    days_back: Annotated[int | None, Meta(description="The one day N days ago.")] = None
    start: Annotated[str | None, Meta(description="The first day of a range.")] = None
    start_days_back: Annotated[int | None, Meta(description="The first day of a range, as days ago.")] = None
    end: Annotated[str | None, Meta(description="The last day of a range, included.")] = None
    end_days_back: Annotated[int | None, Meta(description="The last day, as days ago.")] = None
    last_days: Annotated[int | None, Meta(description="Today and the N-1 days before.")] = None
    all_available: Annotated[bool, Meta(description="Everything that Sentry still has.")] = False
    since_last_run: Annotated[bool, Meta(description="From where the last run ended.")] = False
    overlap: Annotated[str | None, Meta(description="How much since_last_run reads again; by default 2h.")] = None
    timezone: Annotated[str, Meta(description="The zone that days are counted in.")] = "UTC"
    with_bodies: Annotated[bool, Meta(description="Read events with their full bodies.")] = False
    update_method: Annotated[UpdateMethod, Meta(description="How a run's rows change the table.")] = (
        UpdateMethod.REPLACE
    )
    key: Annotated[
        tuple[str, ...],
        Meta(description="The key columns; by default the report's."),
    ] = ()
    keep_days: Annotated[int | None, Meta(description="Partition: drop days older than this.")] = None
    keep_when_empty: Annotated[bool, Meta(description="Replace: a run with no rows changes nothing.")] = False
    accept_loss: Annotated[bool, Meta(description="Replace: a run may drop rows outside its days.")] = False
    destination: Annotated[str, Meta(description="Where the table lies: delta, or a name of `destinations list`.")] = (
        DELTA
    )
    schedule: Annotated[str, Meta(description=f"When it runs by itself, such as {EXAMPLES}.")] = MANUAL
    retry_every: Annotated[str, Meta(description="A failed run of the schedule is tried again after 5m to 60m.")] = (
        times.in_words(Retry().every)
    )
    retry_times: Annotated[int, Meta(description="So often at most, 1 to 10.")] = Retry().times
    no_retry: Annotated[bool, Meta(description="A failed run is not tried again.")] = False
    catch_up: Annotated[CatchUp, Meta(description="Of slots that were missed: the last one runs, all, none.")] = (
        CatchUp.ONE
    )
    paused: Annotated[bool | None, Meta(description="Whether its schedule is at rest; stays where it is not said.")] = (
        None
    )
    muted: Annotated[bool | None, Meta(description="Whether its notices are not sent; stays where it is not said.")] = (
        None
    )


class ChannelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where notices are sent."""

    name: Annotated[str, Meta(description="Unique, compared without case.")]
    renamed_from: Annotated[str | None, Meta(description="Its name until now, where it gets another one.")] = None
    address: Annotated[
        Reference | None,
        Meta(description="Where its address is; not needed where the channel is there.", extra_json_schema=_EITHER),
    ] = None
    secret: Annotated[
        Reference | None,
        Meta(description="Where a webhook's signing secret is; by default one is made.", extra_json_schema=_EITHER),
    ] = None
    kind: Annotated[
        tuple[Kind, ...],
        Meta(description="Only these kinds of notices."),
    ] = ()
    dataset: Annotated[tuple[str, ...], Meta(description="Only these DataSets' notices.")] = ()


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts, destinations, DataSets and channels of notices of Sentry Connector, as `plan` and `apply` take them."""

    accounts: Annotated[tuple[AccountEntry, ...], Meta(description="Stored Sentry tokens.")] = ()
    destinations: Annotated[tuple[DestinationEntry, ...], Meta(description="Databases that tables lie in.")] = ()
    datasets: Annotated[tuple[DataSetEntry, ...], Meta(description="Tables that stay up to date.")] = ()
    notices: Annotated[tuple[ChannelEntry, ...], Meta(description="Who is told when something is wrong.")] = ()


AnyEntry = AccountEntry | DestinationEntry | DataSetEntry | ChannelEntry

DATES = (
    "date", "days_back", "start", "start_days_back", "end", "end_days_back", "last_days",
    "all_available", "since_last_run", "overlap",
)  # fmt: skip
"""The fields of a DataSet that say its dates together."""


NUMBERS_TOO = frozenset({"tag", "organization", "project", "team", "issue", "dataset"})
"""Texts that may look like numbers, such as ids."""


def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file."""
    described: dict[str, Any] = msgspec.json.schema(Configuration)
    kinds: dict[str, Any] = described["$defs"]
    top = kinds.pop(Configuration.__name__)
    for kind in kinds.values():
        for name, field in kind.get("properties", {}).items():
            kind["properties"][name] = _as_a_file_says_it(name, field)
    return {"$schema": SCHEMA_ID, **top, "title": "Sentry Connector configuration", "$defs": kinds}


def _as_a_file_says_it(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field: nothing is null there, one value may stand for a list, and a number for a text."""
    options = [option for option in field.pop("anyOf", ()) if option != {"type": "null"}]
    field |= options[0] if options else {}
    if field.get("default", ...) is None:
        del field["default"]
    text = {"type": ["string", "integer"]} if name in NUMBERS_TOO else {}
    if field.get("type") == "array":
        one = field.pop("items") | text
        del field["type"]
        return field | {"anyOf": [one, {"type": "array", "items": one}]}
    return field | text


def definition_of(entry: DataSetEntry) -> Definition:
    """The DataSet that an entry describes; `definition.check` says whether it fits.

    Raises:
        UsageError: a date or a time is none, or dates do not go together.
        UnknownName: there is no such report.
    """
    return Definition(
        name=entry.name,
        report=catalogue.find(entry.report).slug,
        details=Details(
            organizations=entry.organization,
            projects=entry.project,
            teams=entry.team,
            issue=entry.issue,
            stat=entry.stat,
            resolution=entry.resolution,
            duration=menus.duration_from_options(**{name: getattr(entry, name) for name in DATES}),
            timezone=entry.timezone,
            bodies=entry.with_bodies,
        ),
        update_method=entry.update_method,
        key=entry.key,
        keep_days=entry.keep_days,
        description=entry.description,
        tags=entry.tag,
        schedule=entry.schedule,
        retry=None if entry.no_retry else Retry(every=_retry_every(entry.retry_every), times=entry.retry_times),
        catch_up=entry.catch_up,
        keep_when_empty=entry.keep_when_empty,
        accept_loss=entry.accept_loss,
        destination=entry.destination,
    )


def entry_of(
    definition: Definition, account: str | None, *, paused: bool | None = None, muted: bool | None = None
) -> DataSetEntry:
    """The entry that describes a DataSet, with the name of its account."""
    details, retry = definition.details, definition.retry or Retry()
    return DataSetEntry(
        name=definition.name,
        report=definition.report,
        account=account,
        description=definition.description,
        tag=definition.tags,
        organization=details.organizations,
        project=details.projects,
        team=details.teams,
        issue=details.issue,
        stat=details.stat,
        resolution=details.resolution,
        **_dates_of(details.duration),
        timezone=details.timezone,
        with_bodies=details.bodies,
        update_method=definition.update_method,
        key=definition.key,
        keep_days=definition.keep_days,
        keep_when_empty=definition.keep_when_empty,
        accept_loss=definition.accept_loss,
        destination=definition.destination,
        schedule=definition.schedule,
        retry_every=times.in_words(retry.every),
        retry_times=retry.times,
        no_retry=definition.retry is None,
        catch_up=definition.catch_up,
        paused=paused,
        muted=muted,
    )


def _retry_every(text: str) -> int:
    return int(times.seconds("--retry-every", text, such_as="5m or 1h"))


def _dates_of(duration: Duration | None) -> dict[str, Any]:
    """The date fields that say it."""
    match duration:
        case None:
            return {}
        case SingleDate(day=day):
            return _day("date", "days_back", day)
        case DateRange(start=int(start), end=0) if start < MAX_DAYS_BACK:
            return {"last_days": start + 1}
        case DateRange(start=start, end=end):
            return _day("start", "start_days_back", start) | _day("end", "end_days_back", end)
        case AllAvailable():
            return {"all_available": True}
        case SinceLastRun(overlap=overlap):
            usual = overlap == SinceLastRun().overlap
            return {"since_last_run": True} | ({} if usual else {"overlap": times.in_words(overlap)})


def _day(as_date: str, as_days_back: str, day: Day) -> dict[str, Any]:
    return {as_date: day.isoformat()} if isinstance(day, dt.date) else {as_days_back: day}


def in_words_of_the_file(text: str) -> str:
    """A sentence about options of the command line, about the fields of a file instead: `--keep-days` is `keep_days` there."""

    def field(match: re.Match[str]) -> str:
        name = match[1].replace("-", "_")
        return name if name in DataSetEntry.__struct_fields__ else match[0]

    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", field, text)


def changes(before: AnyEntry, after: AnyEntry) -> list[tuple[str, Any, Any]]:
    """The fields that differ, each with both values, in their order; where it was renamed from is none of them."""
    names = [name for name in before.__struct_fields__ if name != "renamed_from"]
    both = [(name, getattr(before, name), getattr(after, name)) for name in names]
    return [one for one in both if one[1] != one[2]]


def given(entry: AnyEntry) -> dict[str, Any]:
    """The fields that differ from their defaults, as plain values, in their order."""
    values = {field.name: getattr(entry, field.name) for field in msgspec.structs.fields(entry)}
    defaults = {field.name: field.default for field in msgspec.structs.fields(entry)}
    return {name: _plain(value) for name, value in values.items() if value != defaults[name]}


def _plain(value: Any) -> Any:
    """The value as YAML and JSON know it; a list of one text is that text, as a person would write it."""
    if isinstance(value, Reference):
        return {name: text for name, text in msgspec.structs.asdict(value).items() if text is not None}
    return _shortest(msgspec.to_builtins(value))


def _shortest(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], str) else value


def sections(configuration: Configuration) -> dict[str, list[dict[str, Any]]]:
    """The configuration as plain values: its sections that are not empty, each entry with what differs from its defaults."""
    every = {name: getattr(configuration, name) for name in Configuration.__struct_fields__}
    return {name: [given(entry) for entry in entries] for name, entries in every.items() if entries}


def text_of(configuration: Configuration) -> str:
    """The file that holds it. The same configuration has the same text, byte for byte."""
    plain = sections(configuration)
    if not plain:
        return ""
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NO_FOLDING)
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04X}", text)


_NO_FOLDING = 1_000_000
_PLAIN = re.compile(
    r"https?://[A-Za-z0-9./_-]+(?::[0-9]+[A-Za-z0-9./_-]*)?"
    r"|[0-9]+[smhd]"
    r"|[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+,:*-]*[A-Za-z0-9_./@+,*-])*"
)
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
"""What YAML 1.1 or 1.2 takes for something else than a text."""

_LINES = re.compile(
    r"[\x20-\x7e\xa0-\u167f\u1681-\u1fff\u2010-\u2027\u2030-\u205e\u3001-\ud7ff\ue000-\ufefe\ufff0-\ufffc\n]*"
)
"""Texts that may stand line by line: without characters that are not seen, or end lines elsewhere than for all readers."""

_UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Characters that are not seen, or turn the direction of text: they are written as escapes, since only quoted texts have them."""


class _Dumper(yaml.SafeDumper):
    """Lists are indented, and a text is quoted wherever any reader of YAML might take it for something else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        style = None
    elif "\n" in text and _LINES.fullmatch(text):
        style = "|"
    else:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _written)


def one_line(value: Any) -> str:
    """A value as it would stand in the file, on one line; in words where there is none."""
    if value is None:
        return "not set"
    if isinstance(value, Reference):
        return str(value)
    plain = _shortest(msgspec.to_builtins(value))
    if isinstance(plain, list | tuple):
        return f"[{', '.join(map(one_line, plain))}]"
    if isinstance(plain, str) and _PLAIN.fullmatch(plain):
        return plain
    return msgspec.json.encode(plain).decode()


def refuse_contradictions(entry: DataSetEntry, fields: Iterable[str]) -> None:
    """Refuse what an entry says in two ways.

    Args:
        entry: of a DataSet.
        fields: those that stand in the file.

    Raises:
        UsageError: no attempt is wanted, and another field says how to make it.
    """
    if entry.no_retry and not {"retry_every", "retry_times"}.isdisjoint(fields):
        raise UsageError("no_retry and another field of the retry contradict each other.", remedy="Leave one out.")
