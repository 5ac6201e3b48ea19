"""A server of S3's protocol on this machine, for the tests that need one, and what can go wrong with it."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from obstore import list as listed
from werkzeug.serving import WSGIRequestHandler, make_server

from sentry_connector.destinations.objects import open_store

BUCKET = "tables"
KEY, SECRET = "AKIACANARYCANARY1234", "canary-secret-of-the-storage"
"""Credentials that stand nowhere else, so that they are found wherever they should not be."""

Answer = Iterable[bytes]


class _Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Nobody reads it."""


@dataclass(frozen=True)
class Request:
    """What was asked: `GET /tables/name`, with its query."""

    method: str
    path: str
    query: str

    @property
    def name(self) -> str:
        """The name of the object."""
        return self.path.removeprefix(f"/{BUCKET}").strip("/")

    @property
    def is_list(self) -> bool:
        """Whether it asks which objects there are."""
        return self.method == "GET" and "list-type=2" in self.query


Fault = Callable[[Request], HTTPStatus | None]
"""What a request is answered with in place of what it asks for; None where it is served."""


@dataclass
class Storage:
    """A server that runs.

    Attributes:
        url: where.
        fault: what goes wrong.
        after: called when a request was served, before its answer is sent; it may put another in its place.
        hides: whether a list leaves out the object of that name, as one does that is behind the times.
        keeps_conditions: whether `If-None-Match` is taken for what it says.
        asked: the requests that came.
    """

    url: str = ""
    fault: Fault = lambda _: None
    after: Fault = lambda _: None
    hides: Callable[[str], bool] = lambda _: False
    keeps_conditions: bool = True
    asked: deque[Request] = field(default_factory=lambda: deque(maxlen=10_000))
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a connector finds it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    @property
    def options(self) -> dict[str, str]:
        """The same for delta-rs, and little patience."""
        known = {name.lower(): value for name, value in self.environment.items()}
        return known | {"allow_http": "true", "max_retries": "2", "retry_timeout": "10s"}

    def place(self) -> str:
        """An address with nothing at it."""
        return f"s3://{BUCKET}/p{os.getpid()}-{next(self._numbers)}"

    def names(self, place: str) -> set[str]:
        """The names of all objects below an address, relative to it."""
        prefix = place.removeprefix(f"s3://{BUCKET}/")
        found = (one["path"] for part in listed(open_store(place, self.options), prefix=prefix) for one in part)
        return {name.removeprefix(f"{prefix}/") for name in found}

    def mend(self) -> None:
        """Nothing goes wrong any more, and nothing was asked."""
        self.fault = self.after = lambda _: None
        self.hides = lambda _: False
        self.keeps_conditions = True
        self.asked.clear()

    def serving(self, inner: Any) -> Callable[[dict[str, Any], Any], Answer]:
        """The protocol's server with its faults around it."""

        def serve(env: dict[str, Any], start: Any) -> Answer:
            request = Request(env["REQUEST_METHOD"], env["PATH_INFO"], env["QUERY_STRING"])
            self.asked.append(request)
            if not self.keeps_conditions:
                env.pop("HTTP_IF_NONE_MATCH", None)
            refused = self.fault(request)
            if refused is not None:
                env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0))
                return _refusal(refused, start)
            said: list[Any] = []
            with self._writing:  # moto looks and writes in two steps; S3 does it in one
                answer = list(inner(env, lambda *args: said.extend(args)))
            refused = self.after(request)
            if refused is not None:
                return _refusal(refused, start)
            if request.is_list:
                return self._list(b"".join(answer), said, start)
            start(*said)
            return answer

        return serve

    def _list(self, body: bytes, said: list[Any], start: Any) -> Answer:
        """A list without what it hides."""
        status, headers, *rest = said
        shown = _LISTED.sub(lambda one: b"" if self.hides(one[1].decode()) else one[0], body)
        start(status, [(n, str(len(shown)) if n == "Content-Length" else value) for n, value in headers], *rest)
        return [shown]


_LISTED = re.compile(rb"<Contents>\s*<Key>([^<]*)</Key>.*?</Contents>", re.DOTALL)


def _refusal(status: HTTPStatus, start: Any) -> Answer:
    body = f"<Error><Code>{status.name}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>".encode()
    start(f"{status.value} {status.phrase}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def running_storage() -> Iterator[Storage]:
    """A server with an empty bucket."""
    storage = Storage()
    inner = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, storage.serving(inner), threaded=True, request_handler=_Silent)
    storage.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        _make_bucket(storage)
        yield storage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _make_bucket(storage: Storage) -> None:
    """As anybody may: this server asks nobody who they are."""
    host = storage.url.removeprefix("http://")
    with closing(HTTPConnection(host)) as connection:
        connection.request("PUT", f"/{BUCKET}")
        assert connection.getresponse().status == HTTPStatus.OK
