"""`datasets`: tables that stay up to date."""

from __future__ import annotations

import asyncio
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli import dataset_runs
from sentry_connector.cli.definition import DefinitionOptions
from sentry_connector.cli.details import DetailsOptions, filled_from_environment
from sentry_connector.cli.files import FileOptions, print_json_of, print_table_of
from sentry_connector.cli.options import AccountName, AsJson, WaitLock, Yes, confirm, seconds, typer_app, with_options
from sentry_connector.cli.output import counted, note, note_days, print_json, print_line
from sentry_connector.cli.progress import shown_progress
from sentry_connector.cli.schedule import in_words, print_slots
from sentry_connector.cli.sharing import add_share
from sentry_connector.cli.tables import print_fields, print_table
from sentry_connector.datasets.definition import Definition
from sentry_connector.destinations.model import Remains
from sentry_connector.errors import DatesError, UsageError
from sentry_connector.operations import backfill, days, purging, updates
from sentry_connector.operations import datasets as operations
from sentry_connector.operations.coming import coming, coming_view
from sentry_connector.operations.running import is_served
from sentry_connector.operations.schedules import MOST_SLOTS
from sentry_connector.operations.search import search
from sentry_connector.operations.views import (
    columns_view,
    dataset_view,
    dataset_views,
    deleted_view,
    reverted_view,
    run_view,
    stats_view,
    versions_view,
)
from sentry_connector.reports import catalogue, menus, windows
from sentry_connector.reports.details import DateRange, Details
from sentry_connector.store.records import MANUAL, DataSet, Passed, RunState
from sentry_connector.store.rights import Thing

app = typer_app()
add_share(app, Thing.DATASET)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A DataSet's name or slug.")]
ReportName = Annotated[str, typer.Option("--report", metavar="REPORT", help="Name, alias or slug.")]


NO_SERVER = "No server lives that would keep the schedule: start `sentry-connector serve`."


@app.callback()
def datasets() -> None:
    """Tables that stay up to date."""


@app.command()
@with_options(options=DetailsOptions, definition=DefinitionOptions)
def create(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Unique, compared without case.")],
    report: ReportName,
    options: DetailsOptions,
    definition: DefinitionOptions,
    account: AccountName = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a DataSet. Nothing is asked of Sentry before its first run."""
    with connector() as house:
        found = catalogue.find(report)
        details = filled_from_environment(options.applied_to(Details()), found, house.settings)
        wanted = Definition(name=name, report=found.slug, details=details, **definition.changes())
        _print(house, operations.create(house, wanted, account), as_json=as_json)


@app.command("list")
def list_(
    text: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only those with this in their name or description.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only those with this tag.")] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="REPORT", help="Only those of this report.")] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this account.")] = None,
    health: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only those that are so, such as FAILED, late or paused.")
    ] = None,
    *,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the DataSets."""
    with connector() as house:
        found = search(house, text=text, tag=tag, report=report, account=account, health=health, deleted=deleted)
        views = dataset_views(house, found)
    if as_json:
        print_json(views)
        return
    if deleted:
        names = ("name", "report", "rows", "deleted_at", "slug")
        rows = [[view[one] for one in names] for view in views]
        print_table([one.replace("_", " ") for one in names], rows, empty="None is deleted.")
        return
    headings = ["name", "report", "rows", "health", "last run", "schedule", "next slot", "account", "slug"]
    narrowed = any((text, tag, report, account, health))
    empty = "No such DataSet." if narrowed else "No DataSets yet: `sentry-connector datasets create --help` tells how."
    print_table(headings, map(_row, views), empty=empty)
    if any(view["next_slot"] and not view["served"] for view in views):
        note(NO_SERVER)


def _row(view: Mapping[str, Any]) -> list[object]:
    last, schedule = view["last_run"], "paused" if view["paused"] else view["schedule"]
    ran = (last["finished_at"] or last["started_at"] or last["queued_at"]) if last else None
    health = view["health"]
    if last and view["retry"] and health == RunState.RETRYING:
        health = f"{health} {last['attempt'] + 1}/{view['retry']['times'] + 1}"
    named = [view[name] for name in ("name", "report", "rows")]
    return [*named, health, ran, schedule, view["next_slot"], view["account"], view["slug"]]


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show a DataSet."""
    with connector() as house:
        _print(house, operations.find(house, name), as_json=as_json)


@app.command()
@with_options(options=DetailsOptions, definition=DefinitionOptions)
def edit(
    name: Name,
    options: DetailsOptions,
    definition: DefinitionOptions,
    new_name: Annotated[str | None, typer.Option("--name", metavar="NEW-NAME", help="Another name.")] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="REPORT", help="Another report.")] = None,
    account: AccountName = None,
    *,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Without the tags that it has.")] = False,
    no_account: Annotated[
        bool, typer.Option("--no-account", help="Ask with SENTRY_AUTH_TOKEN, and no longer with an account.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change a DataSet: what is given changes, the rest stays. A filled table keeps its report."""
    with connector() as house:
        dataset = operations.find(house, name)
        changes = definition.changes(dataset.retry)
        details = options.applied_to(dataset.details)
        if details != dataset.details:
            changes["details"] = details
        if no_tags and "tags" in changes:
            raise UsageError("--no-tags and --tag contradict each other.", remedy="--tag replaces all tags by itself.")
        if no_tags:
            changes["tags"] = ()
        if new_name is not None:
            changes["name"] = new_name
        if report is not None:
            changes["report"] = catalogue.find(report).slug
        if no_account and account is not None:
            raise UsageError("--no-account and --account contradict each other.", remedy="Leave one out.")
        if not changes and account is None and not no_account:
            raise UsageError(
                "Nothing was given that changes.", remedy="`datasets edit --help` lists what can be changed."
            )
        edited = operations.edit(house, dataset.slug, changes, account, no_account=no_account)
        _print(house, edited, as_json=as_json)


@app.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="DataSets' names or slugs.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All DataSets.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for their end, or leave them to the server.")
    ] = True,
    wait_lock: WaitLock = "0s",
    as_json: AsJson = False,
) -> None:
    """Run DataSets now, several at a time, and wait for their end; a run that was interrupted goes on.

    A living server does the runs; without one they are done here. The exit code is that of the most severe end: a failure,
    then INCOMPLETE (40), then COMPLETE (0).
    """
    patience = seconds("--wait-lock", wait_lock)
    with connector() as house:
        chosen = dataset_runs.choose(house, names or [], every=every)
        if not wait:
            _ask(house, chosen, as_json=as_json)
            return
        ends = dataset_runs.run_all(house, chosen, patience)
    if as_json:
        print_json([end.view for end in ends])
    else:
        dataset_runs.tell(ends)
    raise typer.Exit(dataset_runs.most_severe(ends))


def _ask(house: App, chosen: Sequence[DataSet], *, as_json: bool) -> None:
    """Leave runs to a living server."""
    if not is_served(house):
        raise UsageError(
            "No server lives that would do the runs.",
            remedy="Start one with `sentry-connector serve`, or leave --no-wait out.",
        )
    asked = [(operations.ask(house, dataset.slug)[0], dataset) for dataset in chosen]
    if as_json:
        print_json([run_view(run, dataset) for run, dataset in asked])
        return
    print_table(["DataSet", "run", "state"], [[dataset.name, run.id, run.state] for run, dataset in asked])


@app.command()
def pause(name: Name, *, as_json: AsJson = False) -> None:
    """Put a DataSet's schedule at rest, and drop what waits for its slot or its next attempt; `run` still runs it."""
    with connector() as house:
        _print(house, operations.pause(house, name), as_json=as_json)


@app.command()
def resume(name: Name, *, as_json: AsJson = False) -> None:
    """Let a DataSet's schedule go on, from its next slot."""
    with connector() as house:
        _print(house, operations.resume(house, name), as_json=as_json)


@app.command()
def mute(name: Name, *, as_json: AsJson = False) -> None:
    """Keep a DataSet's notices from being sent; `notices sent` still lists them."""
    with connector() as house:
        _print(house, operations.mute(house, name, muted=True), as_json=as_json)


@app.command()
def unmute(name: Name, *, as_json: AsJson = False) -> None:
    """Let a DataSet's notices be sent again."""
    with connector() as house:
        _print(house, operations.mute(house, name, muted=False), as_json=as_json)


@app.command("next")
def next_(
    name: Name,
    count: Annotated[int, typer.Option(min=1, max=MOST_SLOTS, help="How many slots.")] = 5,
    *,
    as_json: AsJson = False,
) -> None:
    """Say when a DataSet runs next by itself, and which slots had no run of their own."""
    with connector() as house:
        found = coming(house, name, count)
    if as_json:
        print_json(coming_view(found))
        return
    schedule, zone = found.meaning.schedule, found.meaning.zone
    print_line(in_words(schedule, zone))
    if found.dataset.paused:
        note("The schedule is paused: `datasets resume` lets it go on.")
    elif found.rests:
        note(f"The schedule rests: {found.rests}.")
    elif found.meaning.slots and not found.served:
        note(NO_SERVER)
    if found.meaning.slots:
        print_slots(found.meaning.slots, zone)
    if found.passed:
        note("Slots without a run of their own, newest first:")
        print_table(["first", "last", "slots", "reason", "run"], [_passed_row(one, zone) for one in found.passed])


def _passed_row(one: Passed, zone: zoneinfo.ZoneInfo) -> list[object]:
    first, last = (at.astimezone(zone).isoformat(" ", "minutes") for at in (one.first, one.last))
    return [first, last, one.count, one.reason, one.run_id]


@app.command("backfill")
def backfill_(
    name: Name,
    start: Annotated[str, typer.Option(metavar="DAY", help="The first day: YYYY-MM-DD, today, yesterday or today-N.")],
    end: Annotated[str, typer.Option(metavar="DAY", help="The last day, included.")],
    wait_lock: WaitLock = "0s",
    *,
    as_json: AsJson = False,
) -> None:
    """Read earlier days by a chain of runs, newest days first, and wait for its end.

    Each run is all or nothing, and none moves the watermarks. A chain that was cut off, or in which a run failed, goes on
    where it stopped when the same days are given again. Replace stays one run. The exit code is as with `run`.
    """
    patience, days = seconds("--wait-lock", wait_lock), menus.duration_from_options(start=start, end=end)
    if not isinstance(days, DateRange):
        raise UsageError("A backfill is of a range of days.", remedy="Give --start and --end.")
    with connector() as house:
        chain = backfill.begin(house, name, days)
        if chain.in_one:
            note(f"{chain.dataset.name}: Replace keeps the rows of its last run alone, so that one run reads all days.")
        elif chain.goes_on:
            note(f"{chain.dataset.name}: the chain goes on; runs left: {len(chain.runs)}.")
        ends = dataset_runs.run_chain(house, chain, patience)
    if as_json:
        print_json([one.view for one in ends])
    else:
        dataset_runs.tell(ends)
    raise typer.Exit(dataset_runs.most_severe(ends))


@app.command()
def preview(name: Name, *, as_json: AsJson = False) -> None:
    """Read the first hundred rows that a run would bring, and store nothing."""
    with connector() as house:
        dataset = operations.find(house, name)
        with shown_progress(dataset.name) as progress:
            reading = operations.preview(house, dataset.slug, progress=progress, on_windows=note_days)
            rows = asyncio.run(reading)
    batches = rows.to_batches()
    if as_json:
        print_json_of(rows.schema, batches)
    else:
        print_table_of(rows.schema, batches)


@app.command()
def schema(name: Name, *, as_json: AsJson = False) -> None:
    """Show the columns of a DataSet's table."""
    with connector() as house:
        columns = columns_view(house, name)
    if as_json:
        print_json(columns)
        return
    print_table(["column", "type", "about"], [[one["name"], one["type"], one["about"]] for one in columns])


@app.command()
def stats(name: Name, *, as_json: AsJson = False) -> None:
    """Show how large a DataSet's table is."""
    with connector() as house:
        view = stats_view(operations.table_of(house, operations.find(house, name)))
    if as_json:
        print_json(view)
    else:
        print_fields(view)


@app.command()
def versions(name: Name, *, as_json: AsJson = False) -> None:
    """List the states that a DataSet's table can be reverted to, newest first."""
    with connector() as house:
        found = operations.versions(house, name)
        keeps = operations.table_of(house, operations.find(house, name)).keeps_versions
    views = versions_view(found)
    if as_json:
        print_json(views)
        return
    names = ("version", "at", "operation", "rows", "bytes", "run", "current")
    print_table(names, [[view[one] for one in names] for view in views], empty="Nothing was committed yet.")
    if not keeps:
        note("The table lies in a database, which keeps no earlier versions: there is none to revert to.")


@app.command()
def revert(
    name: Name,
    to_version: Annotated[int, typer.Option("--to-version", metavar="V", help="One that `versions` lists.")],
    wait_lock: WaitLock = "0s",
    *,
    as_json: AsJson = False,
) -> None:
    """Make the table what it was at a version; that is itself a new version."""
    patience = seconds("--wait-lock", wait_lock)
    with connector() as house:
        committed = asyncio.run(operations.revert(house, name, to_version, wait_lock=patience))
        view = reverted_view(operations.table_of(house, operations.find(house, name)), committed, to_version)
    if as_json:
        print_json(view)
    else:
        note(f"Version {committed.version} is what version {to_version} was: {counted(view['rows'], 'row')}.")


@app.command("delete-update")
def delete_update(
    name: Name,
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="The run whose rows are deleted; `runs list` has it.")
    ],
    wait_lock: WaitLock = "0s",
    *,
    as_json: AsJson = False,
) -> None:
    """Delete the rows that one run appended, and no others; that is itself a new version."""
    patience = seconds("--wait-lock", wait_lock)
    with connector() as house:
        committed = asyncio.run(updates.delete_update(house, name, run, wait_lock=patience))
    if as_json:
        print_json(deleted_view(committed))
    else:
        note(f"{counted(committed.deleted, 'row')} deleted: version {committed.version}.")


@app.command()
@with_options(files=FileOptions)
def export(
    name: Name,
    files: FileOptions,
    version: Annotated[int | None, typer.Option(metavar="V", help="A version; by default the newest.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a DataSet's rows to a file or standard output."""
    target = files.checked()
    with connector() as house, operations.rows(house, name, version) as reader:
        written = target.write(reader.schema, reader)
    summary = {"dataset": name, "rows": written.rows, "format": target.format_name, "output": target.output}
    target.tell(summary, counted(written.rows, "row"), as_json=as_json)


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Put a DataSet out of sight; for 30 days it can be restored with its table."""
    with connector() as house:
        dataset = operations.find(house, name)
        rows = dataset_view(house, dataset)["rows"]
        gone = "its rows" if rows is None else counted(rows, "row")
        note(f"{dataset.name}: {gone} go out of sight; `datasets restore` brings them back for 30 days.")
        confirm(f"Delete the DataSet {dataset.name}?", yes=yes)
        view = dataset_view(house, operations.delete(house, dataset.slug))
    if as_json:
        print_json(view)
    else:
        note("Deleted.")


@app.command()
def restore(name: Name, *, as_json: AsJson = False) -> None:
    """Bring a deleted DataSet back, with its table and history."""
    with connector() as house:
        _print(house, operations.restore(house, name), as_json=as_json)


@app.command()
def purge(
    name: Name,
    *,
    leave_table: Annotated[
        bool, typer.Option("--leave-table", help="Its table stays where it is; for a database that is gone.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a deleted DataSet for good, before its 30 days are over."""
    with connector() as house:
        dataset = purging.find(house, name)
        left = purging.left_behind(house, dataset) if leave_table else None
        note(
            f"{dataset.name}: its runs and their logs go for good, {'and its table stays' if left else 'and its table'}."
        )
        _tell_left(left)
        confirm(f"Purge the DataSet {dataset.name}?", yes=yes)
        purged = asyncio.run(purging.purge(house, dataset.id, leave_table=leave_table))
    if as_json:
        print_json(purging.purged_view(purged))
    else:
        note("Purged.")


def _tell_left(left: Remains | None) -> None:
    if left is None:
        return
    note(f"Left behind: {left.address}" + (f", the table {left.name}. To be rid of it there:" if left.name else ""))
    for statement in left.statements:
        note(f"  {statement};")


def _print(house: App, dataset: DataSet, *, as_json: bool) -> None:
    """A DataSet, what its dates mean now, and what a user of Replace should know."""
    view = dataset_view(house, dataset)
    if as_json:
        print_json(view)
    else:
        print_fields(_in_words(view, dataset))
    if view["next_slot"] and not view["served"]:
        note(NO_SERVER)
    try:
        meant = days.days_now(house, dataset)
    except DatesError as error:  # days that were chosen in two ways can cross as time goes on
        note(f"A run now would fail: {error.message}")
    else:
        if meant is not None:
            note(f"A run now reads: {meant}")
    if dataset.account_id is None and dataset.schedule != MANUAL:
        note("It has no account: the server that keeps its schedule takes its own SENTRY_AUTH_TOKEN and SENTRY_URL.")
        note("  Give it one: `sentry-connector datasets edit NAME --account ACCOUNT`.")
    if days.will_lose(dataset):
        note("Replace keeps only the days of its last run: once they have moved on, a run needs --accept-loss.")


def _in_words(view: dict[str, Any], dataset: DataSet) -> dict[str, Any]:
    """The fields of a DataSet for people; in the place of the details stand those that were chosen."""
    last, retry, details = view["last_run"], dataset.retry, dataset.details
    words = {
        "retry": f"every {retry.every // 60} minutes, {retry.times} times at most" if retry else "never",
        "last_run": f"{last['verdict'] or last['state']}, {counted(last['rows_read'], 'row')} read" if last else None,
    }
    chosen = {
        **{
            name: getattr(details, name)
            for name in ("organizations", "projects", "teams", "issue", "stat", "resolution")
        },
        "dates": windows.dates_in_words(details.duration) if details.duration else None,
        "bodies": details.bodies or None,
    }
    ordered: dict[str, Any] = {}
    for name, value in view.items():
        ordered |= chosen if name == "details" else {name: value}
    return {name.replace("_", " "): value for name, value in (ordered | words).items()}
