"""Secrets of every kind go into a server; then every route that there is is asked, well and badly, and tells none of them.

The routes are those of the policy, which has all (`test_the_table_is_of_all_routes`): a new one is asked by itself.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from sentry_connector.people.totp import code_of
from sentry_connector.simulator import TOKEN, Simulation
from sentry_connector.store.store import Store
from sentry_connector.web.policy import POLICY
from tests.canary import Canaries, forms
from tests.cli.listening import port_of
from tests.cli.shell import Shell
from tests.cli.test_serve import serving
from tests.web.town import path_of

PASSWORD = "seven quiet herons by the mill"
CLIENT_SECRET = "the-client-secret-of-a-provider-0123456789"
VAULT_KEY = base64.b64encode(bytes(range(100, 132))).decode()
HOOK_SECRET = "in-the-path-of-a-webhook-0123456789abcdef"

ANSWERS_A_SECRET = {
    ("POST", "/api/v1/login"),
    ("POST", "/api/v1/api-keys"),
    ("POST", "/api/v1/me/factor"),
    ("POST", "/api/v1/me/factor/confirm"),
    ("POST", "/api/v1/notices/channels"),
}
"""What they answer is made then, and shown this once: it is none of the secrets from before."""

BODIES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/v1/login"): {"name": "Ada", "password": PASSWORD, "code": "000000"},
    ("POST", "/api/v1/first-admin"): {"code": PASSWORD, "name": "Eve", "password": PASSWORD},
    ("POST", "/api/v1/me/password"): {"old": PASSWORD, "new": f"{PASSWORD} and on"},
    ("POST", "/api/v1/me/factor"): {"password": PASSWORD},
    ("POST", "/api/v1/me/factor/confirm"): {"code": "000000"},
    ("POST", "/api/v1/me/factor/remove"): {"password": PASSWORD},
    ("POST", "/api/v1/users"): {"name": "Cy", "role": "viewer", "password": PASSWORD},
    ("PATCH", "/api/v1/users/{name}"): {"role": "editor"},
    ("POST", "/api/v1/users/{name}/password"): {"password": f"{PASSWORD} and on"},
    ("POST", "/api/v1/api-keys"): {"name": "another", "scopes": ["read"]},
    ("POST", "/api/v1/origins"): {"url": "https://sentry.internal.example"},
    ("POST", "/api/v1/query"): {"sql": "SELECT * FROM connector.runs"},
    ("POST", "/api/v1/exports"): {"dataset": "E"},
    ("POST", "/api/v1/pull"): {"report": "organizations", "account": "Main"},
    ("POST", "/api/v1/accounts"): {"name": "Other", "token": TOKEN},
    ("PATCH", "/api/v1/accounts/{name}"): {"name": "Main"},
    ("POST", "/api/v1/accounts/{name}/replace-token"): {"token": TOKEN},
    ("POST", "/api/v1/datasets"): {"name": "New", "report": "organizations", "account": "Main"},
    ("PATCH", "/api/v1/datasets/{name}"): {"description": "x"},
    ("POST", "/api/v1/datasets/{name}/revert"): {"to_version": 0},
    ("POST", "/api/v1/datasets/{name}/backfill"): {"start": "today-3", "end": "today"},
    ("POST", "/api/v1/notices/channels"): {"name": "hook 2", "address": f"https://hooks.example/{HOOK_SECRET}"},
    ("PATCH", "/api/v1/notices/channels/{name}"): {"address": f"https://hooks.example/{HOOK_SECRET}/2"},
    ("POST", "/api/v1/runs"): {"dataset": "E"},
    ("PUT", "/api/v1/datasets/{name}/shares/{person}"): {"level": "use"},
    ("PUT", "/api/v1/accounts/{name}/shares/{person}"): {"level": "use"},
}
"""What a route is asked with; one that is not here with no fields."""

LAST = tuple(("POST", f"/api/v1/{word}") for word in ("login", "logout", "me/factor/remove", "me/password"))
"""What ends the session that asks: each is asked with a new one."""


class _Staying(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Nothing is followed."""


def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
    """The status, and all that was answered: headers too."""
    request = Request(url, data=body, method=method, headers={"Content-Type": "application/json", **headers})  # noqa: S310
    try:
        with build_opener(_Staying).open(request) as answer:
            return answer.status, bytes(answer.headers) + answer.read()
    except HTTPError as error:
        return error.code, bytes(error.headers) + error.read()


def asked() -> Iterator[tuple[str, str]]:
    """All routes: what looks, then what changes, then what takes away."""
    order = ("GET", "POST", "PUT", "PATCH", "DELETE")
    yield from sorted(POLICY.keys() - set(LAST), key=lambda one: (order.index(one[0]), one[1]))
    yield from LAST


def path(template: str, run: str) -> str:
    kind = template.removeprefix("/api/v1").split("/")[1]
    names = {"accounts": "Main", "notices": "hook", "users": "Bob", "people": "Bob"}
    return path_of(
        template, name=names.get(kind, "E"), run_id=run, report="projects", menu="organizations", person="Bob",
        origin="https://sentry.internal.example", key="key", session="none", digest="0", path="app.css",
    )  # fmt: skip


def test_no_route_tells_a_secret(shell: Shell, sentry: Simulation, tmp_path: Path) -> None:
    there = shell.without("SENTRY_AUTH_TOKEN").with_env(
        SENTRY_CONNECTOR_HOME=str(tmp_path / "home"),
        SENTRY_CONNECTOR_KEY=VAULT_KEY,
        SENTRY_CONNECTOR_OIDC_ISSUER="https://id.example",
        SENTRY_CONNECTOR_OIDC_CLIENT_ID="connector",
        SENTRY_CONNECTOR_OIDC_CLIENT_SECRET=CLIENT_SECRET,
    )
    there.ok("accounts", "add", "Main", stdin=TOKEN)
    there.ok("destinations", "add", "db", "--url", f"sqlite:///{tmp_path / 'rows.db'}")
    hook = there.json("notices", "add", "hook", stdin=f"http://127.0.0.1:9/{HOOK_SECRET}")["secret"]
    there.ok("datasets", "create", "--name", "E", "--report", "organizations", "--account", "Main")
    there.ok("datasets", "create", "--name", "D", "--report", "projects", "--account", "Main", "--destination", "db")
    there.ok("datasets", "run", "E")
    there.ok("datasets", "run", "D")
    there.ok("users", "add", "Ada", "--role", "admin", stdin=PASSWORD)
    there.ok("users", "add", "Bob", "--role", "editor", stdin=PASSWORD)
    key = there.json("api-keys", "add", "key", "--user", "Ada", "--scope", "admin")["key"]
    seed = there.json("users", "new-factor", "Bob")["seed"]
    codes = there.json("users", "confirm-factor", "Bob", stdin=code_of(seed, time.time()))["recovery_codes"]
    with Store(f"sqlite:///{there.home / 'connector.db'}") as store:
        known = store.people.password("Ada")
        run = store.runs.recent(limit=1)[0].id
    assert known is not None
    assert known[1] is not None
    with serving(there, "--public-url", "https://connector.example", "--behind-proxy", "127.0.0.1") as server:
        url = f"http://127.0.0.1:{port_of(server.process.pid)}"
        session = _session(url)
        secrets = [TOKEN, PASSWORD, CLIENT_SECRET, VAULT_KEY, HOOK_SECRET, hook, key, seed, *codes, session, known[1]]
        canaries = Canaries(secrets)
        told = list(_told(url, session, run))
        server.process.kill()
        streams = b"".join(server.process.communicate())
    there.ok("backup", str(tmp_path / "copy.db"))
    assert len(forms("x" * 20)) >= 12
    assert {one for one, _, _ in told} == set(POLICY)
    done = {one for one, status, _ in told if status < 400}
    assert len(done) >= 60, sorted(set(POLICY) - done)
    found = [(one, status, what) for one, status, content in told for what in canaries.found_in(content)]
    assert found == []
    assert canaries.found_in(streams) == []
    kept = Canaries([one for one in secrets if one != known[1]])
    assert {".db", ".jsonl", ".parquet", ".json"} <= {one.suffix for one in tmp_path.rglob("*")}
    assert kept.found_in_files(tmp_path) == []


def _session(server: str) -> str:
    body = json.dumps({"name": "Ada", "password": PASSWORD}).encode()
    _, answer = ask("POST", f"{server}/api/v1/login", {}, body)
    return answer.decode().partition("__Host-session=")[2].partition(";")[0]


def _told(server: str, session: str, run: str) -> Iterator[tuple[tuple[str, str], int, bytes]]:
    """Each route badly, then well."""
    for method, template in asked():
        if (method, template) in LAST:
            session = _session(server)
        headers = {"Cookie": f"__Host-session={session}", "Accept": "*/*"}
        url = server + path(template, run)
        wrong = json.dumps(TOKEN).encode() if method != "GET" else None
        yield (method, template), *ask(method, url, headers, wrong)
        right = json.dumps(BODIES.get((method, template), {})).encode() if method != "GET" else None
        yield (method, template), *ask(method, url, {**headers, "Idempotency-Key": f"{method} {template}"}, right)
