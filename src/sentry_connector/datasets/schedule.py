"""When a DataSet runs: a rule in words becomes the instants that it means. Pure: the clock is an argument.

```text
manual                          never by itself
every 5m                        equal steps, counted from 1970-01-01T00:00Z: no change of clocks moves them
every 15m 8-17                  within hours of the day; the end is exclusive, and 22-6 goes over midnight
hourly, hourly 8-17             at each full hour
daily 06:30,18:00               also `weekdays 06:30`, `weekly mon,thu 06:30`
monthly 1,15 06:30              also `monthly last 06:30`, `monthly 2nd,4th sun 06:30`, `monthly last fri 06:30`
jan,jul monthly 1 06:30         months stand in front; instead of times of day there may be `hourly 8-17` or `every 15m`
cron: */5 * * * *               minute, hour, day of the month, month, day of the week
```

Times are of a zone. What happens at a fixed time that a change of clocks skips happens at the next minute that there is, and
what happens at one that comes twice happens at the first; what happens every few minutes or hours goes on through both.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import heapq
import itertools
import re
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import msgspec
from cron_descriptor import CasingTypeEnum, DescriptionTypeEnum, ExpressionDescriptor, Options
from cronsim import CronSim, CronSimError

from sentry_connector.errors import ScheduleError
from sentry_connector.store.records import MANUAL

_HOUR, _HOURS, _LONGEST_MONTH = 60, 24, 31
MOST_STEP = _HOURS * _HOUR
"""The longest step in minutes: what is rarer has a day."""

EXAMPLES = (
    "`manual`, `every 15m`, `hourly 8-17`, `daily 06:30`, `weekly mon,thu 06:30`, `monthly last 06:30`, `cron: …`"
)

Say = Callable[[str], str]
"""Says a phrase in the reader's language; `str` says it as it is, in English."""

_MINUTE = dt.timedelta(minutes=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ORDINALS = {"1st": "1", "2nd": "2", "3rd": "3", "4th": "4", "5th": "5", "last": "L"}
_INTERVALS = frozenset({"every", "hourly"})
_CRON_FIELDS = 5


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule means.

    Attributes:
        rule: the rule, in its one spelling.
        words: for people, without the zone.
        crons: it is time whenever one of these expressions matches.
        step: minutes between two times; 0 where the expressions say when.
    """

    rule: str
    words: str
    crons: tuple[str, ...] = ()
    step: int = 0

    @property
    def is_manual(self) -> bool:
        """Whether it never is time."""
        return not self.crons and not self.step


class Slot(msgspec.Struct, frozen=True):
    """An instant at which it is time.

    Attributes:
        at: UTC.
        note: what a change of clocks does to it; None as a rule.
    """

    at: dt.datetime
    note: str | None = None


class _When(msgspec.Struct, frozen=True):
    """The times of a day: their part of the rule, fields for minute and hour, in words."""

    rule: str
    fields: tuple[str, ...]
    words: str


class _Days(msgspec.Struct, frozen=True):
    """The days: their part of the rule, in words, fields for the day of the month and of the week."""

    rule: str
    words: str
    of_month: str = "*"
    of_week: str = "*"


# ---- from the rule


@functools.lru_cache(maxsize=4096)  # each look at the schedules asks for every rule again
def parse(rule: str, say: Say = str) -> Schedule:
    """The schedule that a rule means.

    Args:
        rule: in the words of `--schedule`.
        say: in whose language its words are.

    Raises:
        ScheduleError: it is none; the message says which part, the remedy how rules look.
    """
    text = " ".join(rule.split())
    if text.casefold().startswith("cron:"):
        return _of_cron(text[len("cron:") :].strip(), say)
    words = re.sub(r" ?, ?", ",", text).casefold().split()
    if words == [MANUAL]:
        return Schedule(rule=MANUAL, words=say("never by itself"))
    months, rest = _months(words)
    if not rest:
        raise ScheduleError("The schedule is empty.", remedy=f"Schedules look like {EXAMPLES}.")
    step = _step_of(rest) if not months else None
    if step is not None:
        every = _every(step, say)
        even = say("{every}, counted from midnight UTC") if MOST_STEP % step == 0 else say("{every}, day and night")
        return Schedule(rule=f"every {_short(step)}", words=even.format(every=every), step=step)
    days, when = _days_and_times(rest, say)
    crons = tuple(f"{time} {days.of_month} {_field(months) or '*'} {days.of_week}" for time in when.fields)
    if not all(map(_ever_comes, crons)):
        raise ScheduleError(f"No day is ever that of `{' '.join(words)}`.", remedy="Choose days that the months have.")
    parts = [",".join(MONTHS[one - 1][:3].casefold() for one in months), days.rule, when.rule]
    meant = say("{days} in {months}, {when}") if months else say("{days}, {when}")
    named = _listed([say(MONTHS[one - 1]) for one in months], say)
    said = meant.format(days=days.words, months=named, when=when.words)
    return Schedule(rule=" ".join(filter(None, parts)), words=said, crons=crons)


def _days_and_times(words: Sequence[str], say: Say) -> tuple[_Days, _When]:
    kind, rest = words[0], list(words[1:])
    if kind in _INTERVALS:
        return _Days("", say("every day")), _when(words, say)
    if kind == "daily":
        return _Days(kind, say("every day")), _when(rest, say, after=kind)
    if kind == "weekdays":
        return _Days(kind, say("Monday to Friday"), of_week="1-5"), _when(rest, say, after=kind)
    if kind == "weekly":
        return _weekly(rest, say), _when(rest, say, after=kind)
    if kind == "monthly":
        return _monthly(rest, say), _when(rest, say, after=kind)
    raise ScheduleError(f"A schedule does not begin with {kind!r}.", remedy=f"Schedules look like {EXAMPLES}.")


def _months(words: list[str]) -> tuple[list[int], list[str]]:
    """The months in front, as numbers, and what follows them."""
    found = [_named(one, MONTHS) for one in words[0].split(",")] if words else []
    months = sorted({number + 1 for number in found if number is not None})
    return (months, words[1:]) if found and None not in found else ([], words)


def _weekly(rest: list[str], say: Say) -> _Days:
    """Takes the days off the front of the words."""
    days = _first(rest, "`weekly` lacks days of the week, such as `weekly mon,thu 06:30`.")
    numbers = sorted({_day_of_the_week(one) for one in days.split(",")})
    words = say("every {names}").format(names=_listed([say(DAYS[one]) for one in numbers], say))
    return _Days(f"weekly {_short_days(numbers)}", words, of_week=_field([one + 1 for one in numbers]))


def _monthly(rest: list[str], say: Say) -> _Days:
    """Takes the days off the front of the words."""
    given = _first(rest, "`monthly` lacks days of the month, such as `monthly 1,15 06:30` or `monthly 2nd sun 06:30`.")
    days = set(given.split(","))
    if rest and _named(rest[0].split(",")[0], DAYS) is not None:
        return _nth_weekdays(given, days, rest.pop(0), say)
    numbers, last = sorted({_day_of_the_month(one) for one in days if one != "last"}), sorted(days & {"last"})
    shown = _listed([*(_ordinal(one, say) for one in numbers), *map(say, last)], say)
    rule = f"monthly {','.join([*map(str, numbers), *last])}"
    words = say("the {days} day of the month").format(days=shown)
    return _Days(rule, words, of_month=_field([*numbers, *(_ORDINALS[one] for one in last)]))


def _nth_weekdays(given: str, days: set[str], of_week: str, say: Say) -> _Days:
    """`2nd,4th sun`."""
    if not days <= _ORDINALS.keys():
        raise ScheduleError(
            f"`{given}` does not say which {of_week} of the month is meant.",
            remedy="Before a day of the week stand 1st, 2nd, 3rd, 4th, 5th or last: `monthly 2nd,last sun 06:30`.",
        )
    weekdays = sorted({_day_of_the_week(one) for one in of_week.split(",")})
    ordinals = [one for one in _ORDINALS if one in days]
    chosen = [f"{weekday + 1}{_nth(one)}" for weekday in weekdays for one in ordinals]
    rule = f"monthly {','.join(ordinals)} {_short_days(weekdays)}"
    words = say("the {nth} {names} of the month").format(
        nth=_listed([_nth_in_words(one, say) for one in ordinals], say),
        names=_listed([say(DAYS[one]) for one in weekdays], say),
    )
    return _Days(rule, words, of_week=_field(chosen))


def _nth(ordinal: str) -> str:
    number = _ORDINALS[ordinal]
    return number if number == "L" else f"#{number}"


def _nth_in_words(ordinal: str, say: Say) -> str:
    return say("last") if ordinal == "last" else _ordinal(int(_ORDINALS[ordinal]), say)


def _short_days(numbers: Sequence[int]) -> str:
    return ",".join(DAYS[one][:3].casefold() for one in numbers)


def _field(values: Sequence[object]) -> str:
    return ",".join(map(str, values))


def _when(words: Sequence[str], say: Say, *, after: str = "") -> _When:
    """The times of a day."""
    if not words:
        raise ScheduleError(f"`{after}` lacks a time of day.", remedy="End it with one, or several: 06:30,18:00.")
    if words[0] == "hourly":
        window, hours, within = _hours(words[1:], say)
        return _When(f"hourly{window}", (f"0 {hours}",), say("at each full hour") + within)
    if words[0] == "every":
        return _repeated(words, say)
    times = sorted({_time_of_day(one) for one in words[0].split(",")})
    if len(words) > 1:
        _superfluous(words[1:])
    shown = [f"{hour:02}:{minute:02}" for hour, minute in times]
    at = say("at {times}").format(times=_listed(shown, say))
    return _When(",".join(shown), tuple(f"{minute} {hour}" for hour, minute in times), at)


def _repeated(words: Sequence[str], say: Say) -> _When:
    """`every 15m 8-17`: within an hour, or from hour to hour, so that each day has the same times."""
    step = _minutes(words)
    window, hours, within = _hours(words[2:], say)
    rule, text = f"every {_short(step)}{window}", _every(step, say) + within
    if step < _HOUR and _HOUR % step == 0:
        return _When(rule, (f"*/{step} {hours}",), text)
    chosen = _hours_of(hours)
    if step % _HOUR == 0 and (_HOURS % (step // _HOUR) == 0 or len(chosen) < _HOURS):
        return _When(rule, (f"0 {_field(chosen[:: step // _HOUR])}",), text)
    raise ScheduleError(
        f"`every {words[1]}` does not divide the hour or the day into equal parts.",
        remedy="On certain days or hours choose a step such as 5m, 15m, 20m, 30m, 1h, 2h or 6h; alone, `every` takes any.",
    )


def _step_of(words: Sequence[str]) -> int | None:
    """Minutes between two times, for `every` alone."""
    kind, *rest = words
    return _minutes(words) if kind == "every" and len(rest) <= 1 else None


def _minutes(words: Sequence[str]) -> int:
    match = re.fullmatch(r"([0-9]{1,5})(m|h)", words[1]) if len(words) > 1 else None
    minutes = int(match[1]) * (_HOUR if match[2] == "h" else 1) if match else 0
    if not 1 <= minutes <= MOST_STEP:
        raise ScheduleError(
            f"`{' '.join(words[:2])}` names no step.",
            remedy="Write `every 1m` up to `every 24h`; what is rarer has a day.",
        )
    return minutes


def _hours(words: Sequence[str], say: Say) -> tuple[str, str, str]:
    """A window of hours such as 8-17: its part of the rule, a field, in words. Its end is exclusive."""
    if not words:
        return "", "*", ""
    match = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", words[0])
    if len(words) > 1 or not match:
        _superfluous(words)
    first, end = int(match[1]), int(match[2])
    if first >= _HOURS or end > _HOURS:
        raise ScheduleError(
            f"{words[0]!r} is no window of hours.", remedy="Hours go from 0 to 24, the end exclusive: 8-17, 0-24, 22-6."
        )
    hours = [(first + number) % _HOURS for number in range((end - first) % _HOURS or _HOURS)]
    if len(hours) == _HOURS:
        within = say(", all day from {first}") if first else say(", all day")
    else:
        within = say(" from {first} to before {end}")
    return f" {first}-{end}", _field(hours), within.format(first=f"{first:02}:00", end=f"{end:02}:00")


def _hours_of(field: str) -> list[int]:
    return list(range(_HOURS)) if field == "*" else [int(one) for one in field.split(",")]


def _time_of_day(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", text)
    if not match or int(match[1]) >= _HOURS:
        raise ScheduleError(f"{text!r} is no time of day.", remedy="Times are written from 00:00 to 23:59.")
    return int(match[1]), int(match[2])


def _day_of_the_month(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= _LONGEST_MONTH:
        raise ScheduleError(
            f"{text!r} is no day of the month.",
            remedy="Days are 1 to 31 or `last`, or `1st` to `5th` or `last` with a day of the week: `monthly 2nd sun 06:30`.",
        )
    return int(text)


def _day_of_the_week(text: str) -> int:
    number = _named(text, DAYS)
    if number is None:
        raise ScheduleError(f"{text!r} is no day of the week.", remedy="Days are mon, tue, wed, thu, fri, sat and sun.")
    return number


def _named(text: str, names: Sequence[str]) -> int | None:
    """Which of the names is meant, by three letters of it or all."""
    spellings = ((name[:3].casefold(), name.casefold()) for name in names)
    return next((number for number, both in enumerate(spellings) if text in both), None)


def _first(rest: list[str], lacking: str) -> str:
    if not rest or ":" in rest[0] or rest[0] in _INTERVALS:  # the times of the day are there already
        raise ScheduleError(lacking)
    return rest.pop(0)


def _superfluous(words: Sequence[str]) -> NoReturn:
    raise ScheduleError(
        f"A schedule has no place for {' '.join(words)!r}.",
        remedy="Hours are a window such as 8-17, the end exclusive; times of day are joined by commas: 06:30,18:00.",
    )


def _of_cron(expression: str, say: Say) -> Schedule:
    fields = expression.upper().split()
    if len(fields) != _CRON_FIELDS:
        raise ScheduleError(
            f"A cron expression has five fields, and {expression!r} has {len(fields)}.",
            remedy="Write minute, hour, day of the month, month, day of the week: `cron: 30 6 * * MON-FRI`.",
        )
    cron = " ".join(fields)
    try:
        CronSim(cron, _EPOCH)
    except CronSimError as error:
        raise ScheduleError(
            f"{expression!r} is no cron expression: {error}.", remedy="For instance `cron: 30 6 * * MON-FRI`."
        ) from None
    if not _ever_comes(cron):
        raise ScheduleError(f"The time of {expression!r} never comes.")
    return Schedule(rule=f"cron: {cron}", words=_cron_in_words(cron, say), crons=(cron,))


def _cron_in_words(cron: str, say: Say) -> str:
    """As the library says it, but for how days of the month and of the week go together.

    Either of them is enough, unless one begins with a star: then a day must be both (crontab(5)).
    """
    options = Options()
    options.casing_type, options.use_24hour_time_format = CasingTypeEnum.Sentence, True
    options.locale_code = say("en_US")  # the translation names the library's own one
    descriptor = ExpressionDescriptor(cron, options)
    words: str = descriptor.get_description()
    _, _, of_month, _, of_week = cron.split()
    if "*" not in {of_month, of_week}:
        said: str = descriptor.get_description(DescriptionTypeEnum.DAYOFWEEK)
        both = of_month.startswith("*") or of_week.startswith("*")
        joint, bare = say("and") if both else say("or"), said.removeprefix(", ").removeprefix(f"{say('or')} ")
        words = words.replace(said, f", {joint} {bare}")
    for name in (*MONTHS, *DAYS):  # the library has them from the system's own language
        words = re.sub(rf"\b{name}\b", say(name), words)
    return words


def _ever_comes(cron: str) -> bool:
    """Whether there is such a day: there is no 30 February."""
    try:
        return next(CronSim(cron, _EPOCH), None) is not None
    except CronSimError:
        return False


# ---- to the instants


def slots(schedule: Schedule, zone: zoneinfo.ZoneInfo, after: dt.datetime) -> Iterator[Slot]:
    """The instants after another at which it is time, in order, up to the end of the calendar; none for a manual schedule."""
    with contextlib.suppress(OverflowError):
        for at in _instants(schedule, zone, after):
            yield Slot(at, _note(schedule, zone, at))


@functools.lru_cache(maxsize=4096)  # each look at a thousand DataSets asks for the same ones again
def first_after(schedule: Schedule, zone: zoneinfo.ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    """The first instant after another at which it is time; None for a manual schedule, and at the end of the calendar."""
    return next((slot.at for slot in slots(schedule, zone, after)), None)


def between(schedule: Schedule, zone: zoneinfo.ZoneInfo, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """The instants after one and up to another at which it is time: all that are to be accounted for."""
    return list(itertools.takewhile(lambda at: at <= until, _instants(schedule, zone, after)))


def _instants(schedule: Schedule, zone: zoneinfo.ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    return _steps(schedule.step, after) if schedule.step else _matches(schedule.crons, zone, after)


def _steps(minutes: int, after: dt.datetime) -> Iterator[dt.datetime]:
    step = dt.timedelta(minutes=minutes)
    at = after.astimezone(dt.UTC)
    at -= (at - _EPOCH) % step
    while True:
        at += step
        yield at


def _matches(crons: Sequence[str], zone: zoneinfo.ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """The instants of all expressions, each once."""
    local = after.astimezone(zone)
    last = None
    for at in heapq.merge(*(_in_utc(CronSim(cron, local)) for cron in crons)):
        if at != last:
            yield at
        last = at


def _in_utc(matches: Iterator[dt.datetime]) -> Iterator[dt.datetime]:
    for match in matches:
        yield match.astimezone(dt.UTC)


def _note(schedule: Schedule, zone: zoneinfo.ZoneInfo, at: dt.datetime) -> str | None:
    """What a change of clocks does to the slot."""
    local = at.astimezone(zone)
    naive = local.replace(tzinfo=None, fold=0)
    if local.fold:
        return f"{naive:%H:%M} comes twice; this is the second"
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        return f"{naive:%H:%M} comes twice; this is the first"
    if schedule.step or any(_is_match(cron, naive) for cron in schedule.crons):
        return None
    skipped = (at - _MINUTE).astimezone(zone).replace(tzinfo=None, fold=0)
    wanted = min(next(CronSim(cron, skipped)) for cron in schedule.crons)
    return f"the clocks skip {wanted:%H:%M}; this is the next minute that there is"


def _is_match(cron: str, naive: dt.datetime) -> bool:
    return next(CronSim(cron, naive - _MINUTE)) == naive


# ---- in words


def _short(minutes: int) -> str:
    return f"{minutes // _HOUR}h" if minutes % _HOUR == 0 else f"{minutes}m"


def _every(minutes: int, say: Say) -> str:
    if minutes % _HOUR:
        return say("every minute") if minutes == 1 else say("every {n} minutes").format(n=minutes)
    return say("every hour") if minutes == _HOUR else say("every {n} hours").format(n=minutes // _HOUR)


def _listed(items: Sequence[str], say: Say) -> str:
    *others, last = items or [""]
    return say("{others} and {last}").format(others=", ".join(others), last=last) if others else last


def _ordinal(number: int, say: Say) -> str:
    endings = {1: say("{n}st"), 2: say("{n}nd"), 3: say("{n}rd")}
    ending = say("{n}th") if number in {11, 12, 13} else endings.get(number % 10, say("{n}th"))
    return ending.format(n=number)
