"""What `plan` and `apply` have in common: which files, and how a plan is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer

from sentry_connector.app import App
from sentry_connector.cli.output import note, print_line
from sentry_connector.datasets.config import one_line
from sentry_connector.operations import config as operations
from sentry_connector.operations.config_steps import Action, Planned, Step, counts_of

Files = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="YAML files, or folders of them; - is standard input.")
]
Prune = Annotated[bool, typer.Option("--prune", help="Delete what the sections of the files do not name.")]

SIGNS: Mapping[Action, str] = {Action.CREATE: "+", Action.CHANGE: "~", Action.DELETE: "-"}
NOUNS: Mapping[str, str] = {
    "accounts": "account",
    "destinations": "destination",
    "datasets": "DataSet",
    "notices": "channel",
}
"""Section of a file → what an entry of it is called."""


def planned(house: App, files: Sequence[str], *, prune: bool) -> Planned:
    """The plan for the configuration in these files."""
    return operations.plan(house, operations.read_files(files, sys.stdin.buffer), os.environ, prune=prune)


def print_plan(plan: Planned) -> None:
    """The steps with their fields on standard output; what else a person should know on standard error."""
    for line in plan.notes:
        note(line)
    for step in plan.steps:
        print_line(f"{SIGNS[step.action]} {called(step)}")
        for field, text in _fields(step):
            print_line(f"    {field}: {text}")
        for line in step.notes:
            note(f"  {line}")
    print_line(_sum(plan))


def called(step: Step) -> str:
    """What a step is about: `DataSet Shop events`."""
    return f"{NOUNS[step.section]} {step.name}"


def _fields(step: Step) -> Iterable[tuple[str, str]]:
    for change in step.changes:
        after = one_line(change.after)
        yield change.field, after if step.action is Action.CREATE else f"{one_line(change.before)} → {after}"


def _sum(plan: Planned) -> str:
    counts = counts_of(plan)
    if not plan.steps:
        return f"Nothing to do: {counts['unchanged']} unchanged."
    return ", ".join(f"{counts[word]} to {word}" for word in Action) + f", {counts['unchanged']} unchanged."
