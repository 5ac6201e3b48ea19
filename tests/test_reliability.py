"""The page about reliability names tests: each must exist, and each fault must have one."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()
NAME = re.compile(r"`(test_\w+)`")
DEFINITION = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)


def test_every_test_that_the_page_names_exists() -> None:
    there = {name for file in TESTS.rglob("test_*.py") for name in DEFINITION.findall(file.read_text())}
    named = set(NAME.findall(PAGE))
    assert named
    assert named - there == set()


def test_every_fault_of_the_page_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert rows
    assert [row for row in rows if not NAME.search(row)] == []
