"""The store as one person sees it: what was not shared with them is not there, and what they may not do is refused here.

Names lead only to what the person may see. Ids lead to everything, since whoever has one found it in something that they may see.
Routes and operations need not remember to ask: they are given this store in place of the whole one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sentry_connector.errors import NotAllowed
from sentry_connector.store.accounts import Accounts
from sentry_connector.store.database import Database
from sentry_connector.store.datasets import DataSets
from sentry_connector.store.destinations import Destinations
from sentry_connector.store.grants import Grants
from sentry_connector.store.notices import Notices
from sentry_connector.store.queries import SavedQueries
from sentry_connector.store.records import (
    DELTA,
    Account,
    Channel,
    DataSet,
    Delivery,
    Destination,
    Notice,
    Passed,
    Run,
    SavedQuery,
    Scheduled,
)
from sentry_connector.store.rights import Grant, Level, Person, Right, Role, Thing, is_at_least
from sentry_connector.store.runs import Runs
from sentry_connector.store.store import Store

READ_WITH_ACCOUNT = frozenset({"account_id", "report", "details"})
"""What of a DataSet decides what is asked with its account: whoever changes it must be allowed to use the account."""


class Eye:
    """What one person may see and do."""

    def __init__(self, database: Database, person: Callable[[], Person]) -> None:
        """Take the store's database, and who asks, as they are now: a stream looks again each time.

        `person` raises SignInNeeded once the session is over.
        """
        self._grants = Grants(database)
        self.person = person

    def sees(self, thing: Thing) -> Collection[str] | None:
        """The ids of what the person may see; None = all."""
        person = self.person()
        return None if person.is_at_least(Role.ADMIN) else self._grants.of_user(person.user.id, thing)

    def level(self, thing: Thing, id_: str) -> Level | None:
        """What the person may do with a thing; None = it is not there for them."""
        person = self.person()
        return person.level(self._grants.level(person.user.id, thing, id_))

    def levels(self, thing: Thing) -> Callable[[str], Level | None]:
        """As `level`, of any number of things by one look."""
        person = self.person()
        return person.levels(self._grants.of_user(person.user.id, thing))

    def need(self, thing: Thing, id_: str, level: Level, right: Right = Right.EDIT) -> None:
        """Refuse what the person may not do with a thing.

        Raises:
            NotAllowed: they may not, or their API key is not for it.
        """
        self.need_right(right)
        if not is_at_least(self.level(thing, id_), level):
            raise NotAllowed(f"That needs the level {level.value!r} of the {thing.value}.")

    def need_right(self, right: Right) -> None:
        """Refuse what an API key is not for.

        Raises:
            NotAllowed: it is not.
        """
        if not self.person().may(right):
            raise NotAllowed(f"This API key lacks the scope {right.value!r}.")

    def need_role(self, role: Role, why: str) -> None:
        """Refuse what a person's role does not include.

        Raises:
            NotAllowed: it does not.
        """
        if not self.person().is_at_least(role):
            raise NotAllowed(why)


class SeenStore(Store):
    """A store as one person sees it. It shares the connections of the whole one, and closes none."""

    def __init__(self, database: Database, person: Callable[[], Person]) -> None:
        """Show what is in a database to a person."""
        self._database = database
        self.eye = Eye(database, person)
        self.fill()
        self.accounts = SeenAccounts(database, self.eye)
        self.destinations = SeenDestinations(database, self.eye)
        self.datasets = SeenDataSets(database, self.eye)
        self.runs = SeenRuns(database, self.eye)
        self.notices = SeenNotices(database, self.eye)
        self.queries = SeenQueries(database, self.eye)
        self.grants = SeenGrants(database, self.eye)

    def close(self) -> None:
        """Nothing is closed."""


class SeenAccounts(Accounts):
    """The accounts that a person may use."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye

    def list(self) -> Sequence[Account]:
        seen = self._eye.sees(Thing.ACCOUNT)
        return [one for one in super().list() if seen is None or one.id in seen]

    def add(
        self,
        account: Account,
        sealed_token: str,
        *,
        numbered: bool = False,
        owner: str | None = None,  # noqa: ARG002  # whoever makes it
    ) -> Account:
        self._eye.need_right(Right.EDIT)
        self._eye.need_role(Role.EDITOR, "Viewers make no accounts.")
        return super().add(account, sealed_token, numbered=numbered, owner=self._eye.person().user.id)

    def rename(self, account: Account, name: str, now: dt.datetime) -> Account:
        self._eye.need(Thing.ACCOUNT, account.id, Level.EDIT)
        return super().rename(account, name, now)

    def replace_token(self, before: Account, after: Account, sealed_token: str, news: Iterable[Notice] = ()) -> Account:
        self._eye.need(Thing.ACCOUNT, before.id, Level.EDIT)
        return super().replace_token(before, after, sealed_token, news)

    def delete(self, id: str) -> None:  # noqa: A002  # the field's name
        self._eye.need(Thing.ACCOUNT, id, Level.OWNER)
        super().delete(id)


class SeenDestinations(Destinations):
    """The destinations that a person may put tables into. They are made and changed on the server's own machine."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye

    def list(self) -> Sequence[Destination]:
        seen = self._eye.sees(Thing.DESTINATION)
        return [one for one in super().list() if seen is None or one.id in seen]


class SeenDataSets(DataSets):
    """The DataSets that a person may read."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye
        self._destinations = SeenDestinations(database, eye)

    def _sees(self) -> Collection[str] | None:
        return self._eye.sees(Thing.DATASET)

    def deleted(self) -> Sequence[DataSet]:
        """Those that the person owned: nobody else can do anything with them."""
        level = self._eye.levels(Thing.DATASET)
        return [one for one in super().deleted() if level(one.id) is Level.OWNER]

    def add(self, dataset: DataSet, *, owner: str | None = None) -> DataSet:  # noqa: ARG002  # whoever makes it
        self._eye.need_right(Right.EDIT)
        self._eye.need_role(Role.EDITOR, "Viewers make no DataSets.")
        self._need_account(dataset.account_id)
        self._need_destination(dataset.destination)
        return super().add(dataset, owner=self._eye.person().user.id)

    def change(
        self,
        id: str,  # noqa: A002  # the field's name
        changes: Mapping[str, Any],
        passed: Callable[[Scheduled], Iterable[Passed]] = lambda _one: (),
        *,
        as_of: dt.datetime | None = None,
    ) -> DataSet:
        self._eye.need(Thing.DATASET, id, Level.OWNER if "deleted_at" in changes else Level.EDIT)
        if changes.keys() & READ_WITH_ACCOUNT:
            before = self.get(id)
            self._need_account(changes.get("account_id", before and before.account_id))
        self._need_destination(changes.get("destination", DELTA))
        return super().change(id, changes, passed, as_of=as_of)

    def restore(
        self, name: str, now: dt.datetime, passed: Callable[[Scheduled], Iterable[Passed]] = lambda _one: ()
    ) -> DataSet:
        self._eye.need_right(Right.EDIT)
        return super().restore(name, now, passed)

    def condemn(self, deleted: DataSet, now: dt.datetime) -> None:
        self._eye.need(Thing.DATASET, deleted.id, Level.OWNER)
        super().condemn(deleted, now)

    def forget(self, id: str, *, found: DataSet | None = None) -> None:  # noqa: A002  # the field's name
        self._eye.need(Thing.DATASET, id, Level.OWNER)
        super().forget(id, found=found)

    def _need_account(self, account_id: str | None) -> None:
        if account_id is None:
            self._eye.need_role(
                Role.ADMIN, "Only admins use the token of the server's own environment; name an account."
            )
        elif self._eye.level(Thing.ACCOUNT, account_id) is None:
            raise NotAllowed("The DataSet's account is not shared with you.")

    def _need_destination(self, name: str) -> None:
        if name != DELTA:
            self._destinations.find(name)


class SeenRuns(Runs):
    """The runs of DataSets that a person may read."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye

    def get(self, id: str) -> Run | None:  # noqa: A002  # the field's name
        found = super().get(id)
        return found if found is None or self._eye.level(Thing.DATASET, found.dataset_id) is not None else None

    def recent(self, *, limit: int | None = 100) -> list[Run]:
        return self.search(limit=limit)

    def search(
        self,
        *,
        among: Collection[str] | None = None,
        before: Run | None = None,
        limit: int | None = 100,
        **wanted: str | None,
    ) -> list[Run]:
        seen = self._eye.sees(Thing.DATASET)
        if among is not None and seen is not None:
            seen = set(seen) & set(among)
        return super().search(among=among if seen is None else seen, before=before, limit=limit, **wanted)

    def add_unless(self, run: Run, before: Callable[[list[Run]], Run | None]) -> Run:
        self._eye.need(Thing.DATASET, run.dataset_id, Level.EDIT, Right.RUN)
        return super().add_unless(run, before)

    def hurry(self, id: str) -> None:  # noqa: A002  # the field's name
        self._need(id)
        super().hurry(id)

    def ask_to_stop(self, id: str, now: dt.datetime) -> None:  # noqa: A002  # the field's name
        self._need(id)
        super().ask_to_stop(id, now)

    def _need(self, id_: str) -> None:
        found = super().get(id_)
        if found is not None:
            self._eye.need(Thing.DATASET, found.dataset_id, Level.EDIT, Right.RUN)


class SeenGrants(Grants):
    """The grants that a person may give and take."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye

    def refuse_beyond(self, thing: Thing, object_id: str, *levels: Level | None) -> None:
        """Nobody gives or takes a level that they do not have.

        Raises:
            NotAllowed: one of these is.
        """
        own = self._eye.level(thing, object_id)
        if any(one is not None and not is_at_least(own, one) for one in levels):
            raise NotAllowed(f"Your own level is {own and own.value!r}: you can neither give nor take a higher one.")

    def give(self, grant: Grant) -> None:
        self._eye.need(grant.thing, grant.object_id, Level.SHARE)
        super().give(grant)

    def take(self, user_id: str, thing: Thing, object_id: str) -> None:
        self._eye.need(thing, object_id, Level.SHARE)
        super().take(user_id, thing, object_id)


class SeenQueries(SavedQueries):
    """The saved queries that are a person's own, or shared. An admin sees and changes all."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye

    def list(self) -> Sequence[SavedQuery]:
        found = super().list()
        changeable = self.changeable(found)
        return [one for one in found if one.shared or one.id in changeable]

    def changeable(self, queries: Sequence[SavedQuery]) -> Collection[str]:
        person = self._eye.person()
        return {one.id for one in queries if one.owner_id == person.user.id or person.is_at_least(Role.ADMIN)}

    def save(self, query: SavedQuery) -> SavedQuery:
        self._eye.need_right(Right.EDIT)
        if query.shared:
            self._eye.need_role(Role.EDITOR, "Viewers save queries for themselves alone.")
        return super().save(msgspec.structs.replace(query, owner_id=self._eye.person().user.id))

    def delete(self, query: SavedQuery) -> None:
        self._eye.need_right(Right.EDIT)
        super().delete(query)


class SeenNotices(Notices):
    """What was told of DataSets that a person may read. Channels are an admin's affair."""

    def __init__(self, database: Database, eye: Eye) -> None:
        super().__init__(database)
        self._eye = eye

    def recent(
        self, *subject_ids: str, before: str | None = None, limit: int | None = 100, most: int | None = None
    ) -> list[tuple[Notice, list[Delivery]]]:
        datasets, accounts = self._eye.sees(Thing.DATASET), self._eye.sees(Thing.ACCOUNT)
        if datasets is None or accounts is None:
            return super().recent(*subject_ids, before=before, limit=limit, most=most)
        seen = {*datasets, *accounts} & set(subject_ids) if subject_ids else {*datasets, *accounts}
        return super().recent(*seen, before=before, limit=limit, most=most) if seen else []

    def channels(self) -> Sequence[Channel]:
        return super().channels() if self._eye.person().is_at_least(Role.ADMIN) else ()
