"""Signing in and out, and who somebody is by the secret that they send."""

from __future__ import annotations

from typing import NamedTuple

from sentry_connector.errors import NotAllowed, SignInNeeded, TooManyTries
from sentry_connector.operations import factors, people
from sentry_connector.operations.audited import write
from sentry_connector.operations.seen import Passing
from sentry_connector.people.claim import Claim
from sentry_connector.people.passwords import Passwords
from sentry_connector.people.secrets import KEY_PREFIX, digest_of, new_session
from sentry_connector.people.throttle import Throttle, in_seconds
from sentry_connector.runs.house import Actor, House
from sentry_connector.store.rights import ALL_RIGHTS, Person, User
from sentry_connector.store.rows import fold

SESSION = "session"
PASSWORD = "password"  # noqa: S105  # by what somebody signed in

WRONG = "The name or the password is wrong."
"""For every reason, so that nobody learns which names there are."""


class Door(NamedTuple):
    """What signing in needs, one for a server.

    Attributes:
        passwords: tries them.
        throttle: holds guessing up.
        codes: holds up the guessing of second factors.
    """

    passwords: Passwords
    throttle: Throttle
    codes: Throttle


def sign_in(
    house: House, door: Door, name: str, password: str, address: str, code: str | None = None
) -> tuple[User, str]:
    """Begin a session with a name and a password, and with the second factor of whoever has one.

    Args:
        house: the parts.
        door: of the server.
        name: whose.
        password: theirs.
        address: the network address that it comes from.
        code: of the second factor.

    Returns:
        Who it is, and the session's secret.

    Raises:
        As `prove`.
    """
    user, by = prove(house, door, name, password, address, code)
    return user, begin_session(house, user, address, by=by)


def prove(
    house: House, door: Door, name: str, password: str, address: str, code: str | None = None
) -> tuple[User, str]:
    """See that somebody is who they say they are; nothing is begun by it.

    Args:
        house: the parts.
        door: of the server.
        name: whose.
        password: theirs.
        address: the network address that it comes from.
        code: of the second factor.

    Returns:
        Who it is, and by what they have shown it.

    Raises:
        NotAllowed: people sign in at the identity provider only.
        TooManyTries: too many were wrong; this one was not looked at.
        SignInNeeded: the name, the password or the code is wrong, or the person was deactivated.
        CodeNeeded: there was no code, and the person has a second factor.
    """
    if house.settings.oidc_issuer is not None and house.settings.oidc_only:
        raise NotAllowed(
            "Passwords let nobody in here any more.",
            remedy=f"Sign in at {house.settings.oidc_issuer}: /api/v1/oidc/start.",
        )
    wait = door.throttle.begin(fold(name), address, house.clock.monotonic())
    if wait:
        raise TooManyTries("Too many wrong passwords.", retry_after=in_seconds(wait))
    found = house.store.people.password(name)
    kept = found[1] if found else None
    right = door.passwords.is_right(kept, password)
    if found is None or kept is None or not right or not found[0].active:
        _tell(house, found[0].name if found else "nobody", outcome="refused", address=address)
        raise SignInNeeded(WRONG, remedy="Try again, or have an admin set another password.")
    door.throttle.right(fold(name), address)
    user = found[0]
    if door.passwords.is_outdated(kept):
        house.store.people.rehash(user.id, kept, door.passwords.hash(password))
    return user, PASSWORD if user.factor_since is None else _with_code(house, door, user, code, address)


def _with_code(house: House, door: Door, user: User, code: str | None, address: str) -> str:
    """The second factor of somebody whose password was right; by what they have shown who they are."""
    try:
        return f"{PASSWORD} and {factors.show(house, door.codes, user, code)}"
    except (SignInNeeded, TooManyTries) as error:
        _tell(house, user.name, outcome="refused", address=address, why=error.message)
        raise


def begin_session(house: House, user: User, address: str, *, by: str) -> str:
    """Begin a session of somebody who has shown, by whatever it was, who they are; its secret, always a new one.

    Raises:
        SignInNeeded: they were changed since then.
    """
    secret = new_session()
    house.store.people.sign_in(user, digest_of(secret), house.now(), address)
    _tell(house, user.name, outcome="done", address=address, by=by)
    return secret


def come_in(house: House, issuer: str, subject: str, address: str) -> str:
    """Begin a session of somebody whom an identity provider knows; its secret.

    Raises:
        SignInNeeded: nobody here is that subject, or they were deactivated; the audit log has the subject, for an admin to add.
    """
    user = house.store.people.by_subject(issuer, subject)
    if user is None or not user.active:
        why = "nobody here is that subject" if user is None else "the person was deactivated"
        _tell(house, user.name if user else "nobody", outcome="refused", address=address, subject=subject, why=why)
        raise SignInNeeded("The identity provider knows you, and nobody has added you here.", remedy="Ask an admin.")
    return begin_session(house, user, address, by="identity provider")


def first_admin(house: House, claim: Claim, code: str, name: str, password: str, address: str) -> tuple[User, str]:
    """Make the first admin, with the code of the console, and begin their session.

    Raises:
        NotAllowed: that is not the code, or it is no good any more.
        UsageError: there is somebody already, or the password is weak; the code is used up.
    """
    claim.take(code, house.clock.monotonic())
    user = people.add_first(_As(house, name.strip(), "console code"), name, password)
    return user, begin_session(house, user, address, by="console code")


def refused(house: House, why: str, address: str) -> None:
    """Write down that an identity provider's answer let nobody in."""
    _tell(house, "nobody", outcome="refused", address=address, why=why)


def sign_out(house: House, secret: str) -> None:
    """End a session."""
    user = house.store.people.of_session(digest_of(secret), house.now(), used=False)
    house.store.people.sign_out(digest_of(secret))
    if user is not None:
        write(_As(house, user.name), "sign out")


def person_of(house: House, *, session: str | None, key: str | None, used: bool = True) -> Person:
    """Who sends a session's secret or an API key; of both, the key counts.

    Args:
        house: the parts.
        session, key: the secrets, where they were sent.
        used: whether something is asked for, so that the session goes on.

    Raises:
        SignInNeeded: neither is good (any more).
    """
    now = house.now()
    if key is not None:
        owned = house.store.people.of_key(digest_of(key), now, used=used) if key.startswith(KEY_PREFIX) else None
        if owned is not None:
            user, kept = owned
            return Person(user=user, rights=frozenset(kept.rights), via=f"API key {kept.name}")
    elif session is not None:
        found = house.store.people.of_session(digest_of(session), now, used=used)
        if found is not None:
            return Person(user=found, rights=ALL_RIGHTS, via=SESSION)
    raise SignInNeeded("Nobody is signed in." if session is key is None else "The session, or the API key, is over.")


class _As(Passing):
    """A house in which somebody acts who is not signed in yet, or any more."""

    def __init__(self, house: House, name: str, via: str = SESSION) -> None:
        super().__init__(house)
        self._name, self._via = name, via

    @property
    def actor(self) -> Actor | None:  # type: ignore[override]
        return Actor(self._name, self._via)


def _tell(house: House, name: str, *, outcome: str, address: str, **facts: str) -> None:
    write(_As(house, name), "sign in", outcome=outcome, address=address, **facts)
