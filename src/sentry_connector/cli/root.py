"""The root command: which commands there are, and that each is imported only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from sentry_connector.cli import print_version
from sentry_connector.cli.failures import broken_pipe, reporting
from sentry_connector.errors import nearest

COMMANDS = {
    "reports": "The catalogue: what can be pulled.",
    "choices": "What a menu offers now.",
    "doctor": "Look at everything that a run needs.",
    "pull": "Read one report, straight to a file or standard output.",
    "accounts": "Stored Sentry tokens.",
    "datasets": "Tables that stay up to date.",
    "destinations": "Databases that tables lie in, beside Delta tables.",
    "runs": "What was run, and how it ended.",
    "query": "Read-only SQL over the DataSets.",
    "queries": "Saved SQL.",
    "schedule": "What a schedule means.",
    "plan": "What a configuration file would change.",
    "apply": "Change what is stored into what a configuration file says.",
    "export-config": "What is stored, as a configuration file.",
    "notices": "Who is told when something is wrong.",
    "users": "Who may sign in.",
    "api-keys": "Keys of people's programs.",
    "origins": "Servers in private networks that may be asked.",
    "audit": "Who did what, and when.",
    "vault": "The key that stored tokens are sealed with.",
    "serve": "Keep all schedules, and answer over HTTP.",
    "worker": "One more worker, on this or another machine (PostgreSQL).",
    "workers": "The workers that live.",
    "backup": "A copy of the connector's database, while it is in use.",
    "settings": "The settings and where they come from.",
    "simulate": "Serve a simulated Sentry.",
    "demo": "All reports into DataSets, and a query over them.",
}
"""Command or group → one line about it. Each is the `app` of the module of its name beside this one, with `_` for `-`."""


def module_of(command: str) -> str:
    """The module that a command is in."""
    return f"sentry_connector.cli.{command.replace('-', '_')}"


class Root(TyperGroup):
    """A group that imports a command when it is called: Arrow, DuckDB and the rest take a second, `--help` must not.

    It is also the one place that every failure passes, in tests too.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # Typer's signature
        """The names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # Typer's signature
        """The command of that name, imported now; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        return get_command(importlib.import_module(module_of(cmd_name)).app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name; an unknown one is refused with the names that come close."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            close = nearest(args[0], COMMANDS)
            error.message += f" Did you mean: {', '.join(close)}?" if close else ""
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # Typer's signature
        """The list of commands in `--help`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: Any) -> Any:
        """Run the command, up to the last byte of its output."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # before Typer, which would exit with 1
            raise typer.Exit(broken_pipe()) from None
        return result

    def main(  # Typer's signature
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002, FBT001, FBT002  # always our own handling of errors
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,
    ) -> NoReturn:
        """Run the command line, tell what goes wrong, exit with the command's code."""
        given = sys.argv[1:] if args is None else list(args)

        def work() -> Any:
            name = prog_name or "sentry-connector"  # also where it runs as `python -m sentry_connector`
            return super(Root, self).main(given, name, complete_var, False, windows_expand_args, **extra)

        sys.exit(reporting(work, as_json="--json" in given))


app = typer.Typer(
    name="sentry-connector",
    cls=Root,
    rich_markup_mode=None,  # plain help: no escape codes, and Rich is not imported for it
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001  # Typer's signature
    if wanted:
        print_version()
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001  # its callback answers
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Sentry data as tables that stay up to date."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
