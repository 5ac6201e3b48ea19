"""Lists ask the store as often for many things as for a few, whoever looks: pages, and what programs are answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from sentry_connector.store.rights import Role
from sentry_connector.web.pages.notices import NAMED, PAGE
from tests.many import fill, surround
from tests.parts import NOW
from tests.web.town import Town, Visitor

FEW, MANY = 5, 60

LISTS = (
    "/",
    "/?group=owner",
    "/?search=culprit",
    "/?show=mine",
    "/bin",
    "/runs",
    "/query",
    "/accounts",
    "/notices",
    "/notices/channels",
    "/people",
    "/audit",
    "/health",
    "/datasets/new",
    "/api/v1/overview",
    "/api/v1/datasets",
    "/api/v1/datasets?health=late",
    "/api/v1/datasets?deleted=true",
    "/api/v1/runs",
    "/api/v1/accounts",
    "/api/v1/destinations",
    "/api/v1/notices",
    "/api/v1/notices/channels",
    "/api/v1/queries",
    "/api/v1/users",
    "/metrics",
)


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Town]]:
    """A town with few things of each kind, and one with many; half of the DataSets were deleted."""
    found = []
    for count in (FEW, MANY):
        town = Town(tmp_path_factory.mktemp("lists") / "home")
        fill(town.house.store, NOW, count=count, runs_of_each=3)
        surround(town.house.store, NOW, count=count)
        for number in range(0, count, 2):
            town.house.store.datasets.change(f"many-{number:04}", {"deleted_at": NOW, "updated_at": NOW})
        town.person("ada", Role.ADMIN)
        found.append(town)
    yield found[0], found[1]
    for town in found:
        town.close()


@contextmanager
def counted(town: Town) -> Iterator[list[str]]:
    """The statements that the store is asked inside the block."""
    asked: list[str] = []
    engine = town.house.store.runs._database.engine

    def heard(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    yield asked
    event.remove(engine, "before_cursor_execute", heard)


def visitor(town: Town, name: str) -> Visitor:
    return town.with_key(town.house.store.people.find(name))


@pytest.mark.parametrize("name", ["ada", "Person 0001"])
@pytest.mark.parametrize("path", LISTS)
async def test_a_list_of_many_asks_as_often_as_one_of_a_few(towns: tuple[Town, Town], path: str, name: str) -> None:
    questions, answers = [], []
    for town in towns:
        who = visitor(town, name)
        answers.append(await who("GET", path, headers={"accept": "text/html"}))  # keys are marked as used
        with counted(town) as asked:
            await who("GET", path, headers={"accept": "text/html"})
        questions.append(asked)
    assert {answer.status for answer in answers} <= {200, 403}, answers[1].body
    assert len(questions[1]) == len(questions[0]), questions[1]


async def test_notices_are_shown_a_page_at_a_time_and_count_the_channels_beyond_the_first(
    towns: tuple[Town, Town],
) -> None:
    ada = visitor(towns[1], "ada")
    first = (await ada("GET", "/notices")).body.decode()
    assert first.count("It failed.") == PAGE
    assert first.count(f"and {MANY - NAMED} more") == PAGE
    [older] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = (await ada("GET", older)).body.decode()
    assert second.count("It failed.") == MANY - PAGE
    assert (await ada("GET", "/notices?before=nobody")).status == 404
    told = (await ada("GET", "/api/v1/notices?limit=3")).json
    following = (await ada("GET", f"/api/v1/notices?limit=3&before={told[0]['id']}")).json
    assert [one["id"] for one in following[:2]] == [one["id"] for one in told[1:]]
    assert all(len(one["deliveries"]) == MANY for one in told)
