"""What an error of the tree is over HTTP."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from tools.docs import tree

from sentry_connector.errors import Cancelled, ConnectorError, NotSentry, RunCrashed, ScopeMissing, SentryUnreachable
from sentry_connector.web.problems import STATUSES, document, status_of

OF_RUNS = {ConnectorError, Cancelled, RunCrashed}
"""What a run ends with, and no request; and what is raised by nobody on purpose."""
RAISED = [kind for kind in tree(ConnectorError) if "name" in vars(kind) and kind not in OF_RUNS]


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_an_error_that_is_raised_on_purpose_is_no_defect(kind: type[ConnectorError]) -> None:
    assert any(issubclass(kind, known) for known, _ in STATUSES)


def test_what_is_the_other_sides_affair_is_told_as_such() -> None:
    assert status_of(NotSentry("x")) == status_of(SentryUnreachable("x")) == HTTPStatus.BAD_GATEWAY
    assert status_of(ScopeMissing("x")) == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_problem_holds_no_secret() -> None:
    token = f"sntryu_{'9' * 64}"
    told = document(ConnectorError(f"Bearer {token} of https://user:word@host/", remedy=token), HTTPStatus.CONFLICT)
    assert token not in str(told)
    assert "word" not in str(told)
