"""Signing in at an identity provider: OpenID Connect's authorization code flow, with PKCE, state and nonce.

What a token says counts only where its signature is that of one of the provider's published keys, by an asymmetric algorithm, and
where it was made by that provider, for this server, for this very attempt. Who somebody is, is issuer and subject: never an
e-mail address, which whoever owns an account at another provider can choose.

Sources: https://openid.net/specs/openid-connect-core-1_0.html, RFC 7636 (PKCE), RFC 9207 (iss), RFC 9700 (best current practice).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec
from yarl import URL

from sentry_connector.errors import ConnectorError, SignInNeeded, UsageError
from sentry_connector.people.secrets import digest_of
from sentry_connector.sentry.address import Reach, is_loopback
from sentry_connector.sentry.transport import GuardedResolver, refuse_address

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric ones: with a symmetric one, the provider's public key would pass for a secret."""

GOOD_FOR = 600.0
"""Seconds from leaving for the provider to coming back."""

LEEWAY = 60
"""Seconds that the provider's clock may differ."""

PATIENCE = 10.0
"""Seconds that the provider may take for an answer."""

MOST_PENDING = 1000
MOST_BYTES = 2**20
OK = 200

Record = TypeVar("Record", bound=msgspec.Struct)

FAILED = "The identity provider's answer does not show who you are."


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """An identity provider, and what this server is there.

    Attributes:
        issuer: exactly as its tokens name it.
        client_id, client_secret: what this server is there; a public client has no secret.
        redirect_uri: where people come back to, exactly as it is registered there.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str


class Pending(msgspec.Struct, frozen=True):
    """An attempt that has left for the provider."""

    browser: str
    nonce: str
    verifier: str
    until: float


class Endpoints(msgspec.Struct, frozen=True):
    """What of a provider's metadata is needed (https://openid.net/specs/openid-connect-discovery-1_0.html)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Tokens(msgspec.Struct, frozen=True):
    """What of the token endpoint's answer is needed."""

    id_token: str


class Oidc:
    """Signs people in at one provider. The attempts that are under way are in this process's memory, each good once."""

    def __init__(self, provider: Provider) -> None:
        """Take the provider.

        Raises:
            UsageError: its address is none that secrets may be sent to.
        """
        self.provider = provider
        _refuse_plain(provider.issuer)
        self._pending: OrderedDict[str, Pending] = OrderedDict()

    async def leave(self, now: float, reach: Reach | None) -> tuple[str, str]:
        """Begin an attempt.

        Args:
            now: seconds of a clock that only goes on.
            reach: what of private networks may be asked; None = all.

        Returns:
            Where the browser is to go, and the secret by which it will be known again when it comes back.

        Raises:
            SignInNeeded: the provider cannot be asked.
        """
        endpoints = await self._endpoints(reach)
        state, browser, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        self._pending[state] = Pending(digest_of(browser), nonce, verifier, now + GOOD_FOR)
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self.provider.redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in endpoints.authorization_endpoint else "?"
        return f"{endpoints.authorization_endpoint}{mark}{urlencode(asked)}", browser

    async def come_back(
        self, answer: Mapping[str, str], browser: str | None, *, now: float, today: int, reach: Reach | None
    ) -> str:
        """Who has come back: the subject, by which the provider knows them.

        Args:
            answer: the parameters that the browser brings.
            browser: the secret that it was given when it left.
            now: seconds of a clock that only goes on.
            today: the present, Unix seconds.
            reach: what of private networks may be asked; None = all.

        Raises:
            SignInNeeded: the answer shows nobody; `why` says it for the audit log.
        """
        pending = self._pending.pop(answer.get("state", ""), None)
        if pending is None or now >= pending.until:
            raise _failed("no such attempt is under way")
        if browser is None or not hmac.compare_digest(pending.browser, digest_of(browser)):
            raise _failed("another browser has begun the attempt")
        if answer.get("iss", self.provider.issuer) != self.provider.issuer:
            raise _failed("another provider answers")
        if "error" in answer or not answer.get("code"):
            raise _failed("the provider lets nobody in")
        endpoints = await self._endpoints(reach)
        tokens = await self._tokens(endpoints, answer["code"], pending.verifier, reach)
        keys = await _fetch(endpoints.jwks_uri, reach)
        return subject_of(tokens.id_token, keys, self.provider, nonce=pending.nonce, today=today)

    async def _endpoints(self, reach: Reach | None) -> Endpoints:
        found = await _fetch(f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration", reach)
        endpoints = _read(found, Endpoints)
        if endpoints.issuer != self.provider.issuer:
            raise _failed("the provider's metadata name another issuer")
        for url in (endpoints.authorization_endpoint, endpoints.token_endpoint, endpoints.jwks_uri):
            try:
                _refuse_plain(url)
            except UsageError as error:
                raise _failed("an endpoint of the provider is not https") from error
        return endpoints

    async def _tokens(self, endpoints: Endpoints, code: str, verifier: str, reach: Reach | None) -> Tokens:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.provider.redirect_uri,
            "client_id": self.provider.client_id,
            "code_verifier": verifier,
        }
        secret = self.provider.client_secret
        headers = {}
        if secret is not None:  # both parts are encoded as in a form first: RFC 6749, section 2.3.1
            login = aiohttp.encode_basic_auth(quote_plus(self.provider.client_id), quote_plus(secret))
            headers["Authorization"] = login
        return _read(await _fetch(endpoints.token_endpoint, reach, form=asked, headers=headers), Tokens)


def subject_of(id_token: str, keys: bytes, provider: Provider, *, nonce: str, today: int) -> str:
    """Whom an ID token is about, where all of it is as it has to be.

    Args:
        id_token: as the provider sent it.
        keys: its published keys, a JWK Set.
        provider: which it has to be.
        nonce: of this attempt.
        today: the present, Unix seconds.

    Raises:
        SignInNeeded: something is not.
    """
    from joserfc import jwt  # noqa: PLC0415  # an extra
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    try:
        published = msgspec.json.decode(keys, type=dict[str, Any])
        asymmetric = [one for one in published.get("keys", []) if one.get("kty") in {"RSA", "EC", "OKP"}]
        key_set = KeySet.import_key_set({"keys": asymmetric})
        claims = jwt.decode(id_token, key_set, algorithms=list(ALGORITHMS)).claims
        jwt.JWTClaimsRegistry(
            now=today,
            leeway=LEEWAY,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": provider.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, msgspec.MsgspecError) as error:
        raise _failed(f"the token is refused: {type(error).__name__}") from error
    audience, party = claims["aud"], claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in {None, provider.client_id}:
        raise _failed("the token is for several servers")
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise _failed("the token names nobody")
    return subject


async def _fetch(
    url: str, reach: Reach | None, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """What the provider answers, of one address: no redirect is followed, no private network asked that was not allowed."""
    try:
        refuse_address(URL(url), reach)
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                connector=aiohttp.TCPConnector(resolver=GuardedResolver(reach)),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.request(
                "GET" if form is None else "POST", url, data=form, headers=headers, allow_redirects=False
            ) as answer,
        ):
            body = await answer.content.read(MOST_BYTES)
            if answer.status != OK:
                raise _failed(f"the provider answers {answer.status}")
            while not answer.content.at_eof():
                body += await answer.content.read(MOST_BYTES)
                if len(body) > MOST_BYTES:
                    raise _failed("the provider's answer is too large")
            return body
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, UsageError) as error:
        raise _failed(f"the provider cannot be asked: {type(error).__name__}") from error


def _read(body: bytes, kind: type[Record]) -> Record:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise _failed("the provider's answer is malformed") from error


def _refuse_plain(url: str) -> None:
    """Secrets go by TLS, but to this machine itself.

    Raises:
        UsageError: the URL is another one.
    """
    try:
        place = URL(url)
    except ValueError:
        place = URL()
    host = place.host or ""
    if place.scheme == "https" and host:
        return
    if place.scheme != "http" or not (is_loopback(host) or host == "localhost"):
        raise UsageError(
            f"SENTRY_CONNECTOR_OIDC_ISSUER is {url!r}: not an https address.", remedy="Give the issuer's https address."
        )


def _failed(why: str) -> ConnectorError:
    return SignInNeeded(
        FAILED, remedy="Sign in again; if it stays, an admin finds the reason in the audit log.", why=why
    )
