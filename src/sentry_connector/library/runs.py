"""What was run, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentry_connector.errors import Cancelled, ConnectorError, RunIncomplete
from sentry_connector.library.house import Open
from sentry_connector.operations import runs as operations
from sentry_connector.store.records import Problem, Run, Verdict


class Runs:
    """The runs of an open connector."""

    def __init__(self, open_: Open) -> None:
        self._open = open_

    def list(self, dataset: str | None = None, *, verdict: Verdict | None = None, limit: int = 100) -> Sequence[Run]:
        """Runs, newest first; of all DataSets or of one, with any verdict or with one.

        Raises:
            UnknownName: there is no such DataSet.
        """
        found = operations.history(self._open.house, dataset, verdict=verdict, limit=limit)
        return [run for run, _ in found]

    def get(self, id_or_dataset: str) -> Run:
        """The run of that id, or the latest of the DataSet of that name.

        Raises:
            UnknownName: there is none.
        """
        return operations.find(self._open.house, id_or_dataset)[0]

    def log(self, id_or_dataset: str) -> Sequence[dict[str, Any]]:
        """The lines of a run's log, oldest first."""
        return operations.log(self._open.house, self.get(id_or_dataset))

    def cancel(self, id_or_dataset: str) -> Run:
        """Stop a run; its table stays as it is.

        Raises:
            UsageError: it has ended.
        """
        return self._open.wait(lambda: operations.cancel(self._open.house, id_or_dataset))


def raise_its_end(run: Run, *, allow_incomplete: bool) -> None:
    """Raise what a run ended with, where it is not complete.

    Raises:
        ConnectorError: of the class that the run's error has.
        RunIncomplete: something is missing.
    """
    if run.error is not None and run.verdict is not Verdict.INCOMPLETE:
        raise error_of(run.error)
    if run.verdict is Verdict.CANCELLED:
        raise Cancelled("The run was cancelled; the table is as it was.")
    if run.verdict is Verdict.INCOMPLETE and not allow_incomplete:
        reasons = "; ".join(f"{one.scope}: {one.reason}" for one in run.incomplete)
        raise RunIncomplete(
            f"Not everything could be read. {reasons}",
            remedy="Pass allow_incomplete=True where that is no failure.",
            incomplete=run.incomplete,
        )


def error_of(problem: Problem) -> ConnectorError:
    """The error that a record tells of, of its own class."""
    kind = next((one for one in _tree(ConnectorError) if vars(one).get("name") == problem.name), ConnectorError)
    error = kind.__new__(kind, problem.message)
    ConnectorError.__init__(error, problem.message, remedy=problem.remedy)
    return error


def _tree(root: type[ConnectorError]) -> list[type[ConnectorError]]:
    return [root, *(one for child in root.__subclasses__() for one in _tree(child))]
