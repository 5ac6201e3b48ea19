"""The second factor: one-time passwords of an authenticator, asked for beside the password, and recovery codes in their place."""

from __future__ import annotations

from dataclasses import dataclass, field

from sentry_connector.errors import CodeNeeded, SignInNeeded, TooManyTries, UsageError
from sentry_connector.operations.audited import audited
from sentry_connector.operations.people import find
from sentry_connector.operations.vault import sealing
from sentry_connector.people.secrets import digest_of, new_recovery_code, plain_code
from sentry_connector.people.throttle import Throttle, in_seconds
from sentry_connector.people.totp import new_seed, step_of, uri_of
from sentry_connector.runs.house import House, wholly
from sentry_connector.store.rights import User

CODES = 8
"""Recovery codes that a person has."""

WRONG_CODE = "That is not the code, or it was used already."


@dataclass(frozen=True, kw_only=True, slots=True)
class Offered:
    """A second factor that is to be set up: shown now, and never again.

    Attributes:
        seed: what the authenticator is given, as letters.
        uri: the same as an address, which authenticators read from a picture or a link.
    """

    seed: str = field(repr=False)
    uri: str = field(repr=False)


@audited("users new-factor")
async def offer(house: House, name: str) -> Offered:
    """Make a second factor for a person, asked for once `confirm` was shown a code of it; one that they have stays until then.

    Raises:
        UnknownName: there is no such person.
        UsageError: an identity provider signs them in, which asks for what it wants to.
    """
    user = await house.aside(lambda: find(house, name))
    if user.issuer is not None:
        raise UsageError(f"{user.name} signs in at {user.issuer}, and has a second factor there.")
    seed = new_seed()
    async with sealing(house):
        await wholly(house, lambda: house.store.factors.offer(user.id, house.vault.seal(seed, user.id, None)))
    return Offered(seed=seed, uri=uri_of(seed, user.name))


@audited("users confirm-factor")
def confirm(house: House, name: str, code: str, *, but: str | None = None) -> list[str]:
    """Ask a person for the second factor from now on; their sessions end.

    Args:
        house: the parts.
        name: whose.
        code: that their authenticator shows.
        but: the secret of a session that goes on.

    Returns:
        Recovery codes, each of which stands for the second factor once: shown now, and never again.

    Raises:
        UnknownName: there is no such person.
        UsageError: none was made for them, or that is not its code.
        EditedMeanwhile: another one was made meanwhile.
    """
    user, now = find(house, name), house.now()
    pending = house.store.factors.get(user.id).pending
    if pending is None:
        raise UsageError(f"No second factor was made for {user.name}.", remedy="Make one: `users new-factor NAME`.")
    step = step_of(house.vault.open(pending, user.id, None), code, now.timestamp(), after=0)
    if step is None:
        raise UsageError(
            "That is not the code.", remedy="Give the one that the authenticator shows; its clock has to be right."
        )
    codes = [new_recovery_code() for _ in range(CODES)]
    digests = [digest_of(plain_code(one)) for one in codes]
    house.store.factors.take_up(user.id, pending, step, digests, now, but=None if but is None else digest_of(but))
    return codes


@audited("users reset-factor")
def forget(house: House, name: str) -> User:
    """Ask a person for the password alone, as where the phone and the codes are lost; their sessions and API keys end.

    Raises:
        UnknownName: there is no such person.
    """
    house.store.factors.forget(find(house, name).id)
    return find(house, name)


def codes_left(house: House, user: User) -> int:
    """How many recovery codes a person has left."""
    return house.store.factors.codes_left(user.id)


def show(house: House, throttle: Throttle, user: User, code: str | None) -> str:
    """Check the second factor of somebody whose password was right; what it was, in a word.

    Args:
        house: the parts.
        throttle: holds the guessing of codes up, wherever it comes from: who guesses one knows the password.
        user: who.
        code: of the authenticator, or a recovery code; None = none was given.

    Raises:
        CodeNeeded: none was given.
        TooManyTries: too many were wrong; this one was not looked at.
        SignInNeeded: it is wrong, or was used.
    """
    if code is None:
        raise CodeNeeded("The code of the second factor is needed.")
    wait = throttle.begin(user.id, user.id, house.clock.monotonic())
    if wait:
        raise TooManyTries("Too many wrong codes.", retry_after=in_seconds(wait))
    factor = house.store.factors.get(user.id)
    by = None
    if house.store.factors.use_code(user.id, digest_of(plain_code(code))):
        by = "recovery code"
    elif factor.sealed is not None:
        seed = house.vault.open(factor.sealed, user.id, None)
        step = step_of(seed, code, house.now().timestamp(), after=factor.used_step)
        if step is not None and house.store.factors.use_step(user.id, step):
            by = "code"
    if by is None:
        raise SignInNeeded(WRONG_CODE, remedy="Wait for the next one, or give a recovery code.")
    throttle.right(user.id, user.id)
    return by
