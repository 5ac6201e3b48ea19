"""Who there is, and what each may do. Pure: the words, their order, and the records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a person may do at most; each may also do what those before may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


class Level(StrEnum):
    """What a person may do with one thing; each includes those before."""

    USE = "use"
    SHARE = "share"
    EDIT = "edit"
    OWNER = "owner"


class Thing(StrEnum):
    """What can be shared."""

    DATASET = "dataset"
    ACCOUNT = "account"
    DESTINATION = "destination"


class Right(StrEnum):
    """What an API key is for; `admin` includes the others."""

    READ = "read"
    RUN = "run"
    EDIT = "edit"
    ADMIN = "admin"


_ROLES, _LEVELS = tuple(Role), tuple(Level)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may sign in.

    Attributes:
        id: never changes.
        name: unique, compared without case.
        role: what they may do at most.
        active: whether they may sign in.
        issuer, subject: who they are to an identity provider; None where they have a password.
        created_at, updated_at: when.
        signed_in_at: when they last did.
        factor_since: since when a second factor is asked of them beside the password; None = it is not.
    """

    id: str
    name: str
    role: Role
    active: bool = True
    issuer: str | None = None
    subject: str | None = None
    created_at: dt.datetime
    updated_at: dt.datetime
    signed_in_at: dt.datetime | None = None
    factor_since: dt.datetime | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is signed in. The secret is never kept, and its digest is not here.

    Attributes:
        id: what tells it from their others; nobody comes in by it.
        address: the network address that it was begun from; None where that was not kept.
        created_at: when it was begun.
        used_at: when something was last asked for, to the minute.
    """

    id: str
    address: str | None
    created_at: dt.datetime
    used_at: dt.datetime


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A program's key. The key itself is never kept, only its digest, which is not here.

    Attributes:
        id: never changes.
        name: what the person calls it, unique among theirs.
        user_id: whose it is; it may never do more than they.
        hint: its first characters.
        rights: its scopes.
        created_at, expires_at: from when to when it is good.
        used_at: when it was last used, to the minute.
    """

    id: str
    name: str
    user_id: str
    hint: str
    rights: tuple[Right, ...]
    created_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may do with a thing."""

    user_id: str
    thing: Thing
    object_id: str
    level: Level
    granted_at: dt.datetime


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks.

    Attributes:
        user: who it is.
        rights: what the session, or the API key, is good for.
        via: `session` or `API key NAME`.
    """

    user: User
    rights: frozenset[Right]
    via: str

    def may(self, right: Right) -> bool:
        """Whether the session or key is good for it."""
        return right in self.rights or Right.ADMIN in self.rights

    def is_at_least(self, role: Role) -> bool:
        """Whether the person has that role or a higher one."""
        return _ROLES.index(self.user.role) >= _ROLES.index(role)

    def level(self, granted: Level | None) -> Level | None:
        """What a grant means for this person: an admin owns everything, a viewer uses at most."""
        if self.user.role is Role.ADMIN:
            return Level.OWNER
        if self.user.role is Role.VIEWER and granted is not None:
            return Level.USE
        return granted

    def levels(self, granted: Mapping[str, Level]) -> Callable[[str], Level | None]:
        """What grants, id of the thing → level, mean for this person: asked by the id, of whatever thing."""
        return lambda id_: self.level(granted.get(id_))


def is_at_least(level: Level | None, wanted: Level) -> bool:
    """Whether a level includes another one."""
    return level is not None and _LEVELS.index(level) >= _LEVELS.index(wanted)


ALL_RIGHTS = frozenset(Right)
"""What a session is good for."""
