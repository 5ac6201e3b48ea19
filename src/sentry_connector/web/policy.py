"""Who may use which path: one table. A path that is not in it is not answered, whatever the application has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sentry_connector.store.rights import Level, Right, Role, Thing


class Rule(NamedTuple):
    """What a request needs.

    Attributes:
        right: the scope that an API key needs; None = nobody needs to be signed in.
        role: the least role.
        thing: what the path names, where that is something that can be shared.
        level: the least level of it.
        by: the path's parameter that names it: `name`, or `run_id` for the DataSet of a run.
        before_factor: whether somebody may who has yet to set up the second factor that is required.
    """

    right: Right | None
    role: Role = Role.VIEWER
    thing: Thing | None = None
    level: Level = Level.USE
    by: str = "name"
    before_factor: bool = False


PUBLIC = Rule(None)
SIGNED_IN = Rule(Right.READ)
ONESELF = Rule(Right.READ, before_factor=True)
OWN_FACTOR = Rule(Right.ADMIN, before_factor=True)  # a session; as for one's own password
EDITOR = Rule(Right.EDIT, Role.EDITOR)
MAKER = Rule(Right.READ, Role.EDITOR)
READ_ADMIN = Rule(Right.READ, Role.ADMIN)
ADMIN = Rule(Right.ADMIN, Role.ADMIN)


def _dataset(right: Right, level: Level, by: str = "name") -> Rule:
    role = Role.VIEWER if level is Level.USE else Role.EDITOR
    return Rule(right, role, Thing.DATASET, level, by)


def _account(right: Right, level: Level) -> Rule:
    role = Role.VIEWER if level is Level.USE else Role.EDITOR
    return Rule(right, role, Thing.ACCOUNT, level)


def _destination(right: Right) -> Rule:
    return Rule(right, Role.EDITOR, Thing.DESTINATION, Level.SHARE)


_API = "/api/v1"
_DESTINATION = f"{_API}/destinations/{{name}}"
_DATASET, _ACCOUNT, _RUN = f"{_API}/datasets/{{name}}", f"{_API}/accounts/{{name}}", f"{_API}/runs/{{run_id}}"

POLICY: Mapping[tuple[str, str], Rule] = {
    ("GET", "/livez"): PUBLIC,
    ("POST", f"{_API}/login"): PUBLIC,
    ("POST", f"{_API}/first-admin"): PUBLIC,  # needs the code of the console
    ("GET", f"{_API}/oidc/start"): PUBLIC,
    ("GET", f"{_API}/oidc/callback"): PUBLIC,
    ("GET", "/static/{digest}/{path:path}"): PUBLIC,
    ("GET", "/sign-in"): PUBLIC,
    ("GET", "/first-admin"): PUBLIC,
    ("GET", "/"): SIGNED_IN,  # the DataSets that the person may read
    ("GET", "/datasets"): SIGNED_IN,  # leads there
    ("GET", "/bin"): SIGNED_IN,  # those that the person owned
    ("GET", "/runs"): SIGNED_IN,
    ("GET", "/runs/{run_id}"): _dataset(Right.READ, Level.USE, "run_id"),
    ("GET", "/accounts"): SIGNED_IN,  # those that the person may use
    ("GET", "/accounts/new"): EDITOR,
    ("GET", "/accounts/{name}"): _account(Right.READ, Level.USE),
    ("GET", "/query"): SIGNED_IN,
    ("GET", "/notices"): SIGNED_IN,  # those about what the person may see
    ("GET", "/notices/channels"): READ_ADMIN,
    ("GET", "/notices/channels/{name}"): READ_ADMIN,
    ("GET", "/people"): READ_ADMIN,
    ("GET", "/people/{name}"): READ_ADMIN,
    ("GET", "/audit"): READ_ADMIN,
    ("GET", "/audit/proof"): READ_ADMIN,
    ("GET", "/health"): READ_ADMIN,
    ("GET", "/me"): ONESELF,
    ("GET", "/datasets/new"): EDITOR,
    ("GET", "/version"): SIGNED_IN,
    ("GET", "/readyz"): READ_ADMIN,
    ("GET", "/metrics"): READ_ADMIN,
    ("GET", f"{_API}/openapi.json"): SIGNED_IN,
    ("POST", f"{_API}/logout"): ONESELF,
    ("GET", f"{_API}/me"): ONESELF,
    ("GET", f"{_API}/me/sessions"): SIGNED_IN,
    ("DELETE", f"{_API}/me/sessions"): Rule(Right.ADMIN),
    ("DELETE", f"{_API}/me/sessions/{{session}}"): Rule(Right.ADMIN),
    ("GET", f"{_API}/me/factor"): ONESELF,
    ("POST", f"{_API}/me/factor"): OWN_FACTOR,
    ("POST", f"{_API}/me/factor/confirm"): OWN_FACTOR,
    ("POST", f"{_API}/me/factor/remove"): OWN_FACTOR,
    ("POST", f"{_API}/me/password"): Rule(Right.ADMIN),  # a session; no key but one for all may take the person over
    ("GET", f"{_API}/users"): READ_ADMIN,
    ("POST", f"{_API}/users"): ADMIN,
    ("GET", f"{_API}/users/{{name}}"): READ_ADMIN,
    ("PATCH", f"{_API}/users/{{name}}"): ADMIN,
    ("DELETE", f"{_API}/users/{{name}}"): ADMIN,
    ("POST", f"{_API}/users/{{name}}/password"): ADMIN,
    ("POST", f"{_API}/users/{{name}}/sign-out"): ADMIN,
    ("DELETE", f"{_API}/users/{{name}}/factor"): ADMIN,
    ("GET", f"{_API}/api-keys"): SIGNED_IN,  # one's own
    ("POST", f"{_API}/api-keys"): Rule(Right.EDIT),  # one's own, with no more scopes than the key that asks
    ("DELETE", f"{_API}/api-keys/{{key}}"): Rule(Right.EDIT),  # one's own
    ("GET", f"{_API}/origins"): READ_ADMIN,
    ("POST", f"{_API}/origins"): ADMIN,
    ("DELETE", f"{_API}/origins/{{origin:path}}"): ADMIN,
    ("GET", f"{_API}/audit"): READ_ADMIN,
    ("GET", f"{_API}/audit/proof"): READ_ADMIN,
    ("GET", f"{_API}/audit/export"): READ_ADMIN,
    ("GET", f"{_API}/reports"): SIGNED_IN,
    ("GET", f"{_API}/reports/{{report}}"): SIGNED_IN,
    ("GET", f"{_API}/choices/{{menu}}"): MAKER,  # with an account that they may use, which the house sees to
    ("GET", f"{_API}/schedule"): SIGNED_IN,
    ("GET", f"{_API}/days"): SIGNED_IN,
    ("GET", f"{_API}/update-methods"): SIGNED_IN,
    ("POST", f"{_API}/preview"): Rule(Right.RUN, Role.EDITOR),  # with an account that they may use
    ("POST", f"{_API}/plan"): Rule(Right.RUN, Role.EDITOR),  # so too
    ("GET", f"{_API}/settings"): READ_ADMIN,
    ("GET", f"{_API}/workers"): READ_ADMIN,  # it tells of machines
    ("GET", f"{_API}/doctor"): READ_ADMIN,  # it tells of the server's own machine
    ("POST", f"{_API}/query"): SIGNED_IN,  # over the DataSets that the person may read
    ("POST", f"{_API}/query/first-rows"): SIGNED_IN,
    ("POST", f"{_API}/query/{{ticket}}/cancel"): SIGNED_IN,  # one's own
    ("GET", f"{_API}/query/names"): SIGNED_IN,
    ("GET", f"{_API}/queries"): SIGNED_IN,  # one's own, and those that are shared
    ("GET", f"{_API}/queries/{{name:path}}"): SIGNED_IN,
    ("PUT", f"{_API}/queries/{{name:path}}"): Rule(Right.EDIT),  # one's own; the store asks editors to share
    ("DELETE", f"{_API}/queries/{{name:path}}"): Rule(Right.EDIT),  # one's own
    ("POST", f"{_API}/exports"): SIGNED_IN,  # over the DataSets that the person may read
    ("POST", f"{_API}/pull"): Rule(Right.RUN, Role.EDITOR),  # with an account that they may use
    **{
        ("GET", f"/datasets/{{name}}{tab}"): _dataset(Right.READ, Level.USE)
        for tab in ("", "/data", "/schema", "/stats", "/history", "/lineage", "/export")
    },
    ("GET", "/datasets/{name}/settings"): _dataset(Right.EDIT, Level.EDIT),
    ("GET", f"{_API}/accounts"): SIGNED_IN,  # those that the person may use
    ("POST", f"{_API}/accounts"): EDITOR,
    ("GET", _ACCOUNT): _account(Right.READ, Level.USE),
    ("PATCH", _ACCOUNT): _account(Right.EDIT, Level.EDIT),
    ("DELETE", _ACCOUNT): _account(Right.EDIT, Level.OWNER),
    ("GET", f"{_ACCOUNT}/checks"): Rule(Right.RUN, Role.EDITOR, Thing.ACCOUNT, Level.USE),  # Sentry is asked
    ("POST", f"{_ACCOUNT}/check"): _account(Right.RUN, Level.EDIT),
    ("POST", f"{_ACCOUNT}/replace-token"): _account(Right.EDIT, Level.EDIT),
    ("GET", f"{_API}/overview"): SIGNED_IN,  # those that the person may read
    ("GET", f"{_API}/datasets"): SIGNED_IN,  # those that the person may read
    ("POST", f"{_API}/datasets"): EDITOR,
    ("GET", _DATASET): _dataset(Right.READ, Level.USE),
    ("PATCH", _DATASET): _dataset(Right.EDIT, Level.EDIT),
    ("DELETE", _DATASET): _dataset(Right.EDIT, Level.OWNER),
    **{("POST", f"{_DATASET}/{word}"): EDITOR for word in ("restore", "purge")},  # the store shows each what they owned
    **{
        ("POST", f"{_DATASET}/{word}"): _dataset(Right.EDIT, Level.EDIT)
        for word in ("pause", "resume", "mute", "unmute")
    },
    **{
        ("GET", f"{_DATASET}/{word}"): _dataset(Right.READ, Level.USE)
        for word in (
            *("rows", "rows/page", "schema", "stats", "stats/columns", "stats/columns/{column}", "charts/{number}"),
            *("drift", "history", "lineage", "versions", "next"),
        )
    },
    ("GET", f"{_DATASET}/preview"): _dataset(Right.RUN, Level.EDIT),  # Sentry is asked
    ("POST", f"{_DATASET}/revert"): _dataset(Right.EDIT, Level.EDIT),
    ("POST", f"{_DATASET}/delete-update"): _dataset(Right.EDIT, Level.EDIT),
    ("POST", f"{_DATASET}/backfill"): _dataset(Right.RUN, Level.EDIT),
    ("GET", f"{_API}/config"): READ_ADMIN,
    ("POST", f"{_API}/config/plan"): READ_ADMIN,
    ("POST", f"{_API}/config/apply"): ADMIN,
    ("POST", f"{_API}/vault/rotate"): ADMIN,
    ("POST", f"{_API}/destinations"): ADMIN,
    ("GET", f"{_API}/destinations/{{name}}"): READ_ADMIN,
    ("DELETE", f"{_API}/destinations/{{name}}"): ADMIN,
    ("POST", f"{_API}/destinations/{{name}}/check"): ADMIN,
    ("POST", f"{_API}/destinations/{{name}}/replace-password"): ADMIN,
    ("GET", f"{_API}/destinations"): SIGNED_IN,  # the names of those that they may use
    ("GET", f"{_API}/notices"): SIGNED_IN,  # those about what the person may see
    ("GET", f"{_API}/notices/channels"): READ_ADMIN,
    ("POST", f"{_API}/notices/channels"): ADMIN,
    ("GET", f"{_API}/notices/channels/{{name}}"): READ_ADMIN,
    ("PATCH", f"{_API}/notices/channels/{{name}}"): ADMIN,
    ("DELETE", f"{_API}/notices/channels/{{name}}"): ADMIN,
    ("POST", f"{_API}/notices/channels/{{name}}/test"): ADMIN,
    ("GET", f"{_API}/runs"): SIGNED_IN,  # those of DataSets that the person may read
    ("POST", f"{_API}/runs"): Rule(Right.RUN, Role.EDITOR),  # the store asks for the level of the DataSet
    ("GET", _RUN): _dataset(Right.READ, Level.USE, "run_id"),
    ("GET", f"{_RUN}/log"): _dataset(Right.READ, Level.USE, "run_id"),
    ("GET", f"{_RUN}/log/events"): _dataset(Right.READ, Level.USE, "run_id"),
    ("GET", f"{_RUN}/events"): _dataset(Right.READ, Level.USE, "run_id"),
    ("POST", f"{_RUN}/cancel"): _dataset(Right.RUN, Level.EDIT, "run_id"),
    ("GET", f"{_DATASET}/shares"): _dataset(Right.READ, Level.SHARE),
    ("PUT", f"{_DATASET}/shares/{{person}}"): _dataset(Right.EDIT, Level.SHARE),
    ("DELETE", f"{_DATASET}/shares/{{person}}"): _dataset(Right.EDIT, Level.SHARE),
    ("GET", f"{_ACCOUNT}/shares"): _account(Right.READ, Level.SHARE),
    ("PUT", f"{_ACCOUNT}/shares/{{person}}"): _account(Right.EDIT, Level.SHARE),
    ("DELETE", f"{_ACCOUNT}/shares/{{person}}"): _account(Right.EDIT, Level.SHARE),
    ("GET", f"{_DESTINATION}/shares"): _destination(Right.READ),
    ("PUT", f"{_DESTINATION}/shares/{{person}}"): _destination(Right.EDIT),
    ("DELETE", f"{_DESTINATION}/shares/{{person}}"): _destination(Right.EDIT),
}


class Asked(NamedTuple):
    """What a request asks for: the rule of its path, the path's template, and the values in it."""

    rule: Rule
    template: str
    values: Mapping[str, str]


class Policy:
    """Finds the rule of a request."""

    def __init__(self, rules: Mapping[tuple[str, str], Rule] = POLICY) -> None:
        # Fixed words before parameters, as the application's own order has to have it.
        self._rules = [
            (method, template, re.compile(_pattern(template)), rule)
            for (method, template), rule in sorted(rules.items(), key=lambda one: (one[0][1].count("{"), one[0]))
        ]

    def find(self, method: str, path: str) -> Asked | None:
        """The rule; None where there is no such path with that method. HEAD is as GET."""
        method = "GET" if method == "HEAD" else method
        for known, template, pattern, rule in self._rules:
            if known == method and (match := pattern.fullmatch(path)):
                return Asked(rule, template, match.groupdict())
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that there are for a path."""
        found = {method for method, _, pattern, _ in self._rules if pattern.fullmatch(path)}
        return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _pattern(template: str) -> str:
    """A regular expression of a template, as the router understands it: a parameter is one piece of the path."""
    pieces = re.split(r"\{(\w+)(:path)?\}", template)
    made = re.escape(pieces[0])
    for name, whole, rest in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        made += f"(?P<{name}>{'.*' if whole else '[^/]+'})" + re.escape(rest)
    return made
