"""The one place where every request is let in or refused, by the table in `policy.py`; and who asks, for what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sentry_connector.errors import ConnectorError, NotAllowed, SignInNeeded, UsageError
from sentry_connector.operations import people, runs, sharing
from sentry_connector.operations.audited import write
from sentry_connector.operations.seen import Passing, Seen
from sentry_connector.operations.sign_in import SESSION, person_of
from sentry_connector.runs.house import Actor, House
from sentry_connector.store.rights import Level, Person, Thing, is_at_least
from sentry_connector.web.place import Place
from sentry_connector.web.policy import Asked, Policy, Rule
from sentry_connector.web.problems import Desk
from sentry_connector.web.refusals import refusal

SCHEME = "bearer "
SET_ONE_UP = "Set one up by POST /api/v1/me/factor, or have an admin do it: `sentry-connector users new-factor NAME`."
UNKNOWN_ADDRESS = "unknown"


class Visitor(NamedTuple):
    """Whoever a request comes from.

    Attributes:
        house: as they see it.
        person: who they are; None where nobody has to sign in.
        session: the secret of their session, where they sent one.
        address: where the request comes from.
    """

    house: House
    person: Person | None
    session: str | None
    address: str


_visitor: ContextVar[Visitor] = ContextVar("visitor")


def visitor() -> Visitor:
    """Whoever the request of now comes from."""
    return _visitor.get()


def own_key(name: str) -> str:
    """An Idempotency-Key as the store knows it: each person has their own, whatever others call theirs."""
    person = visitor().person
    return name if person is None else hashlib.sha256(f"{person.user.id}\0{name}".encode()).hexdigest()


def visitor_if_known() -> Visitor | None:
    """Whoever the request of now comes from; None before it was let in."""
    return _visitor.get(None)


class HouseOfRequest(Passing):
    """The house as whoever asks at the moment sees it: routes are made once, and know nobody."""

    @property
    def inner(self) -> House:
        """That of the visitor."""
        return _visitor.get().house


class Access:
    """Lets a request through, once it is known who asks and that they may."""

    def __init__(self, app: ASGIApp, house: House, place: Place, policy: Policy, desk: Desk) -> None:
        self.app, self.house, self.place, self.policy, self.desk = app, house, place, policy, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a refusal, or pass it on with its visitor."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            found = await self._let_in(scope)
        except ConnectorError as error:
            await refusal(scope, self.desk.told(error))(scope, receive, send)
            return
        token = _visitor.set(found)
        try:
            await self._pass_on(scope, receive, send)
        finally:
            _visitor.reset(token)

    async def _let_in(self, scope: Scope) -> Visitor:
        headers = Headers(scope=scope)
        address = (scope.get("client") or (UNKNOWN_ADDRESS,))[0]
        asked = self.policy.find(scope["method"], scope["path"])
        session, key = session_of(headers, self.place.cookie), key_of(headers)
        if asked is not None and asked.rule.right is None:
            return Visitor(self.house, None, session, address)
        return await self.house.aside(lambda: self._look(asked, session, key, address))

    def _look(self, asked: Asked | None, session: str | None, key: str | None, address: str) -> Visitor:
        """Who asks, and whether they may."""
        if not self.place.people and not people.exist(self.house):
            found = Visitor(_ByHttp(self.house), None, session, address)
        else:
            try:
                person = person_of(self.house, session=session, key=key)
            except SignInNeeded:
                if session is not None or key is not None:  # somebody tries, or has not heard that it is over
                    where = asked.template if asked else "no such path"
                    self.desk.log.warning("not let in", address=address, path=where, by="key" if key else "session")
                raise

            def again() -> Person:
                return person_of(self.house, session=session, key=key, used=False)

            found = Visitor(Seen(self.house, person, again), person, session, address)
        if asked is not None and found.person is not None:
            try:
                allow(found.house, found.person, asked)
            except NotAllowed as error:
                self._write_down(found, asked, error)
                raise
        return found

    def _write_down(self, found: Visitor, asked: Asked, error: NotAllowed) -> None:
        said = {"path": asked.template, "why": error.message}
        write(found.house, "request", about=next(iter(asked.values.values()), None), outcome="refused", **said)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.policy.find(scope["method"], scope["path"]) is not None:
            await self.app(scope, receive, send)
            return
        methods = self.policy.methods(scope["path"])
        status = HTTPStatus.METHOD_NOT_ALLOWED if methods else HTTPStatus.NOT_FOUND
        remedy = "/api/v1/openapi.json lists what there is."
        answer = refusal(scope, UsageError(f"{status.phrase}.", remedy=remedy), status)
        if methods:
            answer.headers["Allow"] = ", ".join(methods)
        await answer(scope, receive, send)


def allow(house: House, person: Person, asked: Asked) -> None:
    """Check that a person may do what a request asks for.

    Raises:
        NotAllowed: they may not, have yet to set up a second factor, or their API key is not for it.
        UnknownName: what the path names is not there, or not there for them.
    """
    rule = asked.rule
    if _lacks_factor(house, person) and not rule.before_factor:
        raise NotAllowed("Everybody needs a second factor here, and you have none yet.", remedy=SET_ONE_UP)
    if rule.right is not None and not person.may(rule.right):
        raise NotAllowed(f"This API key lacks the scope {rule.right.value!r}.")
    if not person.is_at_least(rule.role):
        raise NotAllowed(f"That needs the role {rule.role.value!r}; yours is {person.user.role.value!r}.")
    if rule.thing is None:
        return
    id_ = _id_of(house, rule.thing, asked.values[rule.by], by_run=rule.by == "run_id")
    if not is_at_least(person.level(house.store.grants.level(person.user.id, rule.thing, id_)), rule.level):
        raise NotAllowed(f"That needs the level {rule.level.value!r} of the {rule.thing.value}.")


def _lacks_factor(house: House, person: Person) -> bool:
    """Whether somebody signed in with a password alone where that is not enough; programs have keys, and need none."""
    by_password = person.via == SESSION and person.user.issuer is None
    return house.settings.require_second_factor and by_password and person.user.factor_since is None


def levels(thing: Thing) -> Callable[[str], Level | None]:
    """What whoever asks may do with things of a kind, by their ids: any number by one look; all, where nobody signs in."""
    came = visitor()
    person = came.person
    if person is None:
        return lambda _id: Level.OWNER
    return person.levels(came.house.store.grants.of_user(person.user.id, thing))


def may(person: Person, rule: Rule, level: Level | None) -> bool:
    """Whether a person may do what a rule is about, with a thing of which they have that level."""
    is_for = (rule.right is None or person.may(rule.right)) and person.is_at_least(rule.role)
    return is_for and (rule.thing is None or is_at_least(level, rule.level))


def _id_of(house: House, thing: Thing, name: str, *, by_run: bool) -> str:
    if by_run:
        return runs.find_by_id(house, name)[0].dataset_id
    return sharing.find(house, thing, name).id


class _ByHttp(Passing):
    """The house of this machine's user, who asks by HTTP and need not sign in."""

    @property
    def actor(self) -> Actor | None:  # type: ignore[override]
        known = self.inner.actor
        return known and Actor(known.name, "HTTP")


def session_of(headers: Headers, name: str) -> str | None:
    """The secret of a session that a browser sends; None where it sends none, or something that is no cookie."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found is not None and found.value else None


def key_of(headers: Headers) -> str | None:
    """The API key that a program sends."""
    given = headers.get("authorization")
    if given is None:
        return None
    return given[len(SCHEME) :].strip() if given[: len(SCHEME)].casefold() == SCHEME else given
