"""What is to be done for a configuration to be what is stored: compared by name, checked whole, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sentry_connector.datasets.config import (
    DATES,
    AccountEntry,
    ChannelEntry,
    DataSetEntry,
    DestinationEntry,
    Reference,
    definition_of,
    entry_of,
    in_words_of_the_file,
    refuse_contradictions,
)
from sentry_connector.datasets.config_reader import Placed, Read
from sentry_connector.datasets.definition import LONGEST_NAME, Definition, check, plain_text
from sentry_connector.datasets.yaml_tree import Place
from sentry_connector.destinations.sql_addresses import checked, takes_password
from sentry_connector.errors import (
    ConfigInvalid,
    ConnectorError,
    DatesError,
    DetailsError,
    LossNotAccepted,
    ScheduleError,
    UnknownName,
    UsageError,
)
from sentry_connector.notices.channels import WEBHOOK, address_of
from sentry_connector.notices.webhook import is_secret
from sentry_connector.operations import accounts, days, destinations, edits
from sentry_connector.operations.config_matching import Matched
from sentry_connector.operations.config_secrets import Secrets, missing
from sentry_connector.operations.config_steps import Change, Planned, Step, changed, changes, created, deleted
from sentry_connector.redact import redact_patterns
from sentry_connector.reports.model import Menu
from sentry_connector.runs import outbox
from sentry_connector.runs.house import House
from sentry_connector.sentry.address import Origin, normalise_url, server
from sentry_connector.store.records import DELTA, Account, Channel, DataSet, Destination
from sentry_connector.store.rows import fold

GONE = "(deleted)"
"""In the place of the name of what is no more."""


def planned(house: House, wanted: Read, secrets: Secrets, *, prune: bool) -> Planned:
    """The plan; see `operations.config.plan`."""
    return _Planner(house, wanted, secrets, prune=prune).plan()


class _Planner:
    """Makes one plan; whatever is wrong is noted, so that it is told at once."""

    def __init__(self, house: House, wanted: Read, secrets: Secrets, *, prune: bool) -> None:
        self.house = house
        self.wanted = wanted
        self.secrets = secrets
        self.prune = prune
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.unchanged = 0
        self.accounts = Matched(house.store.accounts.list(), wanted.accounts)
        self.destinations = Matched(house.store.destinations.list(), wanted.destinations)
        self.datasets = Matched(house.store.datasets.list(), wanted.datasets)
        self.channels = Matched(house.store.notices.channels(), wanted.notices)
        self.urls: dict[str, str] = {}

    def plan(self) -> Planned:
        steps = [
            *self._each(self.accounts.pairs, self._account),
            *self._each(self.destinations.pairs, self._destination),
            *self._each(self.datasets.pairs, self._dataset),
            *self._each(self.channels.pairs, self._channel),
            *(self._pruned() if self.prune else ()),
            *(self._pruned_destinations() if self.prune and "destinations" in self.wanted.sections else ()),
        ]
        if self.problems:
            raise ConfigInvalid(self.problems, remedy=None if len(self.problems) > 1 else _SEE_ABOVE)
        return Planned(
            steps=tuple(steps), unchanged=self.unchanged, notes=tuple(self.notes), wanted=self.wanted, prune=self.prune
        )

    def _each(
        self, pairs: Iterable[tuple[Placed[Any], Any]], step_of: Callable[[Placed[Any], Any], Step | None]
    ) -> Iterator[Step]:
        for placed, stored in pairs:
            before = len(self.problems)
            try:
                step = step_of(placed, stored)
            except UsageError as error:
                self._wrong(_place_of(error, placed), error)
                continue
            if len(self.problems) > before:
                continue
            if step is None:
                self.unchanged += 1
            else:
                yield step

    # ---- accounts

    def _account(self, placed: Placed[AccountEntry], stored: Account | None) -> Step | None:
        entry = placed.entry
        try:
            url = normalise_url(entry.url)
        except UsageError as error:
            self._wrong(placed.place_of("url"), error)
            return None
        entry = msgspec.structs.replace(entry, name=plain_text("name", entry.name, LONGEST_NAME), url=url)
        self.urls[fold(entry.name)] = url
        place = placed.place_of("token")
        token = self.secrets.of(entry.token, placed.place)
        if token is not None and (not token.isascii() or not token.isprintable() or " " in token):
            self._note(place, "the token holds characters that no token has.")
            return None
        complete = Placed(entry=entry, place=placed.place, fields=placed.fields)
        if stored is None:
            if token is None:
                self._note(place, f"the account {entry.name!r} is new and needs its token: {missing(entry.token)}")
            return created("accounts", complete)
        before = AccountEntry(name=stored.name, url=stored.url)
        found = changes(before, msgspec.structs.replace(entry, token=None))
        moves = any(change.field == "url" for change in found)
        if moves:
            accounts.refuse_strange_server(self.house, stored, url)
            if token is None:
                self._note(
                    place, f"the account {entry.name!r} moves to {url} and needs its token: {missing(entry.token)}"
                )
        if token is None:
            self._not_compared(entry.name, "token", entry.token)
        elif moves or self.house.connection(stored).token != token:
            found.append(Change(field="token", before="another one", after=entry.token))
        return changed("accounts", complete, stored.name, found)

    # ---- destinations

    def _destination(self, placed: Placed[DestinationEntry], stored: Destination | None) -> Step | None:
        name = stored.name if stored else plain_text("name", placed.entry.name, LONGEST_NAME)
        if fold(name) == DELTA:
            self._note(
                placed.place_of("name"), f"{DELTA} is where tables lie without a destination; call this one otherwise."
            )
        entry = msgspec.structs.replace(placed.entry, name=name, url=checked(placed.entry.url))
        complete = Placed(entry=entry, place=placed.place, fields=placed.fields)
        password = self.secrets.of(entry.password, placed.place)
        if password is not None and not takes_password(entry.url):
            self._note(placed.place_of("password"), f"{name} is a file, which has no password.")
        if stored is None:
            if entry.password is not None and password is None:
                place = placed.place_of("password")
                self._note(place, f"the destination {name!r} is new and needs its password: {missing(entry.password)}")
            return created("destinations", complete)
        if entry.url != stored.url:
            place, remedy = placed.place_of("url"), "Make another one for another place."
            self._note(place, f"the destination {name!r} is at {stored.url}, and stays there. {remedy}")
        if password is None:
            self._not_compared(name, "password", entry.password)
        elif password != destinations.password_of(self.house, stored):
            change = Change(field="password", before="another one", after=entry.password)
            return changed("destinations", complete, stored.name, [change])
        return None

    # ---- DataSets

    def _dataset(self, placed: Placed[DataSetEntry], stored: DataSet | None) -> Step | None:
        refuse_contradictions(placed.entry, placed.fields)
        account = self._account_of(placed)
        definition = check(definition_of(placed.entry))
        definition = msgspec.structs.replace(definition, destination=self._destination_of(definition))
        if stored is None:
            days.days_now(self.house, definition)
            paused: bool | None = placed.entry.paused or None
            muted: bool | None = placed.entry.muted or None
        else:
            origin = self._origin(account, stored)
            paused = stored.paused if placed.entry.paused is None else placed.entry.paused
            muted = stored.muted if placed.entry.muted is None else placed.entry.muted
            self._check_edit(stored, definition, origin)
        entry = entry_of(definition, account, paused=paused, muted=muted)
        complete = Placed(entry=entry, place=placed.place, fields=placed.fields)
        if stored is None:
            return created("datasets", complete)
        before = entry_of(
            edits.definition_of(stored), self._stored_account(stored), paused=stored.paused, muted=stored.muted
        )
        found = changes(before, entry)
        notes = self._rows_lost(stored, entry) if found else ()
        return changed("datasets", complete, stored.name, found, notes, as_of=stored.updated_at)

    def _check_edit(self, stored: DataSet, wanted: Definition, origin: Origin | None) -> None:
        """Refuse what `datasets edit` would refuse, also where the destination is only to be made."""
        if wanted.destination != stored.destination:
            edits.refuse_strange_place(self.house, stored, wanted)
        edits.check_edit(self.house, stored, msgspec.structs.replace(wanted, destination=stored.destination), origin)

    def _destination_of(self, definition: Definition) -> str:
        """The name of the definition's destination, as it is written where the destination stands.

        Raises:
            UnknownName: there is none, here or there.
        """
        known = {DELTA: DELTA} | self.destinations.known()
        if fold(definition.destination) not in known:
            raise UnknownName("destination", definition.destination, known.values())
        return known[fold(definition.destination)]

    def _account_of(self, placed: Placed[DataSetEntry]) -> str | None:
        """The name of the entry's account, as it is written where the account stands.

        Raises:
            UnknownName: there is none, here or there.
        """
        given_name, known = placed.entry.account, self.accounts.known()
        if given_name is None:
            return None
        if fold(given_name) not in known:
            raise UnknownName("account", given_name, known.values())
        return known[fold(given_name)]

    def _stored_account(self, dataset: DataSet) -> str | None:
        if dataset.account_id is None:
            return None
        return self.accounts.names.get(dataset.account_id, GONE)

    def _origin(self, account: str | None, stored: DataSet) -> Origin | None:
        """The server that a DataSet is to ask."""
        if account is None:
            return server(self.house.settings.url)
        if fold(account) in self.urls:
            return server(self.urls[fold(account)])
        ids = {fold(name): id_ for id_, name in self.accounts.names.items()}
        found = self.house.store.accounts.get(ids.get(fold(account), stored.account_id or ""))
        return None if found is None else server(found.url)

    def _rows_lost(self, stored: DataSet, entry: DataSetEntry) -> tuple[str, ...]:
        """What the next run drops, with the consent that the file gives."""
        if not entry.accept_loss:
            return ()
        without = msgspec.structs.replace(definition_of(entry), accept_loss=False)
        try:
            edits.refuse_loss(self.house, stored, without)
        except LossNotAccepted as error:
            return (error.message,)
        return ()

    # ---- channels

    def _channel(self, placed: Placed[ChannelEntry], stored: Channel | None) -> Step | None:
        entry = placed.entry
        known = self.datasets.known(rest=not (self.prune and "datasets" in self.wanted.sections))
        for name in entry.dataset:
            if fold(name) not in known:
                self._wrong(placed.place_of("dataset"), UnknownName("DataSet", name, known.values()))
        entry = msgspec.structs.replace(
            entry,
            name=plain_text("name", entry.name, LONGEST_NAME),
            dataset=tuple(dict.fromkeys(known.get(fold(name), name) for name in entry.dataset)),
            kind=tuple(dict.fromkeys(entry.kind)),
        )
        complete = Placed(entry=entry, place=placed.place, fields=placed.fields)
        address, secret = (self.secrets.of(one, placed.place) for one in (entry.address, entry.secret))
        self._check_channel(complete, address, secret)
        if stored is None:
            if address is None:
                place = placed.place_of("address")
                self._note(place, f"the channel {entry.name!r} is new and needs its address: {missing(entry.address)}")
            if entry.secret is not None and secret is None:
                self._note(placed.place_of("secret"), missing(entry.secret))
            return created("notices", complete)
        before = ChannelEntry(
            name=stored.name,
            kind=stored.kinds,
            dataset=tuple(self.datasets.names.get(one, GONE) for one in stored.dataset_ids),
        )
        found = changes(before, msgspec.structs.replace(entry, address=None, secret=None))
        found += self._changed_secrets(entry, stored, address, secret)
        return changed("notices", complete, stored.name, found)

    def _check_channel(self, placed: Placed[ChannelEntry], address: str | None, secret: str | None) -> None:
        if secret is not None and not is_secret(secret):
            self._note(
                placed.place_of("secret"), "that is no secret of a webhook: whsec_ and base64 of 24 bytes or more."
            )
        if address is None:
            return
        try:
            _, service, _ = address_of(address)
        except UsageError as error:
            self._wrong(placed.place_of("address"), error)
            return
        if placed.entry.secret is not None and service != WEBHOOK:
            self._note(placed.place_of("secret"), f"a secret is for webhooks; {service} takes none.")

    def _changed_secrets(
        self, entry: ChannelEntry, stored: Channel, address: str | None, secret: str | None
    ) -> list[Change]:
        found = []
        if address is not None or secret is not None:
            known = outbox.address(self.house, stored.id)
            if address is not None and address != known.url:
                found.append(Change(field="address", before="another one", after=entry.address))
            if secret is not None and secret != known.secret:
                found.append(Change(field="secret", before="another one", after=entry.secret))
        if address is None:
            self._not_compared(entry.name, "address", entry.address)
        if secret is None:
            self._not_compared(entry.name, "secret", entry.secret)
        return found

    # ---- what the files do not name

    def _pruned(self) -> Iterator[Step]:
        sections = self.wanted.sections
        if "notices" in sections:
            yield from (deleted("notices", one.name) for one in self.channels.rest)
        gone = self.datasets.rest if "datasets" in sections else []
        for one in gone:
            yield deleted("datasets", one.name, "For 30 days `datasets restore` brings it back.")
        if "accounts" not in sections:
            return
        asked = self._accounts_in_use({one.id for one in gone})
        for account in self.accounts.rest:
            users = asked.get(fold(account.name), [])
            if users:
                self.problems.append(
                    f"The account {account.name!r} is not in the files, and {', '.join(users)} would ask with it:"
                    " put it into them, or give these another one."
                )
            yield deleted("accounts", account.name)

    def _pruned_destinations(self) -> Iterator[Step]:
        gone = {one.id for one in self.datasets.rest} if "datasets" in self.wanted.sections else set()
        staying = [one for one in self.datasets.rest if one.id not in gone]
        for destination in self.destinations.rest:
            users = [
                placed.entry.name
                for placed, _ in self.datasets.pairs
                if fold(placed.entry.destination) == fold(destination.name)
            ]
            users += [one.name for one in staying if one.destination == destination.name]
            if users:
                self.problems.append(
                    f"The destination {destination.name!r} is not in the files, and {', '.join(users)} would lie there:"
                    " put it into them."
                )
            yield deleted("destinations", destination.name)

    def _accounts_in_use(self, gone: Collection[str]) -> dict[str, list[str]]:
        """Folded name of an account → the DataSets that ask with it once the plan is carried out."""
        found: dict[str, list[str]] = {}
        for placed, _ in self.datasets.pairs:
            if placed.entry.account is not None:
                found.setdefault(fold(placed.entry.account), []).append(placed.entry.name)
        for one in self.datasets.rest:
            if one.id not in gone and one.account_id is not None:
                found.setdefault(fold(self._stored_account(one) or ""), []).append(one.name)
        return found

    # ---- what is wrong

    def _not_compared(self, name: str, what: str, reference: Reference | None) -> None:
        if reference is not None:
            self.notes.append(f"{name}: its {what} stays as it is: {missing(reference)}")

    def _wrong(self, place: Place, error: ConnectorError) -> None:
        remedy = "" if error.remedy == UsageError.default_remedy else f" {in_words_of_the_file(error.remedy)}"
        self._note(place, f"{in_words_of_the_file(error.message)}{remedy}")

    def _note(self, place: Place, what: str) -> None:
        self.problems.append(f"{place}: {redact_patterns(what)}")


_SEE_ABOVE = "Correct it there; nothing was changed."

_FIELD_OF_MENU: Mapping[str, tuple[str, ...]] = {
    Menu.ORGANIZATIONS: ("organization",),
    Menu.PROJECTS: ("project",),
    Menu.ISSUE: ("issue",),
    Menu.TEAMS: ("team",),
    Menu.STAT: ("stat",),
    Menu.DATES: DATES,
    "resolution": ("resolution",),
    "bodies": ("with_bodies",),
}

_FIELD_OF_KIND = {"report": "report", "account": "account", "destination": "destination"}
"""Of what there is no such name → the field that names it; otherwise it is a column."""


def _place_of(error: UsageError, placed: Placed[Any]) -> Place:
    """The field that an error is about, as far as it tells."""
    if isinstance(error, DetailsError):
        return placed.place_of(*_FIELD_OF_MENU.get(error.menu, ()))
    if isinstance(error, DatesError | LossNotAccepted):
        return placed.place_of(*DATES, "timezone")
    if isinstance(error, ScheduleError):
        return placed.place_of("schedule")
    if isinstance(error, UnknownName):
        return placed.place_of(_FIELD_OF_KIND.get(error.data["kind"], "key"))
    return placed.place_of(*(name for name in placed.fields if _is_named(name, error.message)))


def _is_named(name: str, message: str) -> bool:
    return f"--{name.replace('_', '-')}" in message or ("_" in name and name in message)
