"""People on the command line, and a server that knows them: real processes, real TLS."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import ssl
import time
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path
from subprocess import PIPE
from urllib.request import Request, urlopen

import aiohttp
import pytest
import trustme

from sentry_connector.people.totp import code_of
from sentry_connector.simulator import Simulation
from sentry_connector.store.records import Run, RunState, Trigger
from sentry_connector.store.store import Store
from tests.cli.listening import port_of
from tests.cli.shell import Shell
from tests.cli.test_serve import serving
from tests.store.examples import NOW

PASSWORD = "seven quiet herons by the mill"


@pytest.fixture
def peopled(shell: Shell) -> Shell:
    shell.ok("users", "add", "Ada", "--role", "admin", stdin=PASSWORD)
    shell.ok("users", "add", "Bob", "--role", "editor", stdin=PASSWORD)
    return shell


def test_the_first_person_is_an_admin_and_the_last_admin_stays(shell: Shell) -> None:
    refused = shell("users", "add", "Bob", "--role", "editor", stdin=PASSWORD)
    assert (refused.exit_code, "has to be an admin" in refused.stderr) == (2, True)
    shell.ok("users", "add", "Ada", "--role", "admin", stdin=PASSWORD)
    shell.ok("users", "add", "Bob", "--role", "editor", stdin=PASSWORD)
    for command in (("set-role", "ada", "viewer"), ("deactivate", "Ada"), ("delete", "Ada", "--yes")):
        refused = shell("users", *command)
        assert (refused.exit_code, "last admin" in refused.stderr) == (2, True)
    assert [one["name"] for one in shell.json("users", "list")] == ["Ada", "Bob"]
    shell.ok("users", "delete", "Bob", "--yes")
    shell.ok("users", "delete", "Ada", "--yes")
    assert shell.json("users", "list") == []


@pytest.mark.parametrize(
    "password", ["too short", "password1234", "qwertyuiop12", "aaaaaaaaaaaaaaaa", "sentryconnector", "x" * 129]
)
def test_a_password_that_would_soon_be_guessed_is_refused(shell: Shell, password: str) -> None:
    refused = shell("users", "add", "Ada", "--role", "admin", stdin=password)
    assert refused.exit_code == 2
    assert password not in refused.stderr + refused.stdout


def test_passwords_may_hold_anything(shell: Shell) -> None:
    shell.ok("users", "add", "Ada", "--role", "admin", stdin="ünïcode und Leerzeichen, 🦆 & more")


BY_CHANCE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w$+/=.,-]{16,}")
"""What looks as if it were: a digest, a key, a sealed secret; not a word, an address or a sentence."""


def made_by(shell: Shell, token: str) -> tuple[set[str], set[str]]:
    """What a fresh installation makes for itself and shows once; and all that it then keeps, value by value."""
    with shell.process("serve", "--port", "0", "--people", stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().decode().strip()
        shown = {process.stderr.readline().decode().split()[-1]}
        shell.ok("users", "add", "Ada", "--role", "admin", stdin=PASSWORD)
        shown.add(shell.json("api-keys", "add", "key", "--user", "Ada")["key"])
        shell.ok("accounts", "add", "Main", stdin=token)
        shown.add(shell.json("notices", "add", "hook", stdin="https://hook.example/path")["secret"])
        body = json.dumps({"name": "Ada", "password": PASSWORD}).encode()
        request = Request(f"{url}/api/v1/login", body, {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request) as answer:  # noqa: S310
            shown.add(SimpleCookie(answer.headers["Set-Cookie"])["session"].value)
        process.kill()
    seed = shell.json("users", "new-factor", "Ada")["seed"]
    codes = shell.json("users", "confirm-factor", "Ada", stdin=code_of(seed, time.time()))["recovery_codes"]
    kept = {(shell.home / "vault.key").read_text().strip()}
    with closing(sqlite3.connect(shell.home / "connector.db")) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = database.execute(f"SELECT * FROM {table}").fetchall()
            kept |= {str(value) for row in rows for value in row if value is not None}
    return {*shown, seed, *codes}, kept


def test_two_fresh_installs_share_no_secret(shell: Shell, sentry: Simulation, tmp_path: Path) -> None:
    """Whatever an installation makes for itself, another one has something else: looked at in all that each keeps."""
    installs = [shell.with_env(SENTRY_CONNECTOR_HOME=str(tmp_path / name)) for name in ("one", "other")]
    (shown, kept), (others_shown, others_kept) = (made_by(one, sentry.token) for one in installs)
    assert len(shown) == len(others_shown) == 4 + 1 + 8
    assert shown & others_shown == set()
    assert {value for value in kept & others_kept if BY_CHANCE.fullmatch(value)} == set()
    assert len([value for value in kept if BY_CHANCE.fullmatch(value)]) >= 20
    sealed = [value for value in kept if value.startswith("v1.")]
    assert len(sealed) >= 3, "a token, an address, a seed"
    assert any(value.startswith("$argon2id$") for value in kept)


def test_a_second_factor_is_set_up_and_reset(peopled: Shell) -> None:
    assert peopled("users", "confirm-factor", "Bob", stdin="123456").exit_code == 2
    offered = peopled.json("users", "new-factor", "Bob")
    assert offered["seed"] in offered["uri"]
    wrong = peopled("users", "confirm-factor", "Bob", stdin="no code")
    assert (wrong.exit_code, "That is not the code" in wrong.stderr) == (2, True)
    codes = peopled.ok("users", "confirm-factor", "Bob", stdin=code_of(offered["seed"], time.time())).stdout.split()
    assert len(codes) == 8
    assert peopled.json("users", "show", "Bob")["factor_since"] is not None
    assert peopled.json("users", "sessions", "Bob") == []
    peopled.ok("users", "sign-out", "Bob")
    assert peopled.json("users", "reset-factor", "Bob")["factor_since"] is None
    told = peopled.json("audit", "list")
    assert [(one["action"], one["object"]) for one in told[:4]] == [
        ("users reset-factor", "Bob"), ("users sign-out", "Bob"), ("users confirm-factor", "Bob"), ("users new-factor", "Bob"),
    ]  # fmt: skip
    assert offered["seed"] not in json.dumps(told)


def test_what_is_changed_on_the_command_line_is_written_down(peopled: Shell) -> None:
    peopled.ok("datasets", "create", "--name", "Shop", "--report", "projects")
    peopled.ok("datasets", "share", "Shop", "bob", "--level", "edit")
    peopled.ok("datasets", "edit", "Shop", "--description", "x")
    peopled("datasets", "edit", "None", "--description", "x")
    entries = peopled.json("audit", "list")
    assert [(one["action"], one["object"]) for one in entries[:3]] == [
        ("datasets edit", "Shop"), ("datasets share", "Shop"), ("datasets create", "Shop"),
    ]  # fmt: skip
    assert entries[1]["facts"] == {"user": "Bob", "level": "edit"}
    assert {one["via"] for one in entries} == {"command line"}
    lines = [json.loads(line) for line in peopled.ok("audit", "export").stdout.splitlines()]
    assert lines == entries[::-1]
    assert peopled.json("audit", "verify") == {"entries": len(entries), "digest": entries[0]["digest"]}
    assert peopled.json("audit", "list", "--before", "2", "--limit", "9") == [entries[-1]]


def test_the_last_owner_stays(peopled: Shell) -> None:
    peopled.ok("datasets", "create", "--name", "Shop", "--report", "projects")
    assert "nobody's own" in peopled("datasets", "share", "Shop").stderr
    peopled.ok("datasets", "share", "Shop", "Bob", "--level", "owner")
    assert peopled.json("datasets", "show", "Shop")["owner"] == "Bob"
    for level in ("none", "edit"):
        refused = peopled("datasets", "share", "Shop", "Bob", "--level", level)
        assert (refused.exit_code, "last owner" in refused.stderr) == (2, True)
    peopled.ok("datasets", "share", "Shop", "Ada", "--level", "owner")
    peopled.ok("datasets", "share", "Shop", "Bob", "--level", "none")
    assert [(one["person"], one["level"]) for one in peopled.json("datasets", "share", "Shop")] == [("Ada", "owner")]


def test_once_there_are_people_private_servers_are_asked_where_an_admin_allows_it(
    shell: Shell, sentry: Simulation
) -> None:
    elsewhere = shell.with_env(SENTRY_URL="https://sentry.io")
    elsewhere.ok("accounts", "add", "Before", "--url", sentry.url, stdin=sentry.token)
    elsewhere.ok("users", "add", "Ada", "--role", "admin", stdin=PASSWORD)
    elsewhere.ok("accounts", "check", "Before")
    elsewhere.ok("origins", "remove", sentry.url)
    refused = elsewhere("accounts", "add", "After", "--url", sentry.url, stdin=sentry.token)
    assert (refused.exit_code, "origins add" in refused.stderr) == (2, True)
    elsewhere.ok("origins", "add", sentry.url)
    elsewhere.ok("accounts", "add", "After", "--url", sentry.url, stdin=sentry.token)


async def test_a_server_for_others_speaks_tls_under_its_own_name(peopled: Shell, tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    options = ("--host", "0.0.0.0", "--public-url", "https://connector.example")  # noqa: S104  # that is what is tried
    files = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with serving(peopled, *options, *files) as server:
        assert server.url == "https://connector.example"
        url = f"https://localhost:{port_of(server.process.pid)}"
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection("localhost", port_of(server.process.pid), ssl=_of_2006(trust))
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=trust)) as http:

            async def status(method: str, path: str, **headers: str) -> int:
                async with http.request(method, path, headers=headers) as answer:
                    await answer.read()
                    return answer.status

            assert await status("GET", "/livez") == 200
            assert await status("GET", "/livez", Host="connector.example") == 200
            assert await status("GET", "/livez", Host="evil.example") == 421
            assert await status("GET", "/api/v1/runs") == 401
            answer = await http.post("/api/v1/login", json={"name": "bob", "password": PASSWORD})
            assert (await answer.json())["user"]["name"] == "Bob"
            cookie = answer.cookies["__Host-session"]
            assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
            session = f"__Host-session={cookie.value}"
            assert await status("GET", "/api/v1/me", Cookie=session) == 200
            assert await status("POST", "/api/v1/logout", Cookie=session, Origin="https://evil.example") == 403
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def _of_2006(context: ssl.SSLContext) -> ssl.SSLContext:
    """A client that speaks nothing newer than TLS 1.1."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cadata="".join(map(ssl.DER_cert_to_PEM_cert, context.get_ca_certs(binary_form=True))))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return old


async def test_a_stream_ends_with_the_session_that_it_was_asked_for_by(peopled: Shell) -> None:
    peopled.ok("datasets", "create", "--name", "Shop", "--report", "projects")
    peopled.ok("datasets", "share", "Shop", "Bob", "--level", "use")
    key = peopled.json("api-keys", "add", "watch", "--user", "Bob")["key"]
    with serving(peopled) as server, Store(f"sqlite:///{peopled.home / 'connector.db'}") as store:
        waits = Run(
            id="waits", dataset_id=store.datasets.find("Shop").id, trigger=Trigger.MANUAL, state=RunState.RETRYING,
            queued_at=NOW, not_before=NOW.replace(year=2090),
        )  # fmt: skip
        store.runs.add(waits)
        async with aiohttp.ClientSession(server.url, headers={"Authorization": f"Bearer {key}"}) as http:
            stream = await http.get("/api/v1/runs/waits/events")
            assert (await stream.content.readuntil(b"\n\n")).startswith(b"retry:")
            assert b"event: progress" in await stream.content.readuntil(b"\n\n")
            peopled.ok("users", "deactivate", "Bob")
            rest = await asyncio.wait_for(stream.read(), 30)
            assert b"access.sign_in" in rest


def test_the_code_for_the_first_admin_is_on_the_console(shell: Shell) -> None:
    process = shell.process("serve", "--port", "0", "--people", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline().startswith(b"http://")
        said = process.stderr.readline().decode()
        code = said.split()[-1]
        assert re.fullmatch(r"([0-9a-f]{4}-){4}[0-9a-f]{4}", code), said
    finally:
        process.kill()
        process.communicate()
    files = b"".join(path.read_bytes() for path in shell.home.rglob("*") if path.is_file())
    assert code.encode() not in files
