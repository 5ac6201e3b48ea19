"""Signing in at an identity provider: one that plays by the rules, and every way in which an answer may be another's."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from sentry_connector.errors import UsageError
from sentry_connector.operations import people
from sentry_connector.people.oidc import Oidc, Provider
from sentry_connector.store.rights import Role
from sentry_connector.web.place import Place
from tests.parts import HastyClock
from tests.web.town import PASSWORD, Answer, Town, Visitor

CLIENT, SECRET, SUBJECT = "connector", "client-secret", "subject-7"
URL = "http://127.0.0.1"

KEY, STRANGE = RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256"}), RSAKey.generate_key(2048, {"kid": "1"})
CURVE = ECKey.generate_key("P-256", {"kid": "2"})


@dataclass
class Idp:
    """An identity provider, whose answers a test may bend."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    without: str | None = None
    sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, KEY)
    metadata: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    def let_in(self, url: str) -> dict[str, str]:
        """What a browser brings back that went to the authorization endpoint and signed in there."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"state": asked["state"], "code": code}

    async def configuration(self, _request: web.Request) -> web.Response:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return web.json_response(found | self.metadata)

    async def keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [KEY.as_dict(private=False), CURVE.as_dict(private=False)]})

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form | {"authorization": request.headers.get("Authorization", "")})
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if begun is None or challenge.rstrip(b"=").decode() != begun["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = 1_773_144_000  # NOW of the town
        claims = {
            "iss": self.issuer, "sub": SUBJECT, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": begun["nonce"],
            "email": "ada@example.com",
        } | self.claims  # fmt: skip
        claims.pop(self.without or "", None)
        return web.json_response({"id_token": self.sign(claims), "access_token": "x"}, status=self.status)


@pytest.fixture
async def idp() -> AsyncIterator[Idp]:
    made, app = Idp(), web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.configuration)
    app.router.add_get("/keys", made.keys)
    app.router.add_post("/token", made.token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def known(tmp_path: Path, idp: Idp) -> Town:
    """A town whose identity provider that is, and in which somebody is that subject."""
    variables = {
        "SENTRY_CONNECTOR_OIDC_ISSUER": idp.issuer,
        "SENTRY_CONNECTOR_OIDC_CLIENT_ID": CLIENT,
        "SENTRY_CONNECTOR_OIDC_CLIENT_SECRET": SECRET,
    }
    town = Town(tmp_path / "home", Place(people=True, url=URL), None, **variables)
    town.house.clock = HastyClock()
    town.person("Root", Role.ADMIN)
    people.add_known_elsewhere(town.house, "Ada", Role.EDITOR, idp.issuer, SUBJECT)
    return town


async def left(town: Town) -> tuple[Visitor, str]:
    """A browser that has left for the provider, and where to."""
    answer = await town.nobody("GET", "/api/v1/oidc/start")
    assert answer.status == 303, answer.body
    browser = Visitor(town.app, {"cookie": "; ".join(f"{k}={v}" for k, v in answer.cookies.items())})
    return browser, answer.all("location")[0]


async def back(browser: Visitor, brought: dict[str, str]) -> Answer:
    query = "&".join(f"{name}={value}" for name, value in brought.items())
    return await browser("GET", f"/api/v1/oidc/callback?{query}")


async def test_whoever_the_provider_knows_and_an_admin_has_added_is_let_in(known: Town, idp: Idp) -> None:
    browser, url = await left(known)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid")
    assert asked["redirect_uri"] == f"{URL}/api/v1/oidc/callback"
    answer = await back(browser, idp.let_in(url))
    assert (answer.status, answer.all("location")) == (303, ["/"])
    (cookie,) = [one for one in answer.all("set-cookie") if one.startswith("session=")]
    assert "HttpOnly" in cookie
    ada = Visitor(known.app, {"cookie": cookie.partition(";")[0]})
    assert (await ada("GET", "/api/v1/me")).json["user"]["name"] == "Ada"
    (token,) = idp.asked
    assert base64.b64decode(token["authorization"].removeprefix("Basic ")).decode() == f"{CLIENT}:{SECRET}"


async def test_a_key_on_a_curve_will_do(known: Town, idp: Idp) -> None:
    idp.sign = lambda claims: jwt.encode({"alg": "ES256", "kid": "2"}, claims, CURVE)
    browser, url = await left(known)
    assert (await back(browser, idp.let_in(url))).status == 303


def unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps({"alg": "none"}), json.dumps(claims))
    return ".".join(base64.urlsafe_b64encode(one.encode()).rstrip(b"=").decode() for one in parts) + "."


def by_the_public_key(claims: dict[str, Any]) -> str:
    """HMAC with what everybody knows: it passes where a server lets the token choose how it is checked."""
    secret = OctKey.import_key(KEY.as_pem(private=False))
    return jws.serialize_compact({"alg": "HS256", "kid": "1"}, json.dumps(claims).encode(), secret)


def changed_after(claims: dict[str, Any]) -> str:
    head, _, signature = jwt.encode({"alg": "RS256", "kid": "1"}, claims, KEY).split(".")
    other = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "root"}).encode()).rstrip(b"=").decode()
    return f"{head}.{other}.{signature}"


def own_key(claims: dict[str, Any]) -> str:
    """With the key that it is to be checked by in its own head."""
    header = {"alg": "RS256", "jwk": STRANGE.as_dict(private=False), "kid": "1"}
    return jwt.encode(header, claims, STRANGE)


BENT: dict[str, dict[str, Any]] = {
    "another issuer": {"claims": {"iss": "https://id.attacker.example"}},
    "the issuer with a slash": {"claims": {"iss": "ISSUER/"}},
    "another audience": {"claims": {"aud": "another-client"}},
    "several audiences without a party": {"claims": {"aud": [CLIENT, "another-client"]}},
    "another party": {"claims": {"aud": [CLIENT, "another-client"], "azp": "another-client"}},
    "another party, one audience": {"claims": {"azp": "another-client"}},
    "another nonce": {"claims": {"nonce": "of-another-attempt"}},
    "no nonce": {"without": "nonce"},
    "expired": {"claims": {"exp": 1_773_144_000 - 61}},
    "no end": {"without": "exp"},
    "not made yet": {"claims": {"iat": 1_773_144_000 + 600}},
    "good later": {"claims": {"nbf": 1_773_144_000 + 600}},
    "no issuer": {"without": "iss"},
    "no audience": {"without": "aud"},
    "no subject": {"without": "sub"},
    "an empty subject": {"claims": {"sub": ""}},
    "a subject that is no text": {"claims": {"sub": ["subject-7"]}},
    "another subject with the same e-mail": {"claims": {"sub": "subject-8"}},
    "a subject in other letters": {"claims": {"sub": SUBJECT.upper()}},
    "no signature": {"sign": unsigned},
    "a signature by the public key": {"sign": by_the_public_key},
    "changed after it was signed": {"sign": changed_after},
    "another key": {"sign": lambda claims: jwt.encode({"alg": "RS256", "kid": "1"}, claims, STRANGE)},
    "its own key": {"sign": own_key},
    "no token at all": {"sign": lambda _claims: "token"},
    "a refusal": {"status": 400},
    "metadata of another": {"metadata": {"issuer": "https://id.attacker.example"}},
    "a token endpoint without TLS": {"metadata": {"token_endpoint": "http://id.attacker.example/token"}},
    "keys without TLS": {"metadata": {"jwks_uri": "http://id.attacker.example/keys"}},
}


@pytest.mark.parametrize("bent", BENT.values(), ids=BENT)
async def test_an_answer_that_is_not_as_it_has_to_be_lets_nobody_in(
    known: Town, idp: Idp, bent: dict[str, Any]
) -> None:
    browser, url = await left(known)
    brought = idp.let_in(url)
    for name, value in bent.items():
        setattr(idp, name, value)
    if idp.claims.get("iss") == "ISSUER/":
        idp.claims = {"iss": f"{idp.issuer}/"}
    answer = await back(browser, brought)
    assert (answer.status, [one for one in answer.cookies if one == "session"]) == (401, [])
    entry = known.house.store.audit.recent(limit=1)[0]
    assert (entry.action, entry.outcome, entry.actor) == ("sign in", "refused", "nobody")
    assert entry.facts["why"]


async def test_an_attempt_is_one_browsers_and_good_once(known: Town, idp: Idp) -> None:
    browser, url = await left(known)
    brought = idp.let_in(url)
    other, _ = await left(known)
    tries = {
        "another state": (browser, brought | {"state": "made-up"}),
        "no state": (browser, {"code": brought["code"]}),
        "a browser that never left": (known.nobody, brought),
    }
    for name, (asks, given) in tries.items():
        assert (await back(asks, given)).status == 401, name
    assert (await back(browser, brought)).status == 401, "whoever tries uses the attempt up"
    browser, url = await left(known)
    brought = idp.let_in(url)
    assert (await back(other, brought)).status == 401, "another browser's"
    browser, url = await left(known)
    brought = idp.let_in(url)
    assert (await back(browser, brought)).status == 303
    assert (await back(browser, brought)).status == 401, "sent again"
    browser, url = await left(known)
    assert (await back(browser, idp.let_in(url) | {"iss": "https://id.attacker.example"})).status == 401, "mixed up"
    browser, url = await left(known)
    assert (await back(browser, {"state": idp.let_in(url)["state"], "error": "access_denied"})).status == 401
    browser, url = await left(known)
    known.house.clock.passed += 600  # type: ignore[attr-defined]
    assert (await back(browser, idp.let_in(url))).status == 401, "too late"
    browser, url = await left(known)
    stolen, _ = idp.let_in(url)["code"], await left(known)
    second, url = await left(known)
    assert (await back(second, idp.let_in(url) | {"code": stolen})).status == 401, "a code of another attempt"


async def test_whoever_was_deactivated_stays_out(known: Town, idp: Idp) -> None:
    people.deactivate(known.house, "Ada")
    browser, url = await left(known)
    assert (await back(browser, idp.let_in(url))).status == 401


async def test_with_the_provider_alone_no_password_lets_anybody_in(tmp_path: Path, idp: Idp) -> None:
    variables = {
        "SENTRY_CONNECTOR_OIDC_ISSUER": idp.issuer,
        "SENTRY_CONNECTOR_OIDC_CLIENT_ID": CLIENT,
        "SENTRY_CONNECTOR_OIDC_ONLY": "1",
    }
    town = Town(tmp_path / "home", Place(people=True, url=URL), None, **variables)
    town.person("Root", Role.ADMIN)
    answer = await town.nobody("POST", "/api/v1/login", {"name": "Root", "password": PASSWORD})
    assert (answer.status, "Passwords" in answer.json["message"]) == (403, True)
    town.close()


def test_secrets_are_sent_to_no_provider_without_tls() -> None:
    for issuer in ("http://id.example", "id.example", "ftp://id.example", "http://localhost.id.example"):
        with pytest.raises(UsageError):
            Oidc(Provider(issuer=issuer, client_id="c", client_secret=None, redirect_uri=URL))
