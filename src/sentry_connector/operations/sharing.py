"""Who may do what with which DataSet, account and destination."""

from __future__ import annotations

from collections.abc import Sequence

from sentry_connector.operations.audited import audited
from sentry_connector.runs.house import House
from sentry_connector.store.records import Account, DataSet, Destination
from sentry_connector.store.rights import Grant, Level, Thing, User


def find(house: House, thing: Thing, name: str) -> DataSet | Account | Destination:
    """The DataSet, account or destination of that name.

    Raises:
        UnknownName: there is none.
    """
    if thing is Thing.DATASET:
        return house.store.datasets.find(name)
    return house.store.accounts.find(name) if thing is Thing.ACCOUNT else house.store.destinations.find(name)


def shares(house: House, thing: Thing, name: str) -> Sequence[tuple[User, Grant]]:
    """Who was given what of a thing, oldest first; admins may do all with everything.

    Raises:
        UnknownName: there is no such thing.
    """
    return house.store.grants.of_object(thing, find(house, thing, name).id)


def share(house: House, thing: Thing, name: str, person: str, level: Level | None) -> Sequence[tuple[User, Grant]]:
    """Give a person a level of a thing in place of the one that they have; None takes it from them.

    Args:
        house: the parts.
        thing: what it is.
        name: the thing's.
        person: the person's name.
        level: the new level.

    Returns:
        Who has what from then on.

    Raises:
        UnknownName: there is no such thing or person.
        UsageError: it would have no owner any more.
        NotAllowed: whoever shares has no such level themselves, and can neither give nor take it.
    """
    found, user = find(house, thing, name), house.store.people.find(person)
    before = house.store.grants.level(user.id, thing, found.id)
    house.store.grants.refuse_beyond(thing, found.id, level, before)
    _GIVE[thing](house, found.name, object_id=found.id, user=user, level=level)
    return house.store.grants.of_object(thing, found.id)


@audited("datasets share", "user", "level")
def _give_dataset(house: House, name: str, *, object_id: str, user: User, level: Level | None) -> None:  # noqa: ARG001  # for the audit log
    _give(house, Thing.DATASET, object_id, user, level)


@audited("accounts share", "user", "level")
def _give_account(house: House, name: str, *, object_id: str, user: User, level: Level | None) -> None:  # noqa: ARG001  # for the audit log
    _give(house, Thing.ACCOUNT, object_id, user, level)


@audited("destinations share", "user", "level")
def _give_destination(house: House, name: str, *, object_id: str, user: User, level: Level | None) -> None:  # noqa: ARG001  # for the audit log
    _give(house, Thing.DESTINATION, object_id, user, level)


_GIVE = {Thing.DATASET: _give_dataset, Thing.ACCOUNT: _give_account, Thing.DESTINATION: _give_destination}


def _give(house: House, thing: Thing, object_id: str, user: User, level: Level | None) -> None:
    if level is None:
        house.store.grants.take(user.id, thing, object_id)
        return
    grant = Grant(user_id=user.id, thing=thing, object_id=object_id, level=level, granted_at=house.now())
    house.store.grants.give(grant)
