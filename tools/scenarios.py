"""The acceptance scenarios with the tests that show them, as a page.

A test in tests/browser/ bears the numbers of its scenarios in its name (`test_36a_36c_…`); one elsewhere is marked
`@pytest.mark.scenario("36a")`. They are found by reading the files, so that none has to be loaded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
IN_BROWSER = TESTS / "browser"
_NUMBERS = re.compile(r"test_((?:\d+[a-d]?_)+)")

PARTS: Mapping[str, Mapping[str, str]] = {
    "Accounts": {
        "1": "An empty token is refused beside its field; no account is made",
        "2": "A wrong token is told to be invalid; nothing is stored",
        "3": "A right token is connected: *Sentry Account*, valid, used by nothing yet",
        "4": "The next DataSet can choose the account; no token is asked for",
        "5": "No page, answer, export, log or error holds the token",
        "6": "A second account without a name gets another one; the first keeps its token",
        "7": "A new name shows wherever the account does; its DataSets go on",
        "8": "A bad token is not taken as a replacement; the old one works",
        "9": "An account tells how many DataSets use it, and leads to each",
        "10": "Deleting one names its DataSets first; they keep their data and run no more",
        "11": "Given another account, such a DataSet runs again",
        "12": "A token that was revoked fails the run by that name, makes the account invalid and is told once",
        "13": "Who may use an account cannot change it; the last owner stays owner",
        "14": "A token that lacks a scope is told which, and is not called invalid",
    },
    "Details": {
        "15": "The sixteen reports are there, in their order, with descriptions",
        "16": "Each report shows exactly its menus",
        "17": "Another report leaves nothing behind of the menus of the one before",
        "18": "All organizations are there, however many pages; a search narrows them",
        "19": "Teams wait for an organization, and go with it",
        "20": "Of several teams the rows of each are there, under its name",
        "21": "Projects of one name in two organizations can be told apart",
        "22": "Projects are those of the chosen organization",
        "23": "A menu that is missing is named, and nothing is saved",
        "24": "An unknown issue is told as such; blanks around an id do not count",
        "25": "Each report offers its own stats; another one is refused",
        "26": "A menu that cannot be filled says so, with Retry; nothing else is lost",
        "27": "The preview shows up to a hundred rows with types and changes nothing",
        "28": "Each choice of dates shows the fields that it needs, and no others",
        "29": "Ranges: specific and relative, in all four ways",
        "30": "10 to 5 days back are six days, as Sentry is asked",
        "31": "Dates that run backwards, and what is no number, are refused",
        "32": "0 is today so far, 1 is yesterday; the days are shown",
        "33": "A specific range that runs backwards is refused; no 30 February",
        "34": "A relative day moves on with the clock",
        "35": "An attempt after midnight keeps the days of its slot",
        "36": "What Sentry answers outside the dates is not stored",
        "36a": "Since Last Successful Run: first everything, then from the last end less the overlap",
        "36b": "What came late, within the overlap, comes, and nothing is doubled",
        "36c": "A run that failed, or a preview, leaves the watermark; one without rows moves it",
        "36d": "Another project begins anew; a revert brings its watermark back",
    },
    "Rows": {
        "37": "Each of the sixteen reports brings its rows, over several pages",
        "38": "Counts: a row for each point, zeros too, times that fit",
        "39": "Entries: a row for each",
        "40": "Issues of every status",
        "41": "What is nested has columns; ids, long texts and emoji are whole",
        "42": "No rows are a success, with the columns",
        "43": "A page that never comes fails the run; the rows are as before",
        "44": "A limit is waited for, and is no failure",
    },
    "Schedules": {
        "45": "Manual: nothing by itself; Run now works",
        "46": "Every 15 minutes, from a minute on; the next ones are shown",
        "47": "Hourly, within hours",
        "48": "Weekdays; the 31st of short months",
        "49": "The second and fourth Sunday",
        "50": "Half past two on a night without it: once",
        "51": "One schedule is stored, basic, advanced or cron",
        "52": "A slot that comes while a run is not done has no run of its own, and that is told",
        "53": "A run whose server died is gone on with and ends with its own verdict; schedules stay",
        "54": "Paused: nothing runs; resumed: the next one lies ahead",
    },
    "Retries": {
        "55": "Three retries: four attempts, then one notice",
        "56": "One that gets through is a success, with its attempts, and nothing is told",
        "57": "Without retries: one attempt, a notice at once",
        "58": "What somebody asked for is not tried again",
        "59": "Cancelled while it waits for its next attempt, it makes none",
    },
    "Update methods": {
        "60": "Replace twice: the rows of the second; the version before is there",
        "61": "Append twice: all rows twice",
        "62": "Upsert: changed rows are changed, new ones added, the others stay",
        "63": "A key that tells rows not apart fails the run and is named; the rows are as before",
        "64": "Partition: a day is replaced, the others stay",
        "65": "A value that fits no column is kept beside them, in `_extra`",
        "66": "Another method on a filled table doubles nothing, or is refused",
        "67": "Replace with no rows empties the table, unless it is to keep them",
    },
    "DataSets": {
        "68": "A name is needed, may hold any text, and is shown as text",
        "69": "Save leads to the DataSet; Save and New begins anew",
        "70": "Name, description and tags are shown and found",
        "71": "Settings apply from the next run",
        "72": "A viewer sees the data and is offered nothing that would be refused",
        "73": "A run in the history has its times, its rows, its trigger and what became of it",
        "74": "A revert brings the rows back; deleting an update takes its rows alone",
        "75": "Run now twice is one run; a cancelled one leaves the rows",
        "76": "Files hold every row, and no formula",
        "77": "The table is sorted, filtered and paged",
        "78": "The list is searched and filtered; broken ones come first",
        "79": "Many are run or deleted at once, and restored",
        "80": "A new owner gets the settings, and the use of the account",
    },
}  # fmt: skip
SENTENCES: Mapping[str, str] = {number: text for part in PARTS.values() for number, text in part.items()}


@dataclass(frozen=True, slots=True)
class Shown:
    """A test, and the scenarios that it shows."""

    path: str
    name: str
    numbers: tuple[str, ...]

    @property
    def in_browser(self) -> bool:
        """Whether it looks at a page."""
        return self.path.startswith("browser/")


def found() -> Iterator[Shown]:
    """Every test that shows a scenario, in the order of files and lines."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                numbers = (*_named(node, path), *_marked(node))
                if numbers:
                    yield Shown(path.relative_to(TESTS).as_posix(), node.name, numbers)


def _named(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> Sequence[str]:
    match = _NUMBERS.match(node.name) if path.is_relative_to(IN_BROWSER) else None
    return [number.lstrip("0") for number in match[1].split("_")[:-1]] if match else []


def _marked(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for one in node.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.scenario":
            yield from (ast.literal_eval(number) for number in one.args)


def page() -> str:
    """The table of all scenarios."""
    tests = list(found())
    parts = "\n".join(
        f"## {title}\n\n| | scenario | tests |\n|---|---|---|\n"
        + "\n".join(f"| {number} | {text} | {_links(number, tests)} |" for number, text in sentences.items())
        + "\n"
        for title, sentences in PARTS.items()
    )
    return (
        "# Scenarios\n\n"
        "What somebody who uses the connector can hold it to, each with the tests that show it: in a real browser, and\n"
        "elsewhere where a page cannot show it or shows less than it is. `make test` runs them all.\n\n" + parts
    )


def _links(number: str, tests: Sequence[Shown]) -> str:
    return "<br>".join(f"[`{one.name}`](../tests/{one.path})" for one in tests if number in one.numbers)
