"""A server that is killed every twenty seconds accounts for every slot once, and its tables are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.siege import besieged


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_datasets_every_minute_for_ten_minutes(tmp_path: Path) -> None:
    outcome = besieged(tmp_path, count=200, minutes=10, every=20)
    assert outcome.differences == []
    assert outcome.kills >= 25
    assert outcome.taken_up > 0, "some were killed in the midst of a run"
