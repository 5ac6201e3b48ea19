"""`schedule show`: a rule in words, and its next slots."""

from __future__ import annotations

from tests.cli.shell import Shell

NIGHT = ("--timezone", "America/New_York", "--from", "2026-03-07", "--count", "2")


def test_a_schedule_is_said_in_words_and_times(shell: Shell) -> None:
    shown = shell.ok("schedule", "show", "daily  02:30", *NIGHT).stdout.splitlines()
    assert shown[0] == "daily 02:30: every day, at 02:30 (America/New_York)"
    assert shown[1].split() == ["local", "UTC", "note"]
    assert shown[3].split(maxsplit=5) == [
        *("Sun", "2026-03-08", "03:00", "-04:00", "2026-03-08"),
        "07:00Z  the clocks skip 02:30; this is the next minute that there is",
    ]


def test_a_schedule_for_programs(shell: Shell) -> None:
    assert shell.json("schedule", "show", "daily 02:30", *NIGHT) == {
        "rule": "daily 02:30",
        "words": "every day, at 02:30",
        "timezone": "America/New_York",
        "slots": [
            {"at": "2026-03-07T07:30:00Z", "local": "2026-03-07T02:30-05:00", "note": None},
            {
                "at": "2026-03-08T07:00:00Z",
                "local": "2026-03-08T03:00-04:00",
                "note": "the clocks skip 02:30; this is the next minute that there is",
            },
        ],
    }


def test_slots_begin_now_in_utc_and_are_five(shell: Shell) -> None:
    shown = shell.json("schedule", "show", "every 1h")
    assert (shown["timezone"], len(shown["slots"])) == ("UTC", 5)


def test_manual_has_no_slots(shell: Shell) -> None:
    assert shell.ok("schedule", "show", "manual").stdout == "manual: never by itself\n"
    assert shell.json("schedule", "show", "manual")["slots"] == []


def test_what_is_no_schedule_no_zone_or_no_time_is_refused(shell: Shell) -> None:
    for arguments, name in (
        (("yearly",), "usage.schedule"),
        (("hourly", "--timezone", "Europe/Berln"), "usage.dates"),
        (("hourly", "--from", "soon"), "usage.dates"),
    ):
        result = shell("schedule", "show", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert name in result.stderr
