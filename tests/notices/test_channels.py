"""Notices go to a real mail server and a real web server of this machine, on the way that every notice takes."""

from __future__ import annotations

import asyncio
import base64
import email
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import Message as Mail
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP

from sentry_connector.errors import NotDelivered, NoticeRefused, UsageError
from sentry_connector.notices import channels
from sentry_connector.notices.message import Message, message_of
from sentry_connector.notices.message import test_of as a_test_of
from sentry_connector.notices.webhook import SECRET_PREFIX
from sentry_connector.store.records import Kind, Notice
from tests.parts import NOW


def notice(kind: Kind = Kind.FAILED, **more: Any) -> Message:
    values = {"recovered": False, "message": "The last run failed: no.", "run_id": "run-1", **more}
    return message_of(
        Notice(id=f"id of {kind}", kind=kind, subject_id="d", subject="Shop", since=NOW, at=NOW, **values)
    )


@dataclass
class Hook:
    """A web server that keeps what it is sent."""

    url: str = ""
    status: int = 204
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status, headers={"Location": self.url})


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/ops", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}/ops"
    yield made
    await runner.cleanup()


class Mailbox:
    """What a mail server keeps."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(email.message_from_bytes(envelope.content))
        return "250 taken"


@pytest.fixture
async def mail() -> AsyncIterator[tuple[str, Mailbox]]:
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"mailto://example.com:{port}?smtp=127.0.0.1&from=ops@example.com&to=me@example.com&mode=insecure", box
    server.close()
    await server.wait_closed()


async def aside(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


def test_a_webhook_has_a_secret_of_its_own_and_shows_nothing_of_its_path() -> None:
    address, service, hint = channels.address_of("https://example.com/hooks/canary?token=canary")
    assert (service, hint) == ("Webhook", "https://example.com")
    assert address.secret is not None
    assert len(base64.b64decode(address.secret.removeprefix(SECRET_PREFIX))) == 32
    assert channels.address_of("https://example.com")[0].secret != address.secret
    assert channels.address_of("https://example.com", secret="whsec_AAAA")[0].secret == "whsec_AAAA"


def test_the_web_address_of_a_chat_is_that_chats() -> None:
    url = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    address, service, hint = channels.address_of(url)
    assert (address.secret, service) == (None, "Slack")
    assert "TIiajkdnlazk" not in hint


def test_the_hint_of_a_mail_address_holds_no_password() -> None:
    _, service, hint = channels.address_of("mailtos://ops:canarypassword@example.com?to=me@example.com")
    assert service == "E-Mail"
    assert "canary" not in hint


@pytest.mark.parametrize("url", ["", "nonsense://x", "ops@example.com", "https://", "mailto://", "ftp://example.com/x"])
def test_what_is_no_address_is_refused_without_a_word_to_anybody(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        channels.address_of(url)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("recovered", [False, True])
@pytest.mark.parametrize("kind", list(Kind))
async def test_a_webhook_gets_each_kind_signed_with_its_id(hook: Hook, kind: Kind, *, recovered: bool) -> None:
    address, _, _ = channels.address_of(hook.url)
    await channels.send(address, notice(kind, recovered=recovered), NOW.timestamp(), aside)
    [(headers, body)] = hook.requests
    facts = json.loads(body)
    assert (facts["id"], facts["kind"], facts["recovered"]) == (f"id of {kind}", kind.value, recovered)
    assert headers["webhook-id"] == facts["id"]
    key = base64.b64decode((address.secret or "").removeprefix(SECRET_PREFIX))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"


@pytest.mark.parametrize("status", [301, 307, 401, 404, 410, 429, 500])
async def test_what_a_webhook_does_not_take_is_not_delivered_and_no_redirect_is_followed(
    hook: Hook, status: int
) -> None:
    hook.status = status
    with pytest.raises(NotDelivered, match=str(status)) as caught:
        await channels.send(channels.address_of(hook.url)[0], notice(), NOW.timestamp(), aside)
    assert not isinstance(caught.value, NoticeRefused)
    assert len(hook.requests) == 1


async def test_what_another_service_answers_leads_nowhere_else(hook: Hook) -> None:
    hook.status = 307
    url = hook.url.replace("http://", "json://") + "?redirect=yes"
    address, _, _ = channels.address_of(url)
    with pytest.raises(NotDelivered):
        await channels.send(address, notice(), 0.0, asyncio.to_thread)
    assert len(hook.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_a_webhook_refuses_for_what_it_is_is_told_apart(hook: Hook, status: int) -> None:
    hook.status = status
    with pytest.raises(NoticeRefused, match=str(status)):
        await channels.send(channels.address_of(hook.url)[0], notice(), NOW.timestamp(), aside)


async def test_a_test_is_no_notice(hook: Hook) -> None:
    await channels.send(channels.address_of(hook.url)[0], a_test_of("ops", "an id", NOW), NOW.timestamp(), aside)
    [(headers, body)] = hook.requests
    assert headers["webhook-id"] == "an id"
    facts = json.loads(body)
    assert (facts["id"], facts["test"], facts["title"]) == ("an id", True, "Test of ops")
    assert not {"kind", "recovered"} & facts.keys()


async def test_a_webhook_that_is_not_there_is_told_without_its_address() -> None:
    with pytest.raises(NotDelivered) as caught:
        await channels.send(channels.address_of("http://127.0.0.1:9/canary")[0], notice(), NOW.timestamp(), aside)
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("recovered", [False, True])
@pytest.mark.parametrize("kind", list(Kind))
async def test_mail_of_each_kind_says_what_and_where_to_look(
    mail: tuple[str, Mailbox], kind: Kind, *, recovered: bool
) -> None:
    url, box = mail
    await channels.send(channels.address_of(url)[0], notice(kind, recovered=recovered), NOW.timestamp(), aside)
    [one] = box.mails
    assert one["Subject"] == f"Shop: recovered ({kind})" if recovered else f"Shop: {kind}"
    text = " ".join(
        part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in one.walk()
        if not part.is_multipart()
    )
    assert "The last run failed: no." in text
    assert "sentry-connector runs show run-1" in text
    assert f"Notice id of {kind}" in text


async def test_a_mail_server_that_is_not_there_is_told_with_its_reason_and_without_a_password() -> None:
    url = "mailto://ops:canarypassword@example.com:9?smtp=127.0.0.1&to=me@example.com&mode=insecure"
    with pytest.raises(NotDelivered) as caught:
        await channels.send(channels.address_of(url)[0], notice(), NOW.timestamp(), aside)
    assert "E-Mail did not take it" in caught.value.message
    assert "canary" not in caught.value.message
