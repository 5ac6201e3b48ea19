"""`demo`: all reports into DataSets, from the simulated Sentry or from yours, and a query over them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sentry_connector.app import App
from sentry_connector.app import app as connector
from sentry_connector.cli import dataset_runs
from sentry_connector.cli import serve as serving
from sentry_connector.cli.dataset_runs import End
from sentry_connector.cli.files import print_table_of
from sentry_connector.cli.options import AsJson, typer_app
from sentry_connector.cli.output import note, print_json, print_line
from sentry_connector.cli.tables import print_table
from sentry_connector.datasets.definition import Definition
from sentry_connector.errors import NotFound, UsageError
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import accounts, choices, datasets
from sentry_connector.operations.pull import pull
from sentry_connector.operations.query import run_query
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import ALL, AllAvailable, DateRange, Details
from sentry_connector.reports.model import Menu, Report
from sentry_connector.sentry.client import Connection
from sentry_connector.simulator import World, start_in_thread

app = typer_app()

PROGRAM = "sentry-connector"

HOME = Path("demo-home")
ACCOUNT = "demo"
LAST_MONTH = DateRange(29, 0)
LAST_WEEK = DateRange(6, 0)

FIELDS = {
    Menu.ORGANIZATIONS: "organizations",
    Menu.PROJECTS: "projects",
    Menu.TEAMS: "teams",
    Menu.ISSUE: "issue",
    Menu.DATES: "duration",
}
"""The menus that the demo fills in, and their fields in the details."""

QUERY = """\
SELECT p.organization || '/' || p.slug AS project, count(DISTINCT i.issue_id) AS issues,
       count(DISTINCT i.issue_id) FILTER (i.level IN ('error', 'fatal')) AS errors,
       count(DISTINCT e.event_id) AS events, max(e.date_created) AS latest
FROM projects p
LEFT JOIN projects_issues i USING (project_id)
LEFT JOIN project_events e ON e.project_id = p.project_id AND e.issue_id = i.issue_id
GROUP BY ALL ORDER BY events DESC, project LIMIT 10"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where the demo's rows come from, and what its reports are asked about.

    Attributes:
        url, token: the Sentry that is asked.
        everything: all organizations, projects and teams; otherwise the first of each and the last week.
    """

    url: str
    token: str
    everything: bool


@app.command()
def demo(
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="An empty folder for the data; by default ./demo-home, made anew."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="Where to serve; 0 = a free port.")
    ] = serving.PORT,
    *,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the pages and the API, with that Sentry, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an account and a DataSet for each report, run them all, and show a query.

    The rows come from a simulated Sentry; with SENTRY_AUTH_TOKEN set, from the real one at SENTRY_URL.
    """
    if serve:
        serving.look_for_parts()
    folder = _fresh(home)
    with _source() as source, _house(folder, source.url) as house:
        note(f"Asking {source.url}; the data go to {folder}.")
        account = asyncio.run(accounts.add(house, ACCOUNT, source.url, source.token))
        connection = house.connection(account)
        chosen = asyncio.run(_choices(house, connection, everything=source.everything))
        made = [datasets.create(house, _definition(report, chosen), ACCOUNT) for report in catalogue.CATALOGUE]
        ends = dataset_runs.run_all(house, made, 0)
        if as_json:
            print_json([end.view for end in ends])
        else:
            _show(house, ends, folder)
        if serve:
            _serve(house, source, port, as_json=as_json)
    raise typer.Exit(dataset_runs.most_severe(ends))


@contextlib.contextmanager
def _source() -> Iterator[Source]:
    """The real Sentry where the environment has a token, else a simulated one that serves while the block lasts."""
    with connector() as house:
        token, url = house.settings.auth_token, house.settings.url
    if token is not None:
        yield Source(url=url, token=token, everything=False)
        return
    with start_in_thread(World.build(now=dt.datetime.now(dt.UTC))) as simulation:
        yield Source(url=simulation.url, token=simulation.token, everything=True)


def _serve(house: App, source: Source, port: int, *, as_json: bool) -> None:
    """Serve what the demo has made to this machine's user, until Ctrl-C or SIGTERM."""
    from sentry_connector.web import service  # noqa: PLC0415  # an extra, looked for before
    from sentry_connector.web.place import Place  # noqa: PLC0415

    def ready(url: str) -> None:
        made_up = {"token": source.token} if source.everything else {}
        if as_json:
            print_json({"url": url} | made_up, indent=None)
            return
        print_line(url)
        for token in made_up.values():
            print_line(f"The simulated Sentry takes this made-up token: {token}")
        note("Serving there; Ctrl-C stops.")

    with serving.ended_in_time() as stopping:
        asyncio.run(
            service.serve(
                house,
                place=Place(),
                claim=None,
                host="127.0.0.1",
                port=port,
                runs_at_once=serving.RUNS_AT_ONCE,
                ready=ready,
                told=lambda run: note(serving.in_a_line(house, run)),
                stopping=stopping,
            )
        )


def _house(folder: Path, url: str) -> App:
    """The connector with a home of its own: nothing of the demo touches what is stored otherwise."""
    own = {"SENTRY_CONNECTOR_HOME": str(folder), "SENTRY_URL": url}
    elsewhere = {"SENTRY_CONNECTOR_DATABASE_URL", "SENTRY_CONNECTOR_STORAGE", "SENTRY_CONNECTOR_HOME"}
    return connector({name: value for name, value in os.environ.items() if name not in elsewhere} | own)


def _fresh(home: Path | None) -> Path:
    """An empty folder for the demo; the default one is emptied, and nobody else's.

    Raises:
        UsageError: the folder holds something.
    """
    folder = (home or HOME).absolute()
    if home is None and (folder / "connector.db").exists():
        shutil.rmtree(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", remedy="Give --home another folder, or remove it first.")
    return folder


async def _choices(house: App, connection: Connection, *, everything: bool) -> Details:
    """What the reports are asked about, in all menus: everything, or the last week of a project that has something to show."""
    chosen = Details(organizations=(ALL,), projects=(ALL,), teams=(ALL,))
    if not everything:
        organizations = await _first(house, connection, "organizations", ())
        teams = await _first(house, connection, "teams", organizations)
        chosen = Details(organizations=organizations, projects=(ALL,), teams=teams, duration=LAST_WEEK)
    issue = await _some_issue(house, connection, chosen)
    projects = chosen.projects if everything else (f"{issue['organization']}/{issue['project']}",)
    return msgspec.structs.replace(chosen, projects=projects, issue=issue["issue_id"])


async def _first(house: App, connection: Connection, menu: str, organizations: tuple[str, ...]) -> tuple[str, ...]:
    """The first that a menu offers.

    Raises:
        NotFound: it offers nothing.
    """
    offered = await choices.choices(house, connection, menu, organizations)
    if not offered:
        raise NotFound(f"The token sees no {menu}.", kind=menu)
    return (offered[0].value,)


async def _some_issue(house: App, connection: Connection, chosen: Details) -> dict[str, str]:
    """A recent issue of the chosen projects, else any.

    Raises:
        NotFound: there is none.
    """
    report = catalogue.find("projects-issues")
    for duration in dict.fromkeys((chosen.duration or AllAvailable(), AllAvailable())):
        details = _details(report, msgspec.structs.replace(chosen, duration=duration))
        async with pull(report, details, connection, house, progress=Progress(), limit=1) as pulled:
            for batch in pulled.batches():
                row: dict[str, str] = batch.to_pylist()[0]
                return row
    raise NotFound("The projects have no issues, so that there is nothing to show.", kind="issue")


def _definition(report: Report, chosen: Details) -> Definition:
    return Definition(name=report.name, report=report.slug, details=_details(report, chosen))


def _details(report: Report, chosen: Details) -> Details:
    """What is chosen, in the menus that the report has."""
    given = {field: getattr(chosen, field) for menu, field in FIELDS.items() if menu in report.menus}
    if Menu.DATES in report.menus and chosen.duration is None and not report.all_available:
        given["duration"] = LAST_MONTH
    return Details(**given)


def _show(house: App, ends: Sequence[End], folder: Path) -> None:
    rows = [
        [end.dataset, end.view.get("rows_read"), end.view.get("requests"), end.seconds, end.view["verdict"]]
        for end in ends
    ]
    print_table(["report", "rows", "requests", "seconds", "verdict"], rows)
    print_line("")
    for line in QUERY.splitlines():
        print_line(f"    {line}")
    print_line("")
    with run_query(house, QUERY) as reader:
        print_table_of(reader.schema, reader)
    dataset_runs.tell_reasons(ends)
    note("The data stay. `make demo-web` makes them anew and serves pages to look at them; here it is")
    note(f'  SENTRY_CONNECTOR_HOME={_shortest(folder)} {_command()} query "SELECT * FROM projects_issues LIMIT 5"')


def _command() -> str:
    """What one types for this very program; it need not be on the path."""
    called = Path(sys.argv[0])
    return _shortest(called) if called.name == PROGRAM else PROGRAM


def _shortest(path: Path) -> str:
    """The path as one would type it here."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
