"""Configuration files: what is written is read the same, every mistake has its place, and no secret is repeated."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import docs

from sentry_connector.datasets import config
from sentry_connector.datasets.config import (
    AccountEntry,
    ChannelEntry,
    Configuration,
    DataSetEntry,
    DestinationEntry,
    Reference,
    definition_of,
    entry_of,
    text_of,
)
from sentry_connector.datasets.config_reader import Read, read
from sentry_connector.datasets.definition import Definition, check
from sentry_connector.datasets.yaml_tree import parse
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import ConfigInvalid
from sentry_connector.reports.details import DateRange, Details, SinceLastRun
from sentry_connector.store.records import CatchUp, Kind, Retry
from tests.datasets.definitions import TRAPS, definitions

SECRET = "hunter2-the-secret-itself"
VALIDATOR = jsonschema.Draft202012Validator(config.schema())


def entries(text: str | bytes) -> Read:
    return read([parse(text.encode() if isinstance(text, str) else text, "a.yaml")])


def refused(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigInvalid) as error:
        entries(text)
    return list(error.value.problems)


# ---- round trips


def goes_round(definition: Definition) -> None:
    written = text_of(Configuration(datasets=(entry_of(definition, "acme"),)))
    [placed] = entries(written).datasets
    assert check(definition_of(placed.entry)) == definition
    assert text_of(Configuration(datasets=(placed.entry,))) == written
    as_others_read_it = yaml.safe_load(written)
    VALIDATOR.validate(as_others_read_it)
    assert as_others_read_it["datasets"][0]["name"] == definition.name
    assert as_others_read_it["datasets"][0].get("description", "") == definition.description


@settings(max_examples=60)
@given(definitions())
def test_what_is_written_is_read_the_same_by_us_and_by_others(definition: Definition) -> None:
    goes_round(definition)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=2000)
@given(definitions())
def test_what_is_written_is_read_the_same_two_thousand_times(definition: Definition) -> None:
    goes_round(definition)


@pytest.mark.parametrize(
    "text", [*TRAPS, "two\nlines", " two\n  lines\n", "a\n\n\nb", "tab\there\nand", "x\r\ny", "\x00"]
)
def test_every_text_stays_the_same_text(text: str) -> None:
    written = text_of(Configuration(datasets=(DataSetEntry(name="x", report="projects", description=text),)))
    assert entries(written).datasets[0].entry.description == text
    assert yaml.safe_load(written)["datasets"][0]["description"] == text


OTHERWISE: dict[str, Any] = {
    "name": "Other",
    "report": "project-events-entries",
    "update_method": UpdateMethod.UPSERT,
    "key": ("event_id",),
    "keep_days": 7,
    "description": "x",
    "tags": ("a", "b"),
    "schedule": "hourly",
    "retry": Retry(every=600, times=5),
    "catch_up": CatchUp.ALL,
    "keep_when_empty": True,
    "accept_loss": True,
    "details": Details(),
    "destination": "warehouse",
}
DETAILS_OTHERWISE: dict[str, Any] = {
    "organizations": ("acme",),
    "projects": ("a", "b"),
    "teams": ("t",),
    "issue": "1",
    "stat": "received",
    "resolution": "10s",
    "duration": DateRange(dt.date(2026, 1, 1), 3),
    "timezone": "Asia/Kolkata",
    "bodies": True,
}


@pytest.mark.parametrize("field", Definition.__struct_fields__)
def test_every_field_of_a_definition_has_its_word(field: str) -> None:
    definition = Definition(
        **{"name": "Shop", "report": "project-events", "details": Details(), field: OTHERWISE[field]}
    )
    assert definition_of(entry_of(definition, None)) == definition


@pytest.mark.parametrize("field", Details.__struct_fields__)
def test_every_field_of_the_details_has_its_word(field: str) -> None:
    details = msgspec.structs.replace(Details(), **{field: DETAILS_OTHERWISE[field]})
    definition = Definition(name="Shop", report="project-events", details=details)
    assert definition_of(entry_of(definition, None)) == definition


def test_no_retry_and_no_overlap_have_their_words() -> None:
    details = Details(duration=SinceLastRun(0))
    definition = Definition(name="Shop", report="project-events", details=details, retry=None)
    entry = entry_of(definition, None)
    assert (entry.no_retry, entry.overlap) == (True, "0h")
    assert definition_of(entry) == definition


def test_a_whole_configuration_reads_as_a_person_would_write_it() -> None:
    whole = Configuration(
        accounts=(AccountEntry(name="acme", token=Reference(env="ACME_TOKEN")),),
        datasets=(
            DataSetEntry(
                name="Shop events", report="project-events", account="acme", project=("acme/shop",), tag=("a", "b"),
                description="Two\nlines.", last_days=7, update_method=UpdateMethod.UPSERT, schedule="cron: */5 * * * *",
            ),
        ),
        notices=(ChannelEntry(name="ops", address=Reference(file="ops.txt"), kind=(Kind.NO_ROWS,), dataset=("123",)),),
    )  # fmt: skip
    assert text_of(whole) == (
        "accounts:\n"
        "  - name: acme\n"
        "    token:\n"
        "      env: ACME_TOKEN\n"
        "datasets:\n"
        "  - name: Shop events\n"
        "    report: project-events\n"
        "    account: acme\n"
        "    description: |-\n"
        "      Two\n"
        "      lines.\n"
        "    tag:\n"
        "      - a\n"
        "      - b\n"
        "    project: acme/shop\n"
        "    last_days: 7\n"
        "    update_method: upsert\n"
        '    schedule: "cron: */5 * * * *"\n'
        "notices:\n"
        "  - name: ops\n"
        "    address:\n"
        "      file: ops.txt\n"
        "    kind: no rows\n"
        '    dataset: "123"\n'
    )
    assert text_of(Configuration()) == ""


# ---- reading


@pytest.mark.parametrize("nothing", ["", "# a comment\n", "---\n", "~"])
def test_a_file_that_holds_nothing_is_an_empty_configuration(nothing: str) -> None:
    found = entries(nothing)
    assert (found.accounts, found.datasets, found.notices, found.sections) == ((), (), (), frozenset())


def test_a_scalar_is_what_its_field_is() -> None:
    [placed] = entries(
        "datasets: [{name: 0042, report: x, tag: no, issue: 0x1F, last_days: 7, all_available: True}]"
    ).datasets
    entry = placed.entry
    assert (entry.name, entry.tag, entry.issue, entry.last_days, entry.all_available) == (
        "0042",
        ("no",),
        "0x1F",
        7,
        True,
    )


def test_json_is_taken_too() -> None:
    text = '{"accounts": [{"name": "acme", "token": {"env": "T"}}], "datasets": [], "notices": []}'
    found = entries(text)
    assert found.accounts[0].entry == AccountEntry(name="acme", token=Reference(env="T"))
    assert found.sections == {"accounts", "datasets", "notices"}


MISTAKES = {
    "datasets: [{name: a, report: x, projct: y}]": "a.yaml:1:33: there is no field 'projct': did you mean `project`?",
    "dataset: []": "a.yaml:1:1: there is no field 'dataset': did you mean `datasets`?",
    "datasets:\n  - report: x\n": "a.yaml:2:5: the field `name` is missing.",
    "datasets:\n  - name: a\n    report: x\n    name: b\n": "a.yaml:4:5: the field stands here twice, first in line 2.",
    "datasets: {name: a}": "a.yaml:1:11: datasets is a list: each entry begins with `- `.",
    "datasets: [a]": "a.yaml:1:12: here stand fields, such as `name: …`.",
    "[]": "a.yaml:1:1: a configuration has the fields accounts, destinations, datasets, notices.",
    "datasets: [{name: a, report: x, keep_days: many}]": "a.yaml:1:44: `keep_days` is a whole number.",
    "datasets: [{name: a, report: x, keep_days: -1}]": "a.yaml:1:44: `keep_days` is a whole number.",
    "datasets: [{name: a, report: x, no_retry: yes}]": "a.yaml:1:43: `no_retry` is true or false.",
    "datasets: [{name: a, report: x, schedule: }]": "a.yaml:1:43: `schedule` has no value: give it one, or leave the line out.",
    "datasets: [{name: [a], report: x}]": "a.yaml:1:19: `name` has one value.",
    "datasets: [{name: a, report: x, update_method: upsrt}]": (
        "a.yaml:1:48: `update_method` cannot be 'upsrt': did you mean upsert?"
    ),
    "datasets: [{name: a, report: x}, {name: ' A', report: x}]": (
        "a.yaml:1:35: there is another ' A' among the datasets, at a.yaml:1:12."
    ),
    "datasets: [{name: a, report: x}, {name: b, report: x, renamed_from: A}]": (
        "a.yaml:1:55: 'A' stands among the datasets itself, so that it cannot be renamed."
    ),
    "accounts: [{name: b, renamed_from: a}, {name: c, renamed_from: A}]": "a.yaml:1:50: 'A' gets two new names.",
    "accounts: &a []": "a.yaml:1:11: anchors and aliases are not taken.",
    "accounts: *a": "a.yaml:1:11: anchors and aliases are not taken.",
    "accounts: !!python/object:os.system []": "a.yaml:1:11: tags are not taken.",
    "? [a]\n: b": "a.yaml:1:3: the name of a field is a word.",
    "accounts: []\n---\ndatasets: []": "a.yaml:2:1: a second document begins here.",
    "accounts: [": "a.yaml:2:1: this is no YAML: ",
    "accounts: [{name: a, token: x y z}]": (
        "a.yaml:1:29: `token` says where the secret is, and never the secret: {env: VARIABLE} or {file: PATH}."
    ),
    "notices: [{name: a, address: {env: A B}}]": "a.yaml:1:36: `address`: here stands the name of an environment variable.",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_with_its_place(text: str) -> None:
    [problem] = refused(text)
    assert problem.startswith(MISTAKES[text])


def test_all_mistakes_are_told_at_once() -> None:
    assert len(refused("datasets: [{name: a}, {report: x, keep_days: x}]\nothers: 1\naccounts: 5")) == 5


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"a: \xff", "no UTF-8 text: byte 3"),
        (b"a: \x07", "a.yaml:1: a character that YAML does not allow"),
        (b"[" * 30, "too much"),
        (b"accounts: [" + b"[]," * 100_000 + b"]", "too much"),
        (b" " * (4 * 2**20 + 1), "larger than 4 MiB"),
        (b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "anchors"),
    ],
    ids=["no text", "control", "deep", "many", "large", "bomb"],
)
def test_what_is_no_configuration_is_refused(data: bytes, what: str) -> None:
    [problem] = refused(data)
    assert what in problem


@pytest.mark.parametrize(
    "token",
    [
        SECRET,
        f"'{SECRET}'",
        f"{{{SECRET}: }}",
        f"{{value: {SECRET}}}",
        f"{{env: {SECRET}}}",
        f"{{env: A, file: {SECRET}}}",
        f"[{SECRET}]",
        f"{{{SECRET}: 1, b: 2}}",
        f"!{SECRET} x",
        f"&{SECRET} x",
        f"*{SECRET}",
        f"{{env: [{SECRET}]}}",
        f"|\n    {SECRET}",
        f"'{SECRET}",
        f'"\\{SECRET}"',
        f"{{env: {SECRET}",
    ],
)
@pytest.mark.parametrize("field", ["token", "address", "secret"])
def test_a_secret_that_stands_in_the_file_is_refused_and_not_repeated(field: str, token: str) -> None:
    section = "accounts" if field == "token" else "notices"
    with pytest.raises(ConfigInvalid) as error:
        entries(f"{section}:\n  - name: a\n    {field}: {token}\n")
    assert SECRET not in f"{error.value.as_dict()} {error.value!r}"


# ---- the published schema


def test_the_schema_is_a_schema_and_takes_the_page_s_files() -> None:
    VALIDATOR.check_schema(config.schema())
    page = (docs.DOCS / "config-as-code.md").read_text(encoding="utf-8")
    files = re.findall(r"^```yaml \S+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(files) == 3
    for text in files:
        VALIDATOR.validate(yaml.safe_load(text))
        entries(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"datasets": [{"name": "a"}]},
        {"datasets": [{"name": "a", "report": "x", "projct": "y"}]},
        {"datasets": [{"name": "a", "report": "x", "update_method": "upsrt"}]},
        {"datasets": [{"name": "a", "report": "x", "keep_days": "many"}]},
        {"accounts": [{"name": "a", "token": "sntryu_1"}]},
        {"accounts": [{"name": "a", "token": {}}]},
        {"accounts": [{"name": "a", "token": {"env": "A", "file": "b"}}]},
        {"dataset": []},
    ],
)
def test_the_schema_refuses_what_is_refused(wrong: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(wrong)
    refused(yaml.safe_dump(wrong))


def test_every_field_of_the_schema_says_what_it_means() -> None:
    kinds = (AccountEntry, DestinationEntry, DataSetEntry, ChannelEntry, Reference)
    described = config.schema()["$defs"]
    assert all(
        described[kind.__name__]["properties"][field]["description"]
        for kind in kinds
        for field in kind.__struct_fields__
    )


@given(st.text(max_size=40))
@settings(max_examples=50)
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(ConfigInvalid):
        entries(text.encode("utf-8", "surrogatepass"))
