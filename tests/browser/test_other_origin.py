"""A page of another origin, in the browser of somebody who is signed in: it changes nothing, and shows no page of ours."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Response
from tools import pages

from sentry_connector.web.policy import POLICY
from tests.browser.filled import sign_in
from tests.cli.shell import Shell
from tests.cli.test_serve import Served, serving

MUTATING = sorted({(method, re.sub(r"{(\w+)[^}]*}", r"\1", path)) for method, path in POLICY if method != "GET"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")

ATTACK = """async ([server, routes, encodings]) => {
  const tries = [];
  const named = name => Object.assign(document.createElement("iframe"), {name});
  for (const [method, path] of routes) {
    const url = server + path;
    const json = {method, credentials: "include", headers: {"Content-Type": "application/json"}, body: "{}"};
    const plain = {method: "POST", mode: "no-cors", credentials: "include", body: "{}"};
    tries.push(fetch(url, json).then(() => `${method} ${path} was answered`, () => null));
    if (method === "POST") tries.push(fetch(url, plain).then(() => null, () => null));
    tries.push(new Promise(done => Object.assign(new Image(), {onload: () => done(`${path} is an image`), onerror: () => done(null), src: url})));
  }
  const told = (await Promise.all(tries)).filter(one => one !== null);
  for (const [number, [method, path]] of routes.filter(one => one[0] === "POST").entries()) {
    const frame = named(`frame${number}`);
    const form = Object.assign(document.createElement("form"), {
      method: "POST", action: server + path, target: frame.name, enctype: encodings[number % encodings.length]});
    document.body.append(frame, form);
    await new Promise(done => { frame.onload = done; form.submit(); });
  }
  return told;
}"""  # noqa: E501

FRAMED = """async urls => {
  for (const src of urls) {
    const frame = document.createElement("iframe");
    await new Promise(done => { frame.onload = done; frame.src = src; document.body.append(frame); });
  }
}"""


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Nothing is written."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of another server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def server(shell: Shell) -> Iterator[Served]:
    shell.ok("users", "add", pages.ADMIN, "--role", "admin", stdin=pages.PASSWORD)
    with serving(shell) as served:
        yield served


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_page_from_elsewhere_changes_nothing_and_frames_nothing(
    context: BrowserContext, server: Served, shell: Shell, elsewhere: int, host: str
) -> None:
    """From another port, which is of the same site, so that its requests bring the session; and from another name."""
    sign_in(context)
    before = shell.json("audit", "list")
    page, answers = context.new_page(), list[Response]()
    context.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  # Playwright marks what it is given
    page.goto(f"http://{host}:{elsewhere}/")
    assert page.evaluate(ATTACK, [server.url, MUTATING, FORMS]) == []
    ours = [one for one in answers if one.url.startswith(server.url)]
    posted = {urlsplit(one.url).path for one in ours if one.request.method == "POST"}
    assert posted == {urlsplit(path).path for method, path in MUTATING if method == "POST"}
    assert {one.status for one in ours if one.request.method == "POST"} == {403}
    assert [one.url for one in ours if one.ok] == []
    assert any("cookie" in one.request.all_headers() for one in ours) == (host == "127.0.0.1")
    assert context.request.get("/api/v1/me").ok, "the session is there still"
    assert shell.json("audit", "list") == before

    shown = [server.url + pages.address(one, pages.values_with("none")) for one in pages.templates()]
    page.evaluate(FRAMED, shown)
    frames = [frame for frame in page.frames[1:] if frame.url not in {"about:blank", ""}]
    assert len(frames) >= len(shown)
    assert {frame.url for frame in frames} == {"chrome-error://chromewebdata/"}
