"""Who is told, from the command line: channels, a real webhook, and what a DataSet's runs and rests tell it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from random import Random
from subprocess import DEVNULL, TimeoutExpired
from typing import Any

import pytest

from sentry_connector.app import app as connector
from sentry_connector.simulator import EXPIRED_TOKEN, Simulation
from tests.cli.listening import listening
from tests.cli.shell import Shell
from tests.cli.test_serve import serving

EVENTS = ("--report", "project-events", "--project", "acme/shop")


@dataclass
class Hook:
    """A web server that keeps the notices that it is sent."""

    url: str = ""
    status: int = 204
    heard: list[dict[str, Any]] = field(default_factory=list)
    holds: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)

    def titles(self) -> list[str]:
        return [one["title"] for one in self.heard]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()

    def take(_path: str, headers: Message, body: bytes) -> int:
        assert headers["webhook-signature"].startswith("v1,")
        made.reached.set()
        if made.holds is not None:
            made.holds.wait()
        made.heard.append(json.loads(body))
        return made.status

    with listening(take) as url:
        made.url = f"{url}/canary-path"
        yield made
        if made.holds is not None:
            made.holds.set()


def failing(shell: Shell) -> Shell:
    """The command line with a token that is over: no attempt is made again."""
    return shell.with_env(SENTRY_AUTH_TOKEN=EXPIRED_TOKEN)


def test_without_a_channel_what_happened_is_listed_all_the_same(shell: Shell) -> None:
    assert "Nobody is told" in shell.ok("notices", "list").stderr
    assert "nothing was wrong" in shell.ok("notices", "sent").stderr
    shell.ok("datasets", "create", "--name", "Shop", *EVENTS)
    assert failing(shell)("datasets", "run", "Shop").exit_code == 10
    [told] = shell.json("notices", "sent")
    assert (told["title"], told["kind"], told["deliveries"]) == ("Shop: failed", "failed", [])
    assert "no channel" in shell.ok("notices", "sent").stdout


def test_a_failure_and_its_end_reach_a_webhook_once_each(shell: Shell, hook: Hook) -> None:
    made = shell.json("notices", "add", "ops", stdin=hook.url)
    assert (made["service"], made["hint"]) == ("Webhook", "http://127.0.0.1")
    assert made["secret"].startswith("whsec_")
    assert "secret" not in shell.json("notices", "show", "OPS")
    shell.ok("datasets", "create", "--name", "Shop", *EVENTS)
    for _ in range(3):
        failing(shell)("datasets", "run", "Shop")
    assert hook.titles() == ["Shop: failed"]
    shell.ok("datasets", "run", "Shop")
    shell.ok("datasets", "run", "Shop")
    assert hook.titles() == ["Shop: failed", "Shop: recovered (failed)"]
    assert hook.heard[0]["run_id"] != hook.heard[1]["run_id"]
    sent = shell.json("notices", "sent", "--dataset", "shop")
    assert [one["id"] for one in sent] == [one["id"] for one in reversed(hook.heard)]
    assert all(one["sent_at"] and one["channel"] == "ops" for each in sent for one in each["deliveries"])


def test_the_notices_of_a_muted_dataset_are_kept_and_not_sent(shell: Shell, hook: Hook) -> None:
    shell.ok("notices", "add", "ops", stdin=hook.url)
    shell.ok("datasets", "create", "--name", "Shop", *EVENTS)
    assert shell.json("datasets", "mute", "Shop")["muted"] is True
    failing(shell)("datasets", "run", "Shop")
    assert shell.json("datasets", "unmute", "Shop")["muted"] is False
    shell.ok("datasets", "run", "Shop")
    assert hook.titles() == []
    assert [(one["title"], one["muted"]) for one in shell.json("notices", "sent")] == [
        ("Shop: recovered (failed)", True),
        ("Shop: failed", True),
    ]


def test_what_waits_when_its_dataset_is_muted_is_not_sent_and_says_why(shell: Shell, hook: Hook) -> None:
    shell.ok("notices", "add", "ops", stdin=hook.url)
    shell.ok("datasets", "create", "--name", "Shop", *EVENTS)
    hook.status = 500
    failing(shell)("datasets", "run", "Shop")
    hook.status = 204
    hook.heard.clear()
    shell.ok("datasets", "mute", "Shop")
    shell.ok("notices", "edit", "ops", "--all-kinds")  # which ends its rest
    shell.ok("datasets", "run", "Shop")
    assert hook.titles() == []
    said = shell.ok("notices", "sent").stdout
    assert "ops: given up (The DataSet is muted.)" in said
    assert "ops: given up (The channel was not told that it began.)" in said


def test_a_channel_takes_only_what_it_is_for(shell: Shell, hook: Hook) -> None:
    for name in ("Shop", "Pay"):
        shell.ok("datasets", "create", "--name", name, *EVENTS)
    shell.ok("notices", "add", "late", "--kind", "late", stdin=hook.url)
    shell.ok("notices", "add", "pay", "--dataset", "Pay", stdin=hook.url)
    assert shell.json("notices", "show", "pay")["datasets"] == ["Pay"]
    failing(shell)("datasets", "run", "Shop", "Pay")
    assert hook.titles() == ["Pay: failed"]
    changed = shell.json("notices", "edit", "pay", "--name", "all", "--all-datasets", "--kind", "failed")
    assert (changed["name"], changed["datasets"], changed["kinds"]) == ("all", [], ["failed"])
    assert shell.json("notices", "edit", "all", "--all-kinds")["kinds"] == []


def test_what_a_channel_does_not_take_waits_with_its_reason(shell: Shell, hook: Hook) -> None:
    shell.ok("notices", "add", "ops", stdin=hook.url)
    shell.ok("datasets", "create", "--name", "Shop", *EVENTS)
    hook.status = 500
    failing(shell)("datasets", "run", "Shop")
    [[one]] = [each["deliveries"] for each in shell.json("notices", "sent")]
    assert (one["attempts"], one["sent_at"]) == (1, None)
    assert "ops: waiting (The webhook answered 500.)" in shell.ok("notices", "sent").stdout


def test_a_test_takes_the_real_way_and_tells_why_it_failed(shell: Shell, hook: Hook) -> None:
    shell.ok("notices", "add", "ops", stdin=hook.url)
    assert "took it" in shell.ok("notices", "test", "ops").stderr
    [heard] = hook.heard
    assert (heard["test"], heard["title"]) == (True, "Test of ops")
    assert heard["message"] == "This is a test: nothing is wrong."
    hook.status = 503
    refused = shell("notices", "test", "ops")
    assert refused.exit_code == 30
    assert "503" in refused.stderr
    assert "canary-path" not in refused.output
    assert shell.json("notices", "sent") == [], "a test is no notice"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("add", "ops"), "", "No address was given"),
        (("add", "ops"), "nonsense://x", "no address of a service"),
        (("add", " "), "https://example.com", "name is empty"),
        (("add", "ops", "--kind", "lates"), "https://example.com", "Did you mean: late?"),
        (("add", "ops", "--dataset", "None"), "https://example.com", "no DataSet named"),
        (("test", "ops"), "", "no channel named"),
        (("delete", "ops", "--yes"), "", "no channel named"),
        (("edit", "ops", "--all-kinds", "--kind", "late"), "", "contradict"),
    ],
)
def test_what_cannot_be_is_refused(shell: Shell, arguments: tuple[str, ...], stdin: str, said: str) -> None:
    refused = shell("notices", *arguments, stdin=stdin)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert shell.json("notices", "list") == []


def test_a_name_is_taken_once_and_free_again_when_its_channel_is_gone(shell: Shell, hook: Hook) -> None:
    shell.ok("notices", "add", "ops", stdin=hook.url)
    assert shell("notices", "add", "OPS", stdin=hook.url).exit_code == 2
    shell.ok("notices", "delete", "ops", "--yes")
    shell.ok("notices", "add", "OPS", stdin=hook.url)


def test_an_address_survives_a_change_of_the_key_and_of_itself(shell: Shell, hook: Hook) -> None:
    shell.ok("notices", "add", "ops", stdin="https://example.com/first")
    assert shell.json("vault", "rotate")["secrets"] == 1
    shell.ok("notices", "edit", "ops", "--address", stdin=hook.url)
    shell.ok("vault", "rotate")
    shell.ok("notices", "test", "ops")
    assert len(hook.heard) == 1


def test_a_rejected_token_is_told_once_for_the_account_and_again_when_it_is_replaced(
    shell: Shell, hook: Hook, sentry: Simulation
) -> None:
    shell.ok("notices", "add", "ops", stdin=hook.url)
    shell.ok("accounts", "add", "A")
    for name in ("One", "Two"):
        shell.ok("datasets", "create", "--name", name, "--account", "A", *EVENTS)
    shell.ok("datasets", "create", "--name", "Other", *EVENTS)
    for name in ("Two", "Other"):
        shell.ok("notices", "add", f"only {name}", "--dataset", name, stdin=hook.url)
    with connector(shell.env) as house:
        account = house.store.accounts.find("A")
        house.store.accounts.replace_token(account, account, house.vault.seal(EXPIRED_TOKEN, account.id, account.url))
    for name in ("One", "Two", "One"):
        assert shell("datasets", "run", name).exit_code == 10
    assert hook.titles() == ["A: token rejected"] * 2, "on the channel of all DataSets, and on that of Two"
    assert "the schedules of its DataSets rest: One, Two" in hook.heard[0]["message"]
    shell.ok("accounts", "replace-token", "A", stdin=sentry.token)
    shell.ok("datasets", "run", "One")
    assert hook.titles()[2:] == ["A: recovered (token rejected)"] * 2
    assert [one["subject"] for one in shell.json("notices", "sent", "--dataset", "Two")] == ["A", "A"]


def test_a_server_tells_of_a_pause_and_of_what_was_left_unsent(shell: Shell, hook: Hook) -> None:
    """A process is killed between storing a notice and sending it: the next one sends it, with the same id."""
    shell.ok("notices", "add", "ops", stdin=hook.url)
    shell.ok("datasets", "create", "--name", "Shop", "--schedule", "monthly 1 00:00", *EVENTS)
    hook.holds = threading.Event()
    process = failing(shell).process("datasets", "run", "Shop")
    hook.reached.wait()
    process.kill()
    process.wait()
    hook.holds.set()
    [left] = shell.json("notices", "sent")
    assert left["deliveries"][0]["sent_at"] is None
    hook.heard.clear()
    shell.ok("datasets", "pause", "Shop")
    with serving(shell):
        while not any(
            one["deliveries"][0]["sent_at"] for one in shell.json("notices", "sent") if one["kind"] == "paused"
        ):
            hook.reached.clear()
            hook.reached.wait(5)
        while not all(one["deliveries"][0]["sent_at"] for one in shell.json("notices", "sent")):
            hook.reached.clear()
            hook.reached.wait(5)
    assert left["id"] in [one["id"] for one in hook.heard]
    assert sorted(hook.titles()) == ["Shop: failed", "Shop: paused"]


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [200])
def test_killed_at_any_moment_no_notice_is_lost(shell: Shell, hook: Hook, kills: int) -> None:
    """Each process fails a run of a DataSet of its own, tells of it, and is killed somewhere on the way."""
    shell.ok("notices", "add", "ops", stdin=hook.url)
    moments, broken = Random("moments"), failing(shell)  # noqa: S311  # when to kill, not cryptography
    for number in range(kills):
        shell.ok("datasets", "create", "--name", f"Shop {number}", *EVENTS)
        process = broken.process("datasets", "run", f"Shop {number}", stdout=DEVNULL, stderr=DEVNULL)
        with contextlib.suppress(TimeoutExpired):
            process.wait(moments.uniform(0.5, 4.0))
        process.kill()
        process.wait()
    for number in range(kills):  # what was killed is gone on with, once its lease has lapsed
        broken("datasets", "run", f"Shop {number}", "--wait-lock", "90s")
    sent = shell.json("notices", "sent", "--limit", str(2 * kills))
    assert sorted(one["title"] for one in sent) == sorted(f"Shop {number}: failed" for number in range(kills))
    assert all(one["sent_at"] for each in sent for one in each["deliveries"])
    assert {one["id"] for one in hook.heard} == {one["id"] for one in sent}
