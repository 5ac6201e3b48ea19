from __future__ import annotations

import asyncio
import gzip
import itertools
import logging
import random
import traceback
from collections.abc import Callable, Mapping

import pytest
from aiohttp import web
from tests.sentry.support import TOKEN, VirtualClock, client_of, http_date, json_answer, link, request_to, serving

from sentry_connector import __version__
from sentry_connector.errors import (
    AnswerTooLarge,
    ConnectorError,
    CursorLoop,
    MalformedAnswer,
    NotSentry,
    RateLimited,
    RequestRefused,
    ScopeMissing,
    SentryUnavailable,
    TokenMissing,
    TokenNotForHost,
    TokenRejected,
    UsageError,
)
from sentry_connector.sentry.budget import Budgets
from sentry_connector.sentry.client import Answer, Connection, SentryClient
from sentry_connector.sentry.reply import Reply
from sentry_connector.sentry.wire import Request


class Script:
    """A server that gives these answers in turn, the last one for ever; `seen` holds the requests."""

    def __init__(self, *answers: Callable[[], web.Response]) -> None:
        self.answers = list(answers)
        self.seen: list[web.Request] = []

    async def __call__(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]()


def status(code: int, body: str = "", **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=code, text=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def page(text: str = "[1]", **headers: str) -> Callable[[], web.Response]:
    return lambda: json_answer(text, **headers)


async def ask(script: Script, clock: VirtualClock | None = None, **changes: object) -> tuple[Answer, SentryClient]:
    async with serving(script) as port, client_of(port, clock, **changes) as client:
        return await client.get(request_to(client)), client


async def read_pages(script: Script) -> list[bytes]:
    async with serving(script) as port, client_of(port) as client:
        return [answer.body async for answer in client.pages(request_to(client))]


# --- one request ------------------------------------------------------------------------------------------------------


async def test_a_request_carries_the_token_in_authorization_alone_and_says_who_asks() -> None:
    script = Script(page(Set_Cookie="sentrysid=1; Path=/"))
    async with serving(script) as port, client_of(port) as client:
        await client.get(request_to(client, params=(("query", "ü &"), ("query", ""))))
        await client.get(request_to(client))
    first, second = script.seen
    assert first.method == "GET"
    assert first.raw_path == "/api/0/things/?query=%C3%BC+%26&query="
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert first.headers["User-Agent"] == f"sentry-connector/{__version__}"
    assert [name for name, value in first.headers.items() if TOKEN in value] == ["Authorization"]
    assert "Cookie" not in second.headers


async def test_quoted_path_segments_reach_the_server_as_they_were_quoted() -> None:
    script = Script(page())
    async with serving(script) as port, client_of(port) as client:
        await client.get(request_to(client, "/projects/acme/a%2Fb%25%3F%27/"))
    assert script.seen[0].raw_path == "/api/0/projects/acme/a%2Fb%25%3F%27/"


async def test_packed_answers_a_byte_order_mark_and_html_as_content_type_do_no_harm() -> None:
    def packed() -> web.Response:
        body = gzip.compress(b"\xef\xbb\xbf [1] ")
        return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="text/html")

    answer, client = await ask(Script(packed))
    assert answer.body == b" [1] "
    assert answer.next_cursor is None
    assert client.usage.bytes == 8


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "", "  ", "Hello", "\ufffd"])
async def test_a_page_that_is_not_sentrys_is_told_at_once_at_an_unknown_host(body: str) -> None:
    script = Script(status(200, body))
    with pytest.raises(NotSentry):
        await ask(script)
    assert len(script.seen) == 1


async def test_a_page_that_is_not_sentrys_is_a_passing_trouble_at_a_host_that_answered_well_before() -> None:
    script = Script(page(), status(200, "<html>busy</html>"), status(200, "<html>busy</html>"), page("[2]"))
    async with serving(script) as port, client_of(port) as client:
        await client.get(request_to(client))
        assert (await client.get(request_to(client))).body == b"[2]"


async def test_an_answer_beyond_the_cap_is_refused_and_not_asked_for_again() -> None:
    def bomb() -> web.Response:
        return web.Response(body=gzip.compress(bytes(8 * 2**20)), headers={"Content-Encoding": "gzip"})

    script = Script(bomb)
    with pytest.raises(AnswerTooLarge):
        await ask(script, max_answer_bytes=2**20)
    assert len(script.seen) == 1


# --- asking again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504, 520])
async def test_server_errors_are_asked_again_with_growing_jittered_pauses_until_attempts_are_spent(code: int) -> None:
    clock, script = VirtualClock(), Script(status(code, "<html>"))
    with pytest.raises(SentryUnavailable):
        await ask(script, clock)
    assert len(script.seen) == 6
    rng = random.Random(1)  # noqa: S311  # the client's own seed
    assert clock.sleeps == [rng.uniform(0, most) for most in (1, 2, 4, 8, 10)]


async def test_an_overload_that_comes_as_400_is_asked_again() -> None:
    script = Script(status(400, '{"detail": "Query timeout. Please try again."}'), page())
    _, client = await ask(script)
    assert (client.usage.requests, client.usage.retries) == (2, 1)


@pytest.mark.parametrize(
    ("code", "kind"), [(400, RequestRefused), (401, TokenRejected), (403, ScopeMissing), (405, RequestRefused)]
)
async def test_what_asking_again_does_not_cure_is_asked_once(code: int, kind: type[ConnectorError]) -> None:
    script = Script(status(code, '{"detail": "no"}'))
    with pytest.raises(kind):
        await ask(script)
    assert len(script.seen) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "4"}, 4.0),
        ({"Retry_After": http_date(1_700_000_007)}, 7.0),
        ({"X_Sentry_Rate_Limit_Reset": "1700000060", "X_Sentry_Rate_Limit_Remaining": "0"}, 60.0),
    ],
)
async def test_a_429_is_waited_out_as_told_and_costs_no_attempt(headers: dict[str, str], seconds: float) -> None:
    clock = VirtualClock()
    limited = status(429, '{"detail": "slow down"}', Date=http_date(clock.time()), **headers)
    script = Script(limited, page())
    answer, client = await ask(script, clock, attempts=1)
    assert answer.body == b"[1]"
    assert clock.elapsed == seconds
    assert (client.usage.rate_limited, client.usage.retries, client.usage.waited_seconds) == (1, 1, seconds)


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0"}, {"Retry_After": http_date(1_600_000_000)}])
async def test_a_429_that_tells_nothing_is_asked_again_like_a_server_error(headers: dict[str, str]) -> None:
    script = Script(status(429, '"You are attempting to use this endpoint too frequently"', **headers))
    with pytest.raises(RateLimited):
        await ask(script)
    assert len(script.seen) == 6


async def test_rate_limits_beyond_patience_end_in_an_error_and_never_in_an_early_request() -> None:
    clock, script = VirtualClock(), Script(status(429, "", Retry_After="999999999"))
    with pytest.raises(RateLimited) as caught:
        await ask(script, clock)
    assert caught.value.data["retry_after"] == 999999999
    assert (len(script.seen), clock.elapsed) == (1, 0)
    with pytest.raises(RateLimited):
        await ask(Script(status(429, "", Retry_After="100")), clock, max_wait=350)
    assert clock.elapsed == 300


async def test_a_fixed_window_is_used_to_its_limit_without_a_single_429() -> None:
    clock = VirtualClock()
    counts: dict[int, int] = {}

    async def limited(request: web.Request) -> web.Response:
        window = int(clock.time() // 60)
        counts[window] = counts.get(window, 0) + 1
        headers = {
            "Date": http_date(float(int(clock.time()))),
            "X-Sentry-Rate-Limit-Limit": "10",
            "X-Sentry-Rate-Limit-Remaining": str(max(0, 10 - counts[window])),
            "X-Sentry-Rate-Limit-Reset": str((window + 1) * 60),
        }
        return web.json_response([], status=200 if counts[window] <= 10 else 429, headers=headers)

    async with serving(limited) as port, client_of(port, clock) as client:
        for _ in range(50):
            await client.get(request_to(client))
    assert list(counts.values()) == [10, 10, 10, 10, 10]
    assert client.usage.rate_limited == 0


# --- hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("same_host", [True, False])
async def test_a_redirect_is_never_followed_wherever_it_leads(*, code: int, same_host: bool) -> None:
    other = Script(page())
    async with serving(other) as other_port:
        target = "/api/0/other/" if same_host else f"http://127.0.0.1:{other_port}/api/0/things/"
        script = Script(status(code, "", Location=target))
        with pytest.raises(ConnectorError) as caught:
            await ask(script)
    assert isinstance(caught.value, TokenNotForHost) is not same_host
    assert (len(script.seen), len(other.seen)) == (1, 0)


CODES = (301, 302, 303, 307, 308)
TARGETS = (
    "http://127.0.0.1:{port}/api/0/things/",
    "http://localhost:{port}/api/0/things/",
    "//127.0.0.1:{port}/api/0/things/",
    "https://127.0.0.1:{port}/api/0/things/",
    "http://sentry.io@127.0.0.1:{port}/api/0/things/",
    "http:\\\\127.0.0.1:{port}/api/0/things/",
)
NAMED_BY = ("Location", "Link", "Refresh")


async def test_no_token_leaves_by_any_redirect() -> None:
    """Codes × targets × the headers that name them: the other server is not asked at all."""
    other = Script(page())
    told: list[tuple[int, str, str]] = []
    async with serving(other) as other_port:
        for code, target, header in itertools.product(CODES, TARGETS, NAMED_BY):
            url = target.replace("{port}", str(other_port))
            said = {
                "Location": {"Location": url},
                "Link": {"Location": url, "Link": f'<{url}>; rel="next"; results="true"; cursor="0:1:0"'},
                "Refresh": {"Location": url, "Refresh": f"0; url={url}", "Set-Cookie": "leads=elsewhere"},
            }
            script = Script(status(code, "[]", **said[header]))
            with pytest.raises(ConnectorError) as caught:
                await read_pages(script)
            assert TOKEN not in str(caught.value.as_dict())
            told.append((code, target, header))
            assert len(script.seen) == 1
    assert len(told) == 90
    assert other.seen == []


async def test_a_next_page_on_another_host_is_read_from_our_own() -> None:
    other = Script(page())
    async with serving(other) as other_port:
        script = Script(page(Link=link("0:1:0", host=f"http://127.0.0.1:{other_port}")), page("[2]"))
        assert await read_pages(script) == [b"[1]", b"[2]"]
    assert other.seen == []
    assert script.seen[1].query["cursor"] == "0:1:0"


async def test_a_request_to_a_host_that_is_not_trusted_is_not_sent() -> None:
    other = Script(page())
    async with serving(other) as other_port, serving(Script(page())) as port, client_of(port) as client:
        with pytest.raises(TokenNotForHost):
            await client.get(Request(base_url=f"http://127.0.0.1:{other_port}", path="/things/"))
        with pytest.raises(TokenNotForHost):
            await client.get(Request(base_url=f"http://localhost:{port}", path="/things/"))
    assert other.seen == []


@pytest.mark.parametrize(
    ("account", "named", "used"),
    [
        ("https://sentry.io", "https://us2.sentry.io", "https://us2.sentry.io"),
        ("https://sentry.io", "https://de.sentry.io/", "https://de.sentry.io"),
        ("https://us.sentry.io", "https://de.sentry.io", "https://de.sentry.io"),
        ("https://sentry.example.com", "https://eu.sentry.example.com", "https://eu.sentry.example.com"),
        ("https://sentry.io", "http://us.sentry.io", "https://sentry.io"),
        ("https://sentry.io", "https://us.sentry.io:8443", "https://sentry.io"),
        ("https://sentry.io", "https://evilsentry.io", "https://sentry.io"),
        ("https://sentry.io", "https://sentry.io.evil.example", "https://sentry.io"),
        ("https://sentry.io", "https://user@us.sentry.io", "https://sentry.io"),
        ("https://us.sentry.io", "https://sentry.io", "https://us.sentry.io"),
        ("https://sentry.co.uk", "https://evil.co.uk", "https://sentry.co.uk"),
        ("http://10.0.0.8:9000", "http://sentry.internal:9000", "http://10.0.0.8:9000"),
        ("http://localhost:9000", "http://169.254.169.254", "http://localhost:9000"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("http://127.0.0.1:9000", "http://10.0.0.8:9000", "http://127.0.0.1:9000"),
        ("http://10.0.0.8:9000", "http://10.0.0.8:9001", "http://10.0.0.8:9000"),
        ("http://10.0.0.8:9000", "http://127.0.0.1:9001", "http://10.0.0.8:9000"),
        ("https://sentry.io", "", "https://sentry.io"),
        ("https://sentry.io", None, "https://sentry.io"),
    ],
)
def test_only_regions_of_the_accounts_own_domain_are_trusted(account: str, named: str | None, used: str) -> None:
    assert SentryClient(Connection(url=account, token=TOKEN)).trust(named) == used


# --- pages ------------------------------------------------------------------------------------------------------------


class Line:
    """Answers each request after two turns of the loop, and notes that it was asked."""

    def __init__(self, order: list[str]) -> None:
        self.order = order

    async def open(self) -> None:
        pass

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        self.order.append("asked")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return Reply(200, {}, b"[]", "", b"[]")

    async def close(self) -> None:
        pass


async def test_the_next_request_is_on_its_way_before_an_answer_is_made_use_of() -> None:
    """Else the line would lie idle while a page is decoded."""
    order: list[str] = []
    connection, budgets = (
        Connection(url="https://sentry.example.com", token=TOKEN),
        Budgets(VirtualClock(), concurrency=1),
    )
    async with SentryClient(connection, budgets=budgets, transport=Line(order)) as client:

        async def read() -> None:
            await client.get(request_to(client))
            order.append("used")

        await asyncio.gather(read(), read(), read())
    assert order == ["asked", "asked", "used", "asked", "used", "used"]


async def test_pages_are_read_until_sentry_says_that_there_is_no_next_one() -> None:
    script = Script(
        page("[1]", Link=link("100:1:0")),
        page("[]", Link=link("100:2:0")),
        page("[3]", Link=link("100:3:0", results=False)),
    )
    assert await read_pages(script) == [b"[1]", b"[]", b"[3]"]
    assert [request.query.get("cursor") for request in script.seen] == [None, "100:1:0", "100:2:0"]


@pytest.mark.parametrize("period", [1, 2, 3, 5])
async def test_a_loop_of_cursors_is_an_error(period: int) -> None:
    count = 0

    async def looping(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return json_answer("[1]", Link=link(f"0:{count % period}:0"))

    async with serving(looping) as port, client_of(port) as client:
        with pytest.raises(CursorLoop):
            [answer async for answer in client.pages(request_to(client))]
    assert count == period + 1


async def test_a_hundred_empty_pages_in_a_row_are_no_list_and_ninety_nine_are() -> None:
    async def read(empty: int) -> int:
        pages = [page("[]", Link=link(f"0:{number}:0")) for number in range(empty)]
        return len(await read_pages(Script(*pages, page("[1]"))))

    assert await read(99) == 100
    with pytest.raises(CursorLoop):
        await read(100)


async def test_a_malformed_link_header_is_an_error_and_not_the_end() -> None:
    with pytest.raises(MalformedAnswer):
        await read_pages(Script(page("[1]", Link='<https://h/>; rel="next"; cursor="0:1:0"')))


async def test_several_link_headers_are_read_as_one() -> None:
    previous, following = link("0:1:0").split(", ")

    def answer() -> web.Response:
        response = json_answer("[1]", Link=previous)
        response.headers.add("Link", following)
        return response

    assert await read_pages(Script(answer, page("[2]"))) == [b"[1]", b"[2]"]


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 429, 500])
async def test_a_token_that_the_server_echoes_is_in_no_error(code: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = f'{{"detail": "bad {TOKEN}"}}'
    script = Script(status(code, body, Location=f"javascript:{TOKEN}", X_Echo=TOKEN))
    with pytest.raises(ConnectorError) as caught:
        await ask(script, attempts=1)
    error = caught.value
    told = [str(error), repr(error), str(error.data), error.remedy, *traceback.format_exception(error), caplog.text]
    assert not [text for text in told if TOKEN in text]


async def test_no_repr_shows_the_token_or_the_proxys_password() -> None:
    connection = Connection(url="https://sentry.io", token=TOKEN, proxy="http://me:canary-password@proxy:3128")
    client = SentryClient(connection)
    assert not [text for text in (repr(connection), repr(client)) if "canary" in text]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"token": ""}, TokenMissing),
        ({"token": " \n"}, TokenMissing),
        ({"token": "canary a"}, UsageError),
        ({"token": "canary\r\nX-Other: 1"}, UsageError),
        ({"token": "canary-ü"}, UsageError),
        ({"url": "ftp://sentry.io"}, UsageError),
        ({"proxy": "canary://me:canary@"}, UsageError),
        ({"proxy": "http://me:canary@:x"}, UsageError),
        ({"proxy": "http://me:canary@169.254.169.254:3128"}, UsageError),
        ({"ca_file": "/nonexistent/ca.pem"}, UsageError),
        ({"ca_file": "/"}, UsageError),
        ({"ca_file": __file__}, UsageError),
    ],
)
def test_a_connection_that_cannot_work_is_refused_before_anything_is_asked(
    changes: dict[str, str], kind: type[ConnectorError]
) -> None:
    with pytest.raises(kind) as caught:
        SentryClient(Connection(**({"url": "https://sentry.io", "token": TOKEN} | changes)))  # type: ignore[arg-type]
    assert "canary" not in caught.value.message


async def test_a_token_is_taken_without_the_white_space_around_it() -> None:
    script = Script(page())
    await ask(script, token=f" {TOKEN}\n")
    assert script.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
