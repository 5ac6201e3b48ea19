"""What holds for the whole program, and that the pages about security tell the truth: each promise has its test or its reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asvs import LEVELS

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "src" / "sentry_connector"
TESTS = {
    name
    for file in (PROJECT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
}
TEST = re.compile(r"`(test_\w+)`")
FILE = re.compile(r"`([a-z_/]+\.py)`")
WITHOUT = ("Does not apply: ", "Not met: ", "Reason: ")
"""How it begins where a requirement has no test."""

MAKES_CODE = {"eval", "exec", "compile", "__import__"}
READS_CODE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


# ---- the program


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_makes_code_of_data(module: Path) -> None:
    """No `eval`, no `pickle`, no YAML but by the safe loader, no shell."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            unsafe = name in MAKES_CODE or name in {"yaml.load", "yaml.full_load", "yaml.unsafe_load", "os.system"}
            if unsafe or any(one.arg == "shell" for one in node.keywords):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(one.name for one in node.names)]
            found += [one for one in names if one.partition(".")[0] in READS_CODE]
    assert found == []


def test_the_demo_is_no_part_of_a_server() -> None:
    """Neither the simulated Sentry nor the demo is loaded by what answers requests."""
    program = (
        "import sys, sentry_connector.web.service, sentry_connector.cli.serve, sentry_connector.cli.worker;"
        "print([name for name in sys.modules if 'simulator' in name or 'demo' in name.rpartition('.')[2]])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


# ---- docs/security.md


def rows(page: str, heading: str = "") -> Iterator[list[str]]:
    """The cells of the tables of a page, or of one section, without their heads."""
    text = (PROJECT / "docs" / page).read_text()
    section = text[text.index(heading) :]
    section = section[: section.find("\n## ", 1)] if heading and "\n## " in section[1:] else section
    lines = section.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| ") and not lines[min(number + 1, len(lines) - 1)].startswith("|--"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_promise_of_the_page_about_security_has_a_test_that_exists() -> None:
    promises = list(rows("security.md", "## What is guarded against"))
    assert len(promises) >= 30
    for attack, done, test in promises:
        assert done, attack
        assert set(TEST.findall(test)), attack
        assert set(TEST.findall(test)) <= TESTS, attack
        assert all((PACKAGE / one).exists() for one in FILE.findall(done)), attack


# ---- docs/asvs.md


def requirements() -> Iterator[tuple[str, int, str, str, str]]:
    """Each number of the page, with its level, what is asked, how, and the test or the reason."""
    for numbers, level, asked, how, proof in rows("asvs.md"):
        for number in numbers.split(", "):
            yield number, int(level), asked, how, proof


def test_every_requirement_of_levels_1_and_2_is_accounted_for_once() -> None:
    official = {number: level for level, numbers in LEVELS.items() for number in numbers.split()}
    assert [len(LEVELS[level].split()) for level in (1, 2, 3)] == [70, 183, 92]
    told = [(number, level) for number, level, *_ in requirements()]
    assert len(told) == len(dict(told)), "one row each"
    asked_for = {number: level for number, level in official.items() if level <= 2}
    assert {number: level for number, level in told if level <= 2} == asked_for
    assert all(official[number] == level for number, level in told), "of level 3 what was chosen"


def test_every_requirement_has_a_test_that_exists_or_a_reason() -> None:
    wrong = []
    for number, _, asked, how, proof in requirements():
        named = set(TEST.findall(proof))
        has_reason = proof.startswith(WITHOUT)
        files = all((PACKAGE / one).exists() for one in FILE.findall(f"{how} {proof}"))
        is_good = (named or has_reason or "`make check`" in proof) and named <= TESTS and files
        if not (is_good and asked and (how or has_reason)):
            wrong.append((number, sorted(named - TESTS)))
    assert wrong == []
