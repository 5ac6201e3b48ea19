"""Set-ups that are broken in different ways: `doctor` finds each, by a name and a remedy of its own."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from sentry_connector.simulator import EXPIRED_TOKEN, ORG_TOKEN, SSO_TOKEN
from tests.cli.shell import Shell


class _Answering(BaseHTTPRequestHandler):
    """Answers every GET by what its server was made for."""

    server: Little

    def do_GET(self) -> None:  # the library's name
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Little(ThreadingHTTPServer):
    """A server that gives one answer."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.status, self.body, self.headers = status, body, headers

    def handle_error(self, *_: object) -> None:
        """A client that refuses the certificate goes without a word."""


@contextlib.contextmanager
def serving(server: Little) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Breakage = Callable[[Shell, Path, contextlib.ExitStack], Shell]


def _url(text: str) -> Breakage:
    return lambda shell, _folder, _stack: shell.with_env(SENTRY_URL=text)


def _token(text: str) -> Breakage:
    return lambda shell, _folder, _stack: shell.with_env(SENTRY_AUTH_TOKEN=text)


def _server(make: Callable[[], Little]) -> Breakage:
    return lambda shell, _folder, stack: shell.with_env(SENTRY_URL=f"http://{stack.enter_context(serving(make()))}")


def _own_certificate(shell: Shell, _folder: Path, stack: contextlib.ExitStack) -> Shell:
    server = Little(200, b"[]")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return shell.with_env(SENTRY_URL=f"https://{stack.enter_context(serving(server))}")


def _no_proxy(shell: Shell, _folder: Path, _stack: contextlib.ExitStack) -> Shell:
    return shell.with_env(SENTRY_CONNECTOR_PROXY="http://127.0.0.1:9")


def _damaged_store(shell: Shell, folder: Path, _stack: contextlib.ExitStack) -> Shell:
    damaged = folder / "damaged.db"
    damaged.write_bytes(b"this is no database" * 100)
    return shell.with_env(SENTRY_CONNECTOR_DATABASE_URL=f"sqlite:///{damaged}")


def _storage_is_a_file(shell: Shell, folder: Path, _stack: contextlib.ExitStack) -> Shell:
    (folder / "tables").write_text("a file where a folder should be")
    return shell.with_env(SENTRY_CONNECTOR_STORAGE=str(folder / "tables" / "here"))


BROKEN: dict[str, Breakage] = {
    "usage.invalid": _url("ftp://sentry.example"),
    "sentry.host_unknown": _url("https://no-such-host.invalid"),
    "sentry.unreachable": _url("http://127.0.0.1:9"),
    "sentry.not_sentry": _server(lambda: Little(200, b"<html>Please log in", **{"Content-Type": "text/html"})),
    "sentry.unavailable": _server(lambda: Little(503, b"<html>Bad gateway", **{"Content-Type": "text/html"})),
    "token.not_for_host": _server(lambda: Little(302, Location="https://elsewhere.example/api/0/")),
    "tls.failed": _own_certificate,
    "proxy.failed": _no_proxy,
    "token.rejected": _token(EXPIRED_TOKEN),
    "token.access_denied": _token(SSO_TOKEN),
    "scope.missing": _token(ORG_TOKEN),
    "store.unusable": _damaged_store,
    "destination.refused": _storage_is_a_file,
}
"""What `doctor` calls the breakage → how to break a good set-up."""


def first_failure(shell: Shell) -> tuple[str, str, int]:
    """The name and the remedy of the first check that fails, and the exit code."""
    result = shell("doctor", "--json")
    failed = next(check for check in json.loads(result.stdout)["checks"] if check["error"])
    return failed["error"], failed["remedy"], result.exit_code


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_set_up_is_told_by_its_name(name: str, shell: Shell, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        found, remedy, exit_code = first_failure(BROKEN[name](shell, tmp_path, stack))
    assert found == name
    assert remedy
    assert exit_code > 0


def test_no_two_broken_set_ups_have_one_remedy(shell: Shell, tmp_path: Path) -> None:
    """Each says what to do about just this."""
    remedies = set()
    for break_it in BROKEN.values():
        with contextlib.ExitStack() as stack:
            remedies.add(first_failure(break_it(shell, tmp_path, stack))[1])
    assert len(remedies) == len(BROKEN) >= 10


def test_a_good_set_up_passes(shell: Shell) -> None:
    assert shell.json("doctor")["ok"]
