from __future__ import annotations

import json
from typing import Any

import pytest
import trustme
from aiohttp import web
from tests.sentry.support import TOKEN, Handler, VirtualClock, http_date, serving
from tests.sentry.test_transport import tls_server

from sentry_connector.sentry.client import Connection
from sentry_connector.sentry.doctor import Check, covers, examine

REPORTS = {"Organizations": "org:read", "Project Events": "project:read"}
READING = ["org:read", "project:read", "team:read", "event:read"]
NAMES = ["url", "dns", "connection", "api", "token", "scopes", "scope Organizations", "scope Project Events"]
NAMES += ["organizations", "limits", "clock"]


def sentry(scopes: list[str] | None = None, *, status: int = 200, ahead: float = 0, **headers: str) -> Handler:
    """A server whose token has these scopes, with a clock that is so many seconds ahead of the virtual one."""
    auth = {"scopes": READING if scopes is None else scopes}
    root = {"version": "0", "auth": auth, "user": {"id": "1", "name": "Ada \x1b[31m"}}
    rows = [{"id": "2", "slug": "acme", "name": "Acme"}]

    async def answer(request: web.Request) -> web.Response:
        body: Any = root if request.path == "/api/0/" else rows
        text = json.dumps(body if status == 200 else {"detail": "no"})
        date = http_date(VirtualClock().time() + ahead)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers={"Date": date} | named)

    return answer


async def checks_of(handler: Handler, **changes: Any) -> dict[str, Check]:
    async with serving(handler) as port:
        return await checks_at(f"http://127.0.0.1:{port}", **changes)


async def checks_at(url: str, **changes: Any) -> dict[str, Check]:
    connection = Connection(**({"url": url, "token": TOKEN} | changes))
    checks = await examine(connection, REPORTS, clock=VirtualClock())
    assert [check.name for check in checks] == NAMES
    assert TOKEN not in repr(checks)
    assert all(check.message.isprintable() for check in checks)
    return {check.name: check for check in checks}


def failed(checks: dict[str, Check]) -> dict[str, str | None]:
    return {name: check.error for name, check in checks.items() if not check.ok}


async def test_where_all_is_well_every_check_is_ok_and_nothing_is_left_to_do() -> None:
    checks = await checks_of(sentry())
    assert failed(checks) == {}
    assert not [check.remedy for check in checks.values() if check.remedy]


@pytest.mark.parametrize(
    ("url", "at_fault", "error"),
    [
        ("ftp://sentry.io", "url", "usage.invalid"),
        ("http://sentry.invalid", "dns", "sentry.host_unknown"),
    ],
)
async def test_what_depends_on_a_failed_check_is_not_checked(url: str, at_fault: str, error: str) -> None:
    checks = await checks_at(url)
    assert failed(checks) == dict.fromkeys(NAMES[NAMES.index(at_fault) :]) | {at_fault: error}
    assert (
        at_fault in checks["clock"].message
        or "connection" in checks["clock"].message
        or "api" in checks["clock"].message
    )


async def test_a_port_where_nobody_listens_fails_the_connection(unused_tcp_port: int) -> None:
    checks = await checks_at(f"http://127.0.0.1:{unused_tcp_port}")
    assert checks["connection"].error == "sentry.unreachable"


async def test_an_unknown_certificate_fails_the_connection() -> None:
    async with tls_server(trustme.CA().issue_cert("127.0.0.1")) as port:
        checks = await checks_at(f"https://127.0.0.1:{port}")
    assert checks["connection"].error == "tls.failed"
    assert checks["connection"].remedy


async def test_an_unreachable_proxy_fails_the_connection_and_names_are_left_to_it(unused_tcp_port: int) -> None:
    checks = await checks_at("https://sentry.invalid", proxy=f"http://me:{TOKEN}@127.0.0.1:{unused_tcp_port}")
    assert checks["dns"].ok
    assert checks["connection"].error == "proxy.failed"


async def test_a_missing_token_is_told() -> None:
    assert (await checks_of(sentry(), token=""))["connection"].error == "token.missing"


@pytest.mark.parametrize(
    ("status", "error"), [(404, "sentry.not_sentry"), (503, "sentry.unavailable"), (301, "sentry.not_sentry")]
)
async def test_a_server_that_is_not_sentrys_api_fails_api(status: int, error: str) -> None:
    checks = await checks_of(sentry(status=status))
    assert checks["connection"].ok
    assert checks["api"].error == error


async def test_a_login_page_fails_api() -> None:
    async def login(request: web.Request) -> web.Response:
        return web.Response(text="<html>Sign in</html>", content_type="text/html")

    assert (await checks_of(login))["api"].error == "sentry.not_sentry"


async def test_a_rejected_token_fails_token_while_api_and_clock_stand() -> None:
    checks = await checks_of(sentry(status=401))
    assert failed(checks) == dict.fromkeys([*NAMES[5:9]]) | {"token": "token.rejected"}


async def test_a_token_that_does_not_arrive_is_told_as_such() -> None:
    async def anonymous(request: web.Request) -> web.Response:
        return web.json_response({"version": "0", "auth": None, "user": None})

    checks = await checks_of(anonymous)
    assert checks["token"].error == "token.rejected"
    assert "proxy" in checks["token"].remedy


async def test_the_scope_that_a_report_lacks_is_named() -> None:
    checks = await checks_of(sentry(["project:read"]))
    assert checks["scope Project Events"].ok
    assert checks["scope Organizations"].error == "scope.missing"
    assert "org:read" in checks["scope Organizations"].message


async def test_scopes_beyond_reading_are_a_warning() -> None:
    scopes = (await checks_of(sentry([*READING, "project:admin"])))["scopes"]
    assert scopes.ok
    assert "project:admin" in scopes.message
    assert scopes.remedy


@pytest.mark.parametrize(
    ("ahead", "words"), [(61, "61 s ahead"), (-3600, "3600 s behind"), (59, "agree"), (-59, "agree")]
)
async def test_a_clock_that_is_off_by_more_than_a_minute_is_a_warning_with_the_seconds(
    ahead: float, words: str
) -> None:
    clock = (await checks_of(sentry(ahead=ahead)))["clock"]
    assert clock.ok
    assert words in clock.message
    assert bool(clock.remedy) is (abs(ahead) > 60)


async def test_limits_are_told() -> None:
    limited = sentry(X_Sentry_Rate_Limit_Limit="40", X_Sentry_Rate_Limit_Remaining="39")
    assert "limits the rate" in (await checks_of(limited))["limits"].message
    assert "no rate limits" in (await checks_of(sentry()))["limits"].message


@pytest.mark.parametrize("held", ["org:read", "org:write", "org:admin"])
def test_read_is_covered_by_write_and_admin(held: str) -> None:
    assert covers([held], "org:read")
    assert not covers([held], "team:read")


def test_write_is_not_covered_by_read() -> None:
    assert not covers(["org:read"], "org:write")
    assert covers(["org:ci"], "org:ci")
