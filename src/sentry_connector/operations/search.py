"""DataSets, found by what is known of them, a page at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from sentry_connector.errors import UnknownName
from sentry_connector.operations.glance import lines
from sentry_connector.reports import catalogue
from sentry_connector.runs.house import House
from sentry_connector.store.records import DataSet


def search(
    house: House,
    *,
    text: str | None = None,
    tag: str | None = None,
    report: str | None = None,
    account: str | None = None,
    health: str | None = None,
    deleted: bool = False,
    after: str | None = None,
    limit: int | None = None,
) -> list[DataSet]:
    """The DataSets of which all that is given is so, by name.

    Args:
        house: the parts.
        text: stands in their name or description, compared without case.
        tag: one of their tags, compared without case.
        report: their report: slug, name or alias.
        account: the name of their account.
        health: how they are, in a word.
        deleted: those that were deleted and can be restored, instead of the others.
        after: id of a DataSet: only those that come after it in the list.
        limit: how many at most; None = all.

    Raises:
        UnknownName: there is no such report or account, or nothing ever had the id.
    """
    conditions: list[Callable[[DataSet], bool]] = []
    if after is not None:
        place = _place(_known(house, after))
        conditions.append(lambda one: _place(one) > place)
    if text is not None:
        wanted = text.casefold()
        conditions.append(lambda one: wanted in f"{one.name}\n{one.description}".casefold())
    if tag is not None:
        folded = tag.casefold()
        conditions.append(lambda one: folded in {known.casefold() for known in one.tags})
    if report is not None:
        slug = catalogue.find(report).slug
        conditions.append(lambda one: one.report == slug)
    if account is not None:
        account_id = house.store.accounts.find(account).id
        conditions.append(lambda one: one.account_id == account_id)
    known = house.store.datasets.deleted() if deleted else house.store.datasets.list()
    if health is not None:
        outlines = house.store.datasets.outlines([one.id for one in known] if deleted else None)
        healths = {line.dataset.id: line.health for line in lines(house, outlines)}
        conditions.append(lambda one: healths.get(one.id) == health)
    found = (one for one in known if all(condition(one) for condition in conditions))
    return list(itertools.islice(found, limit))


def _place(dataset: DataSet) -> tuple[str, str]:
    """Where a DataSet stands in the list, as the store orders it."""
    return dataset.name.strip().casefold(), dataset.id


def _known(house: House, id_: str) -> DataSet:
    dataset = house.store.datasets.get(id_)
    if dataset is None:
        raise UnknownName(
            "DataSet with the id", id_, remedy="`after` is the id of the last DataSet of the page before."
        )
    return dataset
