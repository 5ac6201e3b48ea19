"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.object_storage import Storage, running_storage
from tests.postgres import Server, running_postgres

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, one for all tests of a process."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _storage() -> Iterator[Storage]:
    with running_storage() as server:
        yield server


@pytest.fixture
def storage(_storage: Storage) -> Storage:
    """A server of S3's protocol, one for all tests of a process; for each it is well at first."""
    _storage.mend()
    return _storage
