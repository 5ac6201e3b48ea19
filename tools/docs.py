"""Writes the generated pages under docs/, or checks that they are up to date (`--check`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from sentry_connector import errors
from sentry_connector.cli.root import app
from sentry_connector.datasets import config
from sentry_connector.reports import pages
from sentry_connector.settings import SETTINGS
from tools import routes, scenarios, schedules

DOCS = Path(__file__).parent.parent / "docs"


def generated() -> dict[Path, str]:
    """Every generated page: its path and its text."""
    reports = {DOCS / "reports" / name: text for name, text in pages.pages().items()}
    return reports | {
        DOCS / "commands.md": commands_page(),
        DOCS / "settings.md": settings_page(),
        DOCS / "errors.md": errors_page(),
        DOCS / "schedules.md": schedules.page(),
        DOCS / "scenarios.md": scenarios.page(),
        DOCS / "config.schema.json": json.dumps(config.schema(), indent=2) + "\n",
        DOCS / "api-routes.md": routes.page(),
    }


def commands_page() -> str:
    """An index of the commands, and a section for each with its arguments and options."""
    every = list(commands())
    index = "\n".join(f"| [`{name}`](#{anchor(name)}) | {short_help(command)} |" for name, command in every)
    sections = "\n".join(section(name, command) for name, command in every)
    return (
        "# Commands\n\n"
        "Data goes to standard output, everything else to standard error. `--help` works everywhere.\n"
        "With `--json` the answer is JSON, an error too; the [exit code](operations.md#exit-codes) is the same.\n"
        "A token is never an argument.\n\n"
        f"| command | what it does |\n|---|---|\n{index}\n\n{sections}"
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name; a group is its commands."""
    return commands_below("sentry-connector", typer.main.get_command(app))


def commands_below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The command, or those of the group, in the order of `--help`."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    context = typer.Context(command, info_name=name)
    for child in command.list_commands(context):
        yield from commands_below(f"{name} {child}", command.get_command(context, child))


def section(name: str, command: Any) -> str:
    """One command: its help, how it is called, what it takes."""
    context = typer.Context(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    rows = "\n".join(f"| `{cell(taken)}` | {cell(about)} |" for taken, about in parameters(command, context))
    return f"## {name}\n\n{command.help}\n\n```text\n{usage}\n```\n\n| takes | meaning |\n|---|---|\n{rows}\n"


def parameters(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """What the command takes, as `--help` shows it, and what that means; `--help` itself is left out."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            yield parameter.metavar, parameter.help
        else:
            yield parameter.get_help_record(context)


def short_help(command: Any) -> str:
    """The first sentence of the command's help."""
    first, separator, _ = " ".join(command.help.split()).partition(". ")
    return cell(f"{first}." if separator else first)


def anchor(heading: str) -> str:
    """The part of an address that leads to a heading of these pages."""
    return heading.replace(" ", "-")


def cell(text: str) -> str:
    """The text as a cell of a table."""
    return text.replace("|", "\\|")


def settings_page() -> str:
    """One row per setting."""
    rows = "\n".join(f"| `{one.variable}` | {one.about} | {one.default} |" for one in SETTINGS)
    return (
        "# Settings\n\n"
        "Every setting comes from the environment; `sentry-connector settings` prints those in force, secrets hidden.\n\n"
        "| variable | meaning | default |\n|---|---|---|\n" + rows + "\n"
    )


def errors_page() -> str:
    """One row per error, in the order of the tree."""
    rows = "\n".join(
        f"| `{one.name}` | {one.exit_code} | {'yes' if one.retryable else 'no'} | {first_line(one)} | {one.default_remedy} |"
        for one in tree(errors.ConnectorError)
        if "name" in vars(one)
    )
    return (
        "# Errors\n\n"
        "Each error has a name that programs can rely on, an exit code, and a remedy. The command line prints\n"
        "`error NAME: message` and the remedy to standard error, and with `--json` an object `error` to standard output.\n\n"
        "| name | exit code | may help to repeat | meaning | what to do |\n|---|---|---|---|---|\n" + rows + "\n\n"
        "Exit code 0 means done and complete. An interrupt ends with 130, a termination with 143; the run can be gone on with.\n"
    )


def tree(root: type[errors.ConnectorError]) -> Iterator[type[errors.ConnectorError]]:
    """The error and everything below it, in the order of their definition."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def first_line(one: type) -> str:
    """The first paragraph of the docstring in one line."""
    return " ".join((one.__doc__ or "").partition("\n\n")[0].split()).replace("|", "\\|")


def main() -> int:
    """Write, or check."""
    wanted = generated()
    if "--check" not in sys.argv[1:]:
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    stale += [path for path in (DOCS / "reports").glob("*.md") if path not in wanted]
    for path in stale:
        print(f"{path.relative_to(DOCS.parent)} is not up to date: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
