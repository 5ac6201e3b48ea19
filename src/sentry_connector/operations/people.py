"""People: who may sign in, and the API keys of their programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sentry_connector.datasets.definition import LONGEST_NAME, plain_text
from sentry_connector.errors import NotAllowed, UnknownName, UsageError
from sentry_connector.operations import origins
from sentry_connector.operations.audited import audited
from sentry_connector.people.passwords import Passwords, check_password, need_libraries
from sentry_connector.people.secrets import digest_of, hint_of, new_key
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.people import session_id
from sentry_connector.store.rights import ApiKey, Right, Role, Session, User

KEY_DAYS, LONGEST_KEY_DAYS = 90, 366


def exist(house: House) -> bool:
    """Whether there are people: then a server asks everybody who they are."""
    return house.store.people.exist()


@audited("users add", "role")
def add(house: House, name: str, role: Role, password: str) -> User:
    """Let a person sign in with a password.

    Raises:
        UsageError: the name is empty or taken, the password is weak, or the first person is no admin.
    """
    return _add(house, name, role, password)


@audited("users add", "role")
def add_first(house: House, name: str, password: str, role: Role = Role.ADMIN) -> User:
    """Make the first admin, where there is nobody yet.

    Raises:
        UsageError: as `add`, or there is somebody.
    """
    return _add(house, name, role, password, first=True)


def _add(house: House, name: str, role: Role, password: str, *, first: bool = False) -> User:
    need_libraries()
    if role is not Role.ADMIN and not exist(house):
        raise UsageError("The first person has to be an admin.", remedy="Repeat with `--role admin`.")
    now = house.now()
    user = User(
        id=new_id(now, house.rng),
        name=plain_text("name", name, LONGEST_NAME),
        role=role,
        created_at=now,
        updated_at=now,
    )
    check_password(password, user.name)
    if not exist(house):
        # What this machine's user has connected stays reachable, wherever it is.
        for account in house.store.accounts.list():
            origins.add(house, account.url)
    return house.store.people.add(user, Passwords().hash(password), first=first)


@audited("users add", "role", "issuer", "subject")
def add_known_elsewhere(house: House, name: str, role: Role, issuer: str, subject: str) -> User:
    """Let a person sign in whom an identity provider knows by that subject.

    Raises:
        UsageError: the name is empty or taken, or somebody is that subject already.
    """
    if not exist(house):
        raise UsageError(
            "The first person has to be an admin with a password.", remedy="`users add NAME --role admin`."
        )
    if house.store.people.by_subject(issuer, subject) is not None:
        raise UsageError("Somebody is that subject already.")
    now = house.now()
    user = User(
        id=new_id(now, house.rng),
        name=plain_text("name", name, LONGEST_NAME),
        role=role,
        issuer=issuer,
        subject=subject,
        created_at=now,
        updated_at=now,
    )
    return house.store.people.add(user, None)


def everybody(house: House) -> Sequence[User]:
    """All people, by name."""
    return house.store.people.list()


def find(house: House, name: str) -> User:
    """The person of that name.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    return house.store.people.find(name)


@audited("users set-role", "role")
def set_role(house: House, name: str, role: Role) -> User:
    """Give a person another role; their sessions and API keys end.

    Raises:
        UnknownName: there is no such person.
        UsageError: no admin would be left.
    """
    return house.store.people.change(find(house, name).id, {"role": role, "updated_at": house.now()})


@audited("users set-password")
def set_password(house: House, name: str, password: str) -> User:
    """Give a person another password; their sessions and API keys end.

    Raises:
        UnknownName: there is no such person.
        UsageError: the password is weak, or an identity provider signs them in.
    """
    need_libraries()
    user = find(house, name)
    if user.issuer is not None:
        raise UsageError(f"{user.name} signs in at {user.issuer}, and has no password here.")
    check_password(password, user.name)
    return house.store.people.change(user.id, {"password": Passwords().hash(password), "updated_at": house.now()})


@audited("users deactivate")
def deactivate(house: House, name: str) -> User:
    """Keep a person from signing in; their sessions and API keys end, what they own stays theirs.

    Raises:
        UnknownName: there is no such person.
        UsageError: no admin would be left.
    """
    return house.store.people.change(find(house, name).id, {"active": False, "updated_at": house.now()})


@audited("users activate")
def activate(house: House, name: str) -> User:
    """Let a person sign in again.

    Raises:
        UnknownName: there is no such person.
    """
    return house.store.people.change(find(house, name).id, {"active": True, "updated_at": house.now()})


@audited("users delete")
def delete(house: House, name: str) -> User:
    """Forget a person, with what they were given; what only they owned is an admin's affair from then on.

    Raises:
        UnknownName: there is no such person.
        UsageError: no admin would be left, while others are.
    """
    user = find(house, name)
    house.store.people.delete(user.id)
    return user


def sessions(house: House, user: User) -> Sequence[Session]:
    """Where a person is signed in, the newest first."""
    return house.store.people.sessions(user.id, house.now())


def is_session(session: Session, secret: str | None) -> bool:
    """Whether a session is the one of that secret."""
    return secret is not None and session.id == session_id(digest_of(secret))


@audited("users sign-out")
def sign_out(house: House, name: str, *, session: str | None = None, but: str | None = None) -> User:
    """End sessions of a person; their API keys stay.

    Args:
        house: the parts.
        name: whose.
        session: the id of the one to end; None = all.
        but: the secret of one that goes on.

    Raises:
        UnknownName: there is no such person, or no such session of theirs.
    """
    user = find(house, name)
    ended = house.store.people.end_sessions(user.id, id=session, but=None if but is None else digest_of(but))
    if session is not None and not ended:
        raise UnknownName("session", session, remedy="`GET /api/v1/me/sessions` lists one's own.")
    return user


@audited("users sign-out-all")
def sign_out_all(house: House) -> int:
    """End all sessions and API keys of everybody, as after a theft; how many there were."""
    return house.store.people.revoke_all()


@audited("api-keys add", "rights", "days")
def add_key(
    house: House, name: str, owner: User, rights: Collection[Right], *, days: int = KEY_DAYS
) -> tuple[ApiKey, str]:
    """Make an API key for a person's programs.

    Args:
        house: the parts.
        name: what to call it.
        owner: whose it is: it may never do more than they.
        rights: its scopes.
        days: after which it is no good any more.

    Returns:
        What is kept of it, and the key itself: shown now, and never again.

    Raises:
        UsageError: the name is empty or taken, there is no scope, the days are too many, or the owner was changed meanwhile.
    """
    if not rights:
        raise UsageError("The API key has no scope.", remedy=f"Give it one or more of: {', '.join(Right)}.")
    if not 1 <= days <= LONGEST_KEY_DAYS:
        raise UsageError(f"An API key is good for 1 to {LONGEST_KEY_DAYS} days.")
    now, key = house.now(), new_key()
    kept = ApiKey(
        id=new_id(now, house.rng),
        name=plain_text("name", name, LONGEST_NAME),
        user_id=owner.id,
        hint=hint_of(key),
        rights=tuple(right for right in Right if right in rights),
        created_at=now,
        expires_at=now + dt.timedelta(days=days),
    )
    return house.store.people.add_key(kept, digest_of(key), as_of=owner.updated_at), key


def keys(house: House, owner: User | None = None) -> Sequence[tuple[ApiKey, User]]:
    """The API keys of one person, or of all, with whose each is."""
    people, whose = {user.id: user for user in house.store.people.list()}, None if owner is None else owner.id
    return [(key, people[key.user_id]) for key in house.store.people.keys(whose) if key.user_id in people]


def find_key(house: House, id_or_name: str, owner: User | None = None) -> ApiKey:
    """The API key of that id or name, among one person's or all.

    Raises:
        UnknownName: there is none.
        UsageError: several people have one of that name.
    """
    among = [key for key, _ in keys(house, owner)]
    found = [key for key in among if key.id == id_or_name] or [key for key in among if key.name == id_or_name]
    if not found:
        raise UnknownName("API key", id_or_name, [key.name for key in among])
    if len(found) > 1:
        raise UsageError(
            f"Several people have an API key named {id_or_name!r}.", remedy="Give its id: `api-keys list`."
        )
    return found[0]


@audited("api-keys revoke")
def revoke_key(house: House, key: ApiKey) -> ApiKey:
    """End an API key."""
    house.store.people.revoke(key.id)
    return key


def refuse_more_rights(wanted: Collection[Right], having: Collection[Right]) -> None:
    """A key makes no key that may do more than itself.

    Raises:
        NotAllowed: it would.
    """
    if Right.ADMIN not in having and not set(wanted) <= set(having):
        raise NotAllowed("An API key may not make one with more scopes than its own.")
