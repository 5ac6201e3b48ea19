"""Who may ask what: the tokens that the simulated Sentry knows, and the scopes that its endpoints want."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentry_connector.simulator.model import Organization, Project, Team
from sentry_connector.simulator.refusals import Refusal, refuse

# Sixty-four hexadecimal digits, as Sentry's are; no row of zeros, which other things are too: a search for a token that
# got out finds the token alone.
TOKEN = "sntryu_" + "0123456789abcdef" * 4
PROJECT_TOKEN = "sntryu_" + "123456789abcdef0" * 4
EXPIRED_TOKEN = "sntryu_" + "23456789abcdef01" * 4
SSO_TOKEN = "sntryu_" + "3456789abcdef012" * 4
INTEGRATION_TOKEN = "456789abcdef0123" * 4
ORG_TOKEN = "sntrys_" + "0" * 40 + "_6"

READ_SCOPES = frozenset({"org:read", "project:read", "team:read", "event:read"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a token stands for.

    Attributes:
        scopes: the token's scopes.
        category: whose limits it has: `user` (personal), `organization` (integration), `address` (organization token).
        caller: who it counts as; tokens of one caller share their limits.
        organization: the slug of the only organization it sees; None = all of its user's.
        problem: `expired` or `sso`, where it is refused everywhere.
    """

    scopes: frozenset[str] = READ_SCOPES
    category: str = "user"
    caller: str = "user:1"
    organization: str | None = None
    problem: str | None = None

    @property
    def has_user(self) -> bool:
        """Whether a person stands behind it, whose teams count."""
        return self.category == "user"

    def check(self, *scopes: str) -> None:
        """Let it pass if it has one of the scopes (if any is wanted), or the write or admin form of one.

        Raises:
            Refusal: 403; Sentry does not say which scope is missing.
        """
        if not scopes:
            return
        stronger = {scope.replace(":read", form) for scope in scopes for form in (":write", ":admin")}
        if not self.scopes & (stronger | set(scopes)):
            raise refuse(403)

    def sees(self, organization: Organization) -> bool:
        """Whether the organization is one of the token's."""
        return self.organization in (None, organization.slug)

    def is_in(self, place: Team | Project) -> bool:
        """Whether the token's user belongs to the team, or to a team of the project."""
        return self.has_user and place.member


ANYBODY = Access(scopes=frozenset(), category="address", caller="address:anybody")
"""A request without a token; only `/api/0/` answers it."""

TOKENS: Mapping[str, Access] = {
    TOKEN: Access(),
    PROJECT_TOKEN: Access(scopes=frozenset({"project:read"})),
    EXPIRED_TOKEN: Access(problem="expired"),
    SSO_TOKEN: Access(problem="sso"),
    INTEGRATION_TOKEN: Access(category="organization", caller="organization:acme", organization="acme"),
    ORG_TOKEN: Access(
        scopes=frozenset({"org:ci"}), category="address", caller="address:127.0.0.1", organization="acme"
    ),
}


def authenticate(header: str | None, tokens: Mapping[str, Access]) -> Access:
    """The access that an Authorization header gives.

    Raises:
        Refusal: 401, with the detail as a text or, where single sign-on is missing, as an object.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer":
        raise refuse(401, "Authentication credentials were not provided.")
    access = tokens.get(token.strip())
    if access is None:
        raise refuse(401, "Invalid token")
    if access.problem == "expired":
        raise refuse(401, "Token expired")
    if access.problem == "sso":
        raise Refusal.sso_required()
    return access
