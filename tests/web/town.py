"""The application as tests ask it: in this process, by its real paths, over a real store."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fastapi import FastAPI
from starlette.types import ASGIApp, Message

from sentry_connector.datasets.definition import Definition
from sentry_connector.operations import datasets, people, sharing
from sentry_connector.people.claim import Claim
from sentry_connector.people.passwords import Passwords
from sentry_connector.redact import Redactor
from sentry_connector.reports.details import Details
from sentry_connector.runs.engine import Engine
from sentry_connector.runs.house import Actor
from sentry_connector.runs.log import ProcessLines, bound_log, log_path
from sentry_connector.sentry.address import normalise_url
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import Account, DataSet, Destination, Run, RunState, Trigger, Verdict
from sentry_connector.store.rights import Level, Right, Role, Thing, User
from sentry_connector.web.application import application
from sentry_connector.web.metrics import Metrics
from sentry_connector.web.place import Place
from tests.parts import NOW, StandingApp

PASSWORD = "seven quiet herons by the mill"
HASHED = Passwords().hash(PASSWORD)
"""Made once: that is the slow part."""


@dataclass
class Answer:
    """What was answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def cookies(self) -> dict[str, str]:
        return dict(one.partition(";")[0].split("=", 1) for one in self.all("set-cookie"))


@dataclass
class Visitor:
    """Somebody who asks."""

    app: ASGIApp
    headers: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"

    async def __call__(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        path, _, query = path.partition("?")
        given = {"host": "127.0.0.1", **self.headers, **(headers or {})}
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            given["content-type"] = "application/json"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": (self.address, 1),
            "server": ("127.0.0.1", 80),
            "root_path": "",
        }
        sent: list[Message] = []
        asked: list[bool] = []

        async def receive() -> Message:
            if asked:
                await asyncio.Event().wait()  # whoever asks stays until the answer's end
            asked.append(True)
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        begun = next(one for one in sent if one["type"] == "http.response.start")
        whole = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
        return Answer(begun["status"], [(k.decode(), v.decode()) for k, v in begun["headers"]], whole)


class Town:
    """A house with people, DataSets and accounts, and its application."""

    def __init__(self, home: Path, place: Place | None = None, claim: Claim | None = None, **variables: str) -> None:
        place = place or Place(people=True)
        self.house = StandingApp(home, "https://sentry.io", "sntryu_" + "ab" * 32, **variables)
        self.house.actor = Actor("tester", "command line")
        lines = ProcessLines(log_path(self.house.logs, "server"))
        self.engine = Engine(house=self.house, log=bound_log(lines, Redactor(), "server"), runs_at_once=1)
        self.place, self.lines = place, lines
        self.app: FastAPI = application(self.engine, Metrics(self.engine, lines), place, claim)

    def close(self) -> None:
        self.house.close()

    @property
    def nobody(self) -> Visitor:
        return Visitor(self.app)

    def person(self, name: str, role: Role) -> User:
        """Stored with a password that was hashed before."""
        now = self.house.now()
        user = User(id=new_id(now, self.house.rng), name=name, role=role, created_at=now, updated_at=now)
        return self.house.store.people.add(user, HASHED)

    def with_key(self, user: User, *rights: Right) -> Visitor:
        name = f"key {len(self.house.store.people.keys())}"
        _, key = people.add_key(self.house, name, user, rights or tuple(Right))
        return Visitor(self.app, {"authorization": f"Bearer {key}"})

    async def signed_in(self, name: str) -> Visitor:
        answer = await self.nobody("POST", "/api/v1/login", {"name": name, "password": PASSWORD})
        assert answer.status == 200, answer.body
        return Visitor(self.app, {"cookie": "; ".join(f"{k}={v}" for k, v in answer.cookies.items())})

    def account(self, name: str, owner: User | None = None) -> Account:
        made = Account(
            id=new_id(self.house.now(), self.house.rng), name=name, url=normalise_url("https://sentry.io"),
            token_hint="sntryu_…", created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        return self.house.store.accounts.add(made, "v1.sealed", owner=None if owner is None else owner.id)

    def destination(self, name: str) -> Destination:
        """A database that nothing lies in yet."""
        made = Destination(
            id=new_id(self.house.now(), self.house.rng), name=name, url=f"sqlite:///{self.house.settings.home}/{name}.db",
            created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        self.house.store.destinations.add(made, None)
        return made

    def dataset(self, name: str, owner: User | None = None, account: Account | None = None) -> DataSet:
        """With a run that has ended."""
        made = datasets.create(
            self.house,
            Definition(name=name, report="projects", details=Details()),
            None if account is None else account.name,
        )
        if owner is not None:
            self.share(Thing.DATASET, name, owner, Level.OWNER)
        run = Run(
            id=f"run-{made.slug}", dataset_id=made.id, trigger=Trigger.MANUAL, state=RunState.DONE,
            verdict=Verdict.COMPLETE, queued_at=NOW, finished_at=NOW,
        )  # fmt: skip
        self.house.store.runs.add(run)
        return made

    def share(self, thing: Thing, name: str, user: User, level: Level) -> None:
        sharing.share(self.house, thing, name, user.name, level)


def path_of(template: str, **values: str) -> str:
    """A path of the template; what is not given is a name that nobody has."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value)).replace(f"{{{name}:path}}", quote(value))
    return template
