"""What one attempt at a run works on: the DataSet, its table, the lease, and the run's record in the store."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec

from sentry_connector.destinations.model import Table
from sentry_connector.errors import ConnectorError, TokenMissing
from sentry_connector.extraction.progress import Progress
from sentry_connector.redact import Redactor
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import DateRange, Details
from sentry_connector.reports.model import Report
from sentry_connector.runs import chain, news
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import Holding
from sentry_connector.runs.log import Lines, Log
from sentry_connector.sentry.client import Connection
from sentry_connector.store.records import Account, DataSet, Problem, Run, RunState, Trigger


@dataclass
class Work:
    """What one attempt at a run works on, under the DataSet's lease. `run` is replaced by what becomes known of it."""

    house: House
    dataset: DataSet
    table: Table
    progress: Progress
    log: Log
    lines: Lines
    redactor: Redactor
    holding: Holding
    run: Run

    @property
    def report(self) -> Report:
        """What is pulled.

        Raises:
            UnknownName: the catalogue does not have the report (any more).
        """
        return catalogue.find(self.dataset.report)

    @property
    def details(self) -> Details:
        """What is read: the DataSet's details, with the days of the run where it is one of a chain."""
        part = self.run.part
        if part is None:
            return self.dataset.details
        return msgspec.structs.replace(self.dataset.details, duration=DateRange(start=part.start, end=part.end))

    @property
    def is_backfill(self) -> bool:
        """Whether it reads earlier days, so that it is not where the next run goes on from."""
        return self.run.trigger is Trigger.BACKFILL

    @property
    def epoch(self) -> int:
        """The run's place among the DataSet's runs."""
        if self.run.epoch is None:
            raise ValueError("a run has its epoch before it does anything")
        return self.run.epoch

    @property
    def instant(self) -> dt.datetime:
        """The instant that relative dates count from: the slot of a schedule, or when the run was asked for."""
        return self.run.slot or self.run.queued_at

    @property
    def present(self) -> dt.datetime:
        """The present, never before the run's instant."""
        return max(self.instant, self.house.now())

    async def keep(self, **facts: Any) -> None:
        """Store facts of the run, unless another process has taken it over meanwhile.

        With its end is stored what is to be told of it, and what becomes of the chain that it belongs to.

        Raises:
            LeaseLost: it has.
            StoreUnusable: the store cannot be written.
        """
        run = self.run = msgspec.structs.replace(self.run, **facts)
        house = self.house

        def store() -> None:
            if run.state is not RunState.DONE:
                house.store.runs.save(run)
                return
            again, given_up = chain.again(run, house.now()), chain.given_up(run)
            house.store.runs.end(run, news.of_run(house, self.dataset, run), again=again, given_up=given_up)

        await self.holding.aside(store)

    def connection(self, account: Account | None) -> Connection:
        """How to reach Sentry with the DataSet's account; None = with the environment's token.

        Raises:
            TokenMissing: the environment has none.
            VaultUnusable: the account's token cannot be opened.
        """
        try:
            return self.house.connection(account)
        except TokenMissing as error:
            if account is not None:
                raise
            raise TokenMissing(
                f"{self.dataset.name!r} has no account, and SENTRY_AUTH_TOKEN is not set in the environment of the "
                "process that did the run. A server has an environment of its own.",
                remedy="Give the DataSet an account: `sentry-connector datasets edit NAME --account ACCOUNT`.",
            ) from error

    def redacted(self, error: ConnectorError) -> Problem:
        """The error as it is stored: servers and libraries may repeat what they were sent."""
        problem, redact = Problem(**error.as_dict()), self.redactor.redact
        return msgspec.structs.replace(problem, message=redact(problem.message), remedy=redact(problem.remedy))


def account_of(dataset: DataSet, house: House) -> Account | None:
    """The DataSet's account; None where it uses the environment's token.

    Raises:
        TokenMissing: the account was deleted. The environment's token, which may be somebody else's, does not step in.
    """
    if dataset.account_id is None:
        return None
    account = house.store.accounts.get(dataset.account_id)
    if account is None:
        raise TokenMissing(
            f"The account of {dataset.name!r} was deleted.",
            remedy="Choose another one: `sentry-connector datasets edit NAME --account ACCOUNT`.",
        )
    return account


def redactor_of(dataset: DataSet, house: House) -> Redactor:
    """Takes out what no log and no stored error may hold: the tokens, the vault's key, the passwords in addresses."""
    found = [*house.settings.secrets]
    with contextlib.suppress(ConnectorError):  # an account that cannot be opened has no secret to give away
        found.append(house.connection(account_of(dataset, house)).token)
    return Redactor(found)
