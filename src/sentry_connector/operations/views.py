"""The records as the JSON objects that people and programs rely on; one shape for the command line and the API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sentry_connector.datasets import schedule as schedules
from sentry_connector.destinations.model import Committed, Table, Version
from sentry_connector.destinations.sql_addresses import kind_of
from sentry_connector.errors import ConnectorError
from sentry_connector.notices.message import object_of
from sentry_connector.operations.accounts import scopes_beyond_reading
from sentry_connector.operations.datasets import find, schedule_of, schema
from sentry_connector.operations.glance import Line, lines, measured
from sentry_connector.operations.running import is_served
from sentry_connector.reports import catalogue, menus
from sentry_connector.reports.model import Column, Report
from sentry_connector.runs.health import HISTORY, Keeping, attention, health, missed_slot, unknown_schedule
from sentry_connector.runs.house import House
from sentry_connector.runs.slots import obstacle
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
)
from sentry_connector.store.rights import ApiKey, Grant, Session, Thing, User
from sentry_connector.store.sizes import NOTHING

if TYPE_CHECKING:
    import pyarrow as pa

    from sentry_connector.destinations.figures import ColumnFigures, Common
    from sentry_connector.store.audit import Entry


def report_view(report: Report) -> dict[str, Any]:
    """A report of the catalogue."""
    return {
        "slug": report.slug,
        "name": report.name,
        "aliases": list(report.aliases),
        "about": report.about,
        "menus": {menu.value: need.value for menu, need in report.menus.items()},
        "durations": list(menus.durations(report)),
        "stats": list(report.stats),
        "scope": report.scope,
        "key": list(report.key),
        "time_column": report.time_column,
        "check": report.check,
        "check_about": report.check_about,
        "columns": [
            {
                "name": column.name,
                "type": column.type.value,
                "about": column.about,
                "source": _source(column),
                "key": column.name in report.key,
            }
            for column in report.columns
        ],
        "charts": [{"title": chart.title, "kind": chart.kind} for chart in report.charts],
        "notes": list(report.notes),
        "docs": report.docs,
    }


def _source(column: Column | None) -> str:
    """Where a column's value comes from; None is one that every table has beside the report's."""
    if column is None or column.is_ours:
        return "found out by the connector"
    return " or ".join(column.paths) or "what was asked for"


def account_view(account: Account, used_by: list[DataSet]) -> dict[str, Any]:
    """An account; its token is never part of anything."""
    return {
        "id": account.id,
        "name": account.name,
        "url": account.url,
        "status": account.status.value,
        "message": account.message,
        "checked_at": account.checked_at,
        "scopes": account.scopes,
        "scopes_beyond_reading": scopes_beyond_reading(account.scopes),
        "token_hint": account.token_hint,
        "token_since": account.token_since,
        "used_by": [dataset.name for dataset in used_by],
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }


def _account(house: House, dataset: DataSet) -> Account | None:
    return house.store.accounts.get(dataset.account_id) if dataset.account_id else None


def destination_view(destination: Destination, used_by: Sequence[DataSet]) -> dict[str, Any]:
    """A destination; its password is never part of anything."""
    return {
        "id": destination.id,
        "name": destination.name,
        "kind": kind_of(destination.url),
        "url": destination.url,
        "password_since": destination.password_since,
        "used_by": [dataset.name for dataset in used_by],
        "created_at": destination.created_at,
        "updated_at": destination.updated_at,
    }


def dataset_view(house: House, dataset: DataSet) -> dict[str, Any]:
    """A DataSet with what can be said about its table, which is looked at, and its runs."""
    history, now = house.store.runs.history(dataset.id, limit=HISTORY), house.now()
    account, keeping = _account(house, dataset), keeping_of(house, dataset, now)
    return _dataset_view(
        dataset,
        history,
        account=account.name if account else None,
        health=health(dataset, account, history, now, keeping),
        attention=attention(dataset, account, history, now, keeping),
        next_slot=next_slot(house, dataset, now),
        served=is_served(house),
        owner=next(iter(house.store.grants.owners(Thing.DATASET, dataset.id)), None),
        **_table_view(house, dataset),
    )


def dataset_views(house: House, datasets: Sequence[DataSet]) -> list[dict[str, Any]]:
    """DataSets, as `dataset_view`, by a few questions however many there are; of tables what is known since they last changed."""
    now, served, ids = house.now(), is_served(house), [one.id for one in datasets]
    known = {line.dataset.id: line for line in measured(house, lines(house, house.store.datasets.outlines(ids)))}
    histories = house.store.runs.histories(ids, most=HISTORY)

    def view(line: Line) -> dict[str, Any]:
        history, size = histories.get(line.dataset.id, []), line.size or (NOTHING if line.is_measured else None)
        return _dataset_view(
            line.dataset,
            history,
            account=line.account and line.account.name,
            health=line.health,
            attention=attention(line.dataset, line.account, history, now, line.keeping),
            next_slot=line.next_slot,
            served=served,
            owner=next(iter(line.owners), None),
            rows=size and size.rows,
            columns=size and size.columns,
            version=size and size.version,
            table_error=None,
        )

    return [view(known[id_]) for id_ in ids if id_ in known]  # one may have been forgotten meanwhile


def _dataset_view(dataset: DataSet, history: Sequence[Run], **found: Any) -> dict[str, Any]:
    """A DataSet with its runs, newest first, and what was found about it, each in its place."""
    last = history[0] if history else None
    return {
        "id": dataset.id,
        "name": dataset.name,
        "slug": dataset.slug,
        "description": dataset.description,
        "tags": list(dataset.tags),
        "report": dataset.report,
        "account": found["account"],
        "details": msgspec.to_builtins(dataset.details),
        "update_method": dataset.update_method.value,
        "key": list(dataset.key),
        "keep_days": dataset.keep_days,
        "keep_when_empty": dataset.keep_when_empty,
        "accept_loss": dataset.accept_loss,
        "destination": dataset.destination,
        "schedule": dataset.schedule,
        "timezone": dataset.details.timezone,
        "retry": msgspec.to_builtins(dataset.retry),
        "catch_up": dataset.catch_up.value,
        "paused": dataset.paused,
        "muted": dataset.muted,
        "health": found["health"],
        "attention": found["attention"],
        "rows": found["rows"],
        "columns": found["columns"],
        "version": found["version"],
        "table_error": found["table_error"],
        "last_run": run_view(last, dataset) if last else None,
        "next_slot": found["next_slot"],
        "served": found["served"],
        "created_at": dataset.created_at,
        "updated_at": dataset.updated_at,
        "deleted_at": dataset.deleted_at,
        "owner": found["owner"],
    }


def _table_view(house: House, dataset: DataSet) -> dict[str, Any]:
    """What the table holds. Where its database does not answer, the other DataSets can be looked at all the same."""
    try:
        table = house.table(dataset)
        schema, versions = table.schema(), table.versions()
        return {
            "rows": table.rows(),
            "columns": len(schema) if schema is not None else 0,
            "version": versions[0].version if versions else None,
            "table_error": None,
        }
    except ConnectorError as error:
        if dataset.destination == DELTA:
            raise
        return {"rows": None, "columns": None, "version": None, "table_error": error.message}


def keeping_of(house: House, dataset: DataSet, now: dt.datetime) -> Keeping:
    """Whether somebody looks after a DataSet."""
    at_work = house.store.leases.holder_of(f"dataset/{dataset.id}", now) is not None
    known = [] if unknown_schedule(dataset) else house.store.slots.scheduled(dataset.id)
    return Keeping(missed=missed_slot(known[0], now) if known else None, at_work=at_work)


def next_slot(house: House, dataset: DataSet, now: dt.datetime) -> dt.datetime | None:
    """When the DataSet runs next by itself; None where it does not."""
    if rests(house, dataset) is not None:
        return None
    schedule, zone = schedule_of(dataset)
    return schedules.first_after(schedule, zone, now)


def rests(house: House, dataset: DataSet) -> str | None:
    """Why no slot of a DataSet becomes a run; None where they do, if it has any."""
    if dataset.deleted_at is not None:
        return "the DataSet was deleted"
    if (why := unknown_schedule(dataset)) is not None:
        return why
    return next((obstacle(one) for one in house.store.slots.scheduled(dataset.id)), None)


def passed_view(passed: Passed) -> dict[str, Any]:
    """Slots that have no run of their own."""
    view: dict[str, Any] = msgspec.to_builtins(passed, builtin_types=(dt.datetime,))
    del view["dataset_id"]
    return view


def run_view(run: Run, dataset: DataSet | None) -> dict[str, Any]:
    """A run."""
    view: dict[str, Any] = msgspec.to_builtins(run, builtin_types=(dt.datetime, dt.date))
    del view["dataset_id"]
    named = {"dataset": dataset.name if dataset else run.dataset_id, "verdict": run.verdict and run.verdict.value}
    return view | named | {"seconds": run.seconds}


def channel_view(channel: Channel, datasets: Mapping[str, str]) -> dict[str, Any]:
    """A channel; its address is never part of anything. `datasets` are all DataSets, id → name."""
    return {
        "id": channel.id,
        "name": channel.name,
        "service": channel.service,
        "hint": channel.hint,
        "kinds": [kind.value for kind in channel.kinds],
        "datasets": [datasets[one] for one in channel.dataset_ids if one in datasets],
        "failures": channel.failures,
        "rests_until": channel.rests_until,
        "created_at": channel.created_at,
        "updated_at": channel.updated_at,
    }


def notice_view(notice: Notice, sent: Sequence[Delivery], channels: Mapping[str, str]) -> dict[str, Any]:
    """A notice, and what became of it on each channel. `channels` are all of them, id → name."""
    return {
        **object_of(notice),
        "deliveries": [
            {
                "channel": channels.get(one.channel_id),
                "attempts": one.attempts,
                "sent_at": one.sent_at,
                "given_up_at": one.given_up_at,
                "error": one.error,
            }
            for one in sent
        ],
    }


def saved_view(house: House, query: SavedQuery) -> dict[str, Any]:
    """A saved query; whether whoever asks may change it."""
    return saved_views(house, [query])[0]


def saved_views(house: House, queries: Sequence[SavedQuery]) -> list[dict[str, Any]]:
    """Saved queries, as `saved_view`; whose they are is asked once."""
    people = house.store.people.some({one.owner_id for one in queries if one.owner_id})
    may_change = house.store.queries.changeable(queries)
    return [_saved_view(one, people.get(one.owner_id or ""), may_change=one.id in may_change) for one in queries]


def _saved_view(query: SavedQuery, owner: User | None, *, may_change: bool) -> dict[str, Any]:
    return {
        "id": query.id,
        "name": query.name,
        "sql": query.sql,
        "shared": query.shared,
        "owner": owner and owner.name,
        "may_change": may_change,
        "created_at": query.created_at,
        "updated_at": query.updated_at,
    }


def reverted_view(table: Table, committed: Committed, version: int) -> dict[str, Any]:
    """What became of a table that was reverted to a version."""
    return {"version": committed.version, "reverted_to": version, "rows": table.rows()}


def deleted_view(committed: Committed) -> dict[str, Any]:
    """What became of a table from which an update was taken out."""
    return {"version": committed.version, "rows_deleted": committed.deleted}


def versions_view(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """The versions of a table, newest first."""
    current = max((one.version for one in versions), default=-1)
    return [version_view(one, current) for one in versions]


def user_view(user: User) -> dict[str, Any]:
    """A person; nothing of a password is part of anything."""
    view: dict[str, Any] = msgspec.to_builtins(user, builtin_types=(dt.datetime,))
    return view


def session_view(session: Session, *, current: bool = False) -> dict[str, Any]:
    """Where somebody is signed in; the secret is never part of it."""
    view: dict[str, Any] = msgspec.to_builtins(session, builtin_types=(dt.datetime,))
    return view | {"current": current}


def key_view(key: ApiKey, owner: User) -> dict[str, Any]:
    """An API key; the key itself is never part of it."""
    view: dict[str, Any] = msgspec.to_builtins(key, builtin_types=(dt.datetime,))
    del view["user_id"]
    return {name: value for name, value in view.items() if name != "rights"} | {
        "scopes": view["rights"],
        "owner": owner.name,
    }


def share_view(user: User, grant: Grant) -> dict[str, Any]:
    """What a person was given."""
    return {"person": user.name, "level": grant.level.value, "granted_at": grant.granted_at}


def entry_view(entry: Entry) -> dict[str, Any]:
    """An entry of the audit log, with all that its digest is of."""
    view: dict[str, Any] = msgspec.to_builtins(entry, builtin_types=(dt.datetime,))
    return view


def version_view(version: Version, current: int) -> dict[str, Any]:
    """A version of a table."""
    return {
        "version": version.version,
        "at": version.at,
        "operation": version.operation,
        "run": version.run_id,
        "rows": version.rows,
        "bytes": version.bytes,
        "current": version.version == current,
    }


def stats_view(table: Table) -> dict[str, Any]:
    """How large a table is."""
    exists = table.exists()
    return {
        "rows": table.rows() if exists else 0,
        "files": table.file_count() if exists else 0,
        "bytes": table.size() if exists else 0,
        "versions": len(table.versions()) if exists else 0,
    }


def columns_view(house: House, name: str) -> list[dict[str, Any]]:
    """The columns of a DataSet's table, as `schema_view`.

    Raises:
        UnknownName: there is no such DataSet.
    """
    dataset = find(house, name)
    return schema_view(catalogue.find(dataset.report), schema(house, name), dataset.key)


def schema_view(report: Report, table: pa.Schema, key: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The columns of a table: what each means, where its values come from, and whether it tells rows apart.

    Args:
        report: whose rows it holds.
        table: its columns.
        key: the columns that tell its rows apart; empty = the report's.
    """
    columns, key = {column.name: column for column in report.columns}, key or report.key
    return [
        {
            "name": one.name,
            "type": str(one.type),
            "about": (one.metadata or {}).get(b"comment", b"").decode(),
            "source": _source(columns.get(one.name)),
            "key": one.name in key,
        }
        for one in table
    ]


def figures_view(one: ColumnFigures) -> dict[str, Any]:
    """What is to be said of a column."""
    return {
        "name": one.name,
        "rows": one.rows,
        "nulls": one.nulls,
        "distinct": one.distinct,
        "distinct_is_estimate": one.distinct_is_estimate,
        "min": one.least,
        "max": one.greatest,
        "mean": one.mean,
        "min_length": one.shortest,
        "max_length": one.longest,
        "mean_length": one.mean_length,
    }


def common_view(one: Common) -> dict[str, Any]:
    """A value and how many rows have it."""
    return {"value": one.value, "rows": one.rows, "label": one.label}
