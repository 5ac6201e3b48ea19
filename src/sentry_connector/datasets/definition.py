"""What a person says to make a DataSet, and the rules that it must keep."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import msgspec

from sentry_connector.datasets.schedule import parse
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.details import Details, SinceLastRun
from sentry_connector.reports.model import Report
from sentry_connector.store.records import DELTA, MANUAL, CatchUp, Retry

LONGEST_NAME = 255
LONGEST_DESCRIPTION = 4000
LONGEST_TAG = 64
KEEP_DAYS = range(1, 36_501)
RETRY_MINUTES = range(5, 61)
RETRY_TIMES = range(1, 11)


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A DataSet as a person describes it; `check` makes it complete or refuses it.

    Attributes:
        name: unique, compared without case.
        report: slug of the report.
        details: the values of its menus.
        update_method: how a run's rows change the table.
        key: columns that tell rows apart; empty = the report's own.
        keep_days: for Partition: days older than this are dropped; None keeps all.
        description, tags: for people.
        schedule: when it runs by itself, in the words of `schedule.parse`.
        retry: how a failed run of the schedule is tried again; None = it is not.
        catch_up: what becomes of slots that were missed.
        keep_when_empty: a Replace run with no rows leaves the table as it is.
        accept_loss: a Replace run may drop rows outside its dates.
        destination: where the table lies: `delta`, or the name of a database.
    """

    name: str
    report: str
    details: Details
    update_method: UpdateMethod = UpdateMethod.REPLACE
    key: tuple[str, ...] = ()
    keep_days: int | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    schedule: str = MANUAL
    retry: Retry | None = Retry()
    catch_up: CatchUp = CatchUp.ONE
    keep_when_empty: bool = False
    accept_loss: bool = False
    destination: str = DELTA


def check(definition: Definition) -> Definition:
    """The definition with its defaults filled in and its texts trimmed.

    Raises:
        UsageError: a text is too long, or options do not go together; the message says which and what to do.
        DetailsError, DatesError, UnknownName, ScheduleError: as `menus.check`, `catalogue.find` and `schedule.parse`.
    """
    report = catalogue.find(definition.report)
    checked = msgspec.structs.replace(
        definition,
        name=plain_text("name", definition.name, LONGEST_NAME),
        description=definition.description.strip(),
        tags=_tags(definition.tags),
        report=report.slug,
        details=menus.check(report, definition.details, storing=True),
        schedule=parse(definition.schedule).rule,
    )
    if len(checked.description) > LONGEST_DESCRIPTION:
        raise UsageError(f"The description is longer than {LONGEST_DESCRIPTION} characters.", field="description")
    if "\0" in checked.description:
        raise UsageError("The description holds a NUL character.", remedy="Leave it out.", field="description")
    for rule in RULES:
        rule(checked, report)
    return checked


def key_of(definition: Definition, report: Report) -> tuple[str, ...]:
    """The columns that tell the DataSet's rows apart."""
    return definition.key or report.key


def plain_text(what: str, value: str, longest: int) -> str:
    """The text without blanks around it.

    Raises:
        UsageError: nothing is left, it is too long, or it holds control characters.
    """
    value = value.strip()
    if not value:
        raise UsageError(f"The {what} is empty.", remedy=f"Give a {what} of 1 to {longest} characters.", field=what)
    if len(value) > longest:
        raise UsageError(f"The {what} has {len(value)} characters; {longest} is the most.", field=what)
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise UsageError(
            f"The {what} holds control characters.", remedy="Leave out line breaks and escapes.", field=what
        )
    return value


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Each tag once, whatever its case; the first spelling stays."""
    trimmed = [plain_text("tag", tag, LONGEST_TAG) for tag in tags]
    return tuple({tag.casefold(): tag for tag in reversed(trimmed)}.values())[::-1]


def _dates_suit_the_method(definition: Definition, _report: Report) -> None:
    incremental = isinstance(definition.details.duration, SinceLastRun)
    if incremental and definition.update_method is UpdateMethod.REPLACE:
        raise UsageError(
            "Replace with Since Last Successful Run would throw away all older rows at each run.",
            remedy="Use --update-method upsert (recommended), append or partition.",
            field="update_method",
        )


def _days_can_be_replaced(definition: Definition, report: Report) -> None:
    if definition.update_method is UpdateMethod.PARTITION and not report.immutable_time:
        raise UsageError(
            f"{report.name} cannot be partitioned by day: its rows have no time that never changes.",
            remedy="Use --update-method upsert.",
            field="update_method",
        )


def _keep_days_suits_the_method(definition: Definition, _report: Report) -> None:
    if definition.keep_days is None:
        return
    if definition.update_method is not UpdateMethod.PARTITION:
        raise UsageError("--keep-days needs --update-method partition.", field="keep_days")
    if definition.keep_days not in KEEP_DAYS:
        raise UsageError(f"--keep-days is a whole number from {KEEP_DAYS[0]} to {KEEP_DAYS[-1]:,}.", field="keep_days")


def _key_is_of_columns(definition: Definition, report: Report) -> None:
    names = [column.name for column in report.columns]
    for name in definition.key:
        if name not in names:
            raise UnknownName("column of " + report.name, name, names)
    if definition.key and definition.update_method in {UpdateMethod.REPLACE, UpdateMethod.PARTITION}:
        raise UsageError(
            f"--key has no meaning with {definition.update_method}.",
            remedy="Use it with upsert or append.",
            field="key",
        )


def _consents_suit_the_method(definition: Definition, _report: Report) -> None:
    if definition.update_method is UpdateMethod.REPLACE:
        return
    if definition.keep_when_empty:
        raise UsageError("--keep-when-empty has a meaning with --update-method replace only.", field="keep_when_empty")
    if definition.accept_loss:
        raise UsageError("--accept-loss has a meaning with --update-method replace only.", field="accept_loss")


def _retry_is_offered(definition: Definition, _report: Report) -> None:
    retry = definition.retry
    if retry is None:
        return
    if retry.every % 60 or retry.every // 60 not in RETRY_MINUTES:
        raise UsageError(
            f"--retry-every is from {RETRY_MINUTES[0]} to {RETRY_MINUTES[-1]} minutes.",
            remedy="For instance 15m.",
            field="retry",
        )
    if retry.times not in RETRY_TIMES:
        raise UsageError(f"--retry-times is a whole number from {RETRY_TIMES[0]} to {RETRY_TIMES[-1]}.", field="retry")


RULES: tuple[Callable[[Definition, Report], None], ...] = (
    _dates_suit_the_method,
    _days_can_be_replaced,
    _keep_days_suits_the_method,
    _key_is_of_columns,
    _consents_suit_the_method,
    _retry_is_offered,
)
"""Which options go together (the table of update methods and dates)."""
