"""The bodies of simulated events: entries of every type that Sentry knows, made from an event's number alone."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from sentry_connector.simulator import texts
from sentry_connector.simulator.model import Event

Json = dict[str, Any]
SHARE_OF_CHAINED, SHARE_IN_APP = 0.3, 0.7
SECURITY_REPORTS = ("hpkp", "expectct", "expectstaple", "nel")


def entries(event: Event) -> list[Json]:
    """The event's entries in Sentry's order of importance; a bare event has none."""
    random = Random(event.number)
    return [{"type": kind, "data": data} for kind, data in KINDS[event.issue.kind](event, random)]


def _python(event: Event, random: Random) -> list[tuple[str, Any]]:
    chained = [_raised(event, random, cause=True)] if random.random() < SHARE_OF_CHAINED else []
    values = [*chained, _raised(event, random)]
    return [
        ("exception", {"values": values, "excOmitted": None, "hasSystemFrames": True}),
        ("breadcrumbs", {"values": [_crumb(event, random, n) for n in range(random.randint(1, 5))]}),
        ("request", _request(random)),
    ]


def _javascript(event: Event, random: Random) -> list[tuple[str, Any]]:
    return [
        ("exception", {"values": [_raised(event, random)], "excOmitted": None, "hasSystemFrames": False}),
        ("breadcrumbs", {"values": [_crumb(event, random, n) for n in range(random.randint(2, 8))]}),
        ("request", _request(random)),
        ("debugmeta", {"images": [_image(random, "sourcemap")]}),
    ]


def _native(event: Event, random: Random) -> list[tuple[str, Any]]:
    return [
        ("exception", {"values": [_raised(event, random)], "excOmitted": None, "hasSystemFrames": True}),
        ("threads", {"values": [_thread(random, n) for n in range(random.randint(1, 4))]}),
        ("debugmeta", {"images": [_image(random, "macho"), _image(random, "macho")]}),
        ("breadcrumbs", {"values": [_crumb(event, random, 0)]}),
    ]


def _message(event: Event, random: Random) -> list[tuple[str, Any]]:
    formatted = event.issue.message
    return [
        ("message", {"message": formatted, "formatted": f"{formatted} ({event.number})", "params": [event.number]}),
        ("stacktrace", _stacktrace(random, 2)),
    ]


def _template(event: Event, random: Random) -> list[tuple[str, Any]]:
    template = {"filename": "cart.html", "absPath": "/srv/templates/cart.html", "lineNo": random.randint(1, 90)}
    return [
        ("exception", {"values": [_raised(event, random)], "excOmitted": None, "hasSystemFrames": False}),
        ("template", {**template, "context": [[template["lineNo"], "{{ cart.total }}"]]}),
    ]


def _csp(event: Event, random: Random) -> list[tuple[str, Any]]:
    page = f"https://shop.example.com/item/{event.number}"
    report = {
        "effective_directive": "img-src",
        "violated_directive": "img-src",
        "blocked_uri": "blob",
        "document_uri": page,
        "original_policy": "default-src 'none'; img-src 'self'",
        "referrer": "",
        "status_code": 200,
        "source_file": page,
        "line_number": random.randint(1, 99),
        "script_sample": "",
        "disposition": "enforce",
    }
    return [("message", {"formatted": event.issue.message}), ("csp", report), ("request", _request(random))]


def _security(event: Event, _random: Random) -> list[tuple[str, Any]]:
    kind = SECURITY_REPORTS[event.number % len(SECURITY_REPORTS)]
    report = {"hostname": "shop.example.com", "port": 443, "date_time": event.time, "served_certificate_chain": []}
    return [("message", {"formatted": event.issue.message}), (kind, report)]


def _bare(_event: Event, _random: Random) -> list[tuple[str, Any]]:
    return []


def _transaction(event: Event, random: Random) -> list[tuple[str, Any]]:
    spans = [
        {
            "span_id": f"{random.getrandbits(64):016x}",
            "trace_id": event.id,
            "op": "db.query",
            "description": f"SELECT * FROM orders WHERE id = {n}",
            "start_timestamp": event.time + n / 100,
            "timestamp": event.time + n / 100 + 0.005,
            "data": {"db.system": "postgresql"},
        }
        for n in range(event.number % 4)
    ]
    return [("spans", spans), ("request", _request(random))]


KINDS: dict[str, Callable[[Event, Random], list[tuple[str, Any]]]] = {
    "python": _python,
    "javascript": _javascript,
    "native": _native,
    "message": _message,
    "template": _template,
    "csp": _csp,
    "security": _security,
    "bare": _bare,
    "transaction": _transaction,
}


def _raised(event: Event, random: Random, *, cause: bool = False) -> Json:
    kind, _, value = event.issue.title.partition(": ")
    return {
        "type": "OSError" if cause else kind,
        "value": "the cause" if cause else f"{value} ({event.number})",
        "module": random.choice(texts.MODULES),
        "threadId": None,
        "mechanism": {"type": "generic", "handled": event.number % 3 != 0},
        "stacktrace": _stacktrace(random, random.randint(1, 6)),
        "rawStacktrace": None,
    }


def _stacktrace(random: Random, depth: int) -> Json:
    frames = [_frame(random) for _ in range(depth)]
    return {"frames": frames, "framesOmitted": None, "registers": None, "hasSystemFrames": True}


def _frame(random: Random) -> Json:
    module, line = random.choice(texts.MODULES), random.randint(3, 400)
    return {
        "filename": module.replace(".", "/") + ".py",
        "absPath": "/srv/" + module.replace(".", "/") + ".py",
        "module": module,
        "function": random.choice(texts.FUNCTIONS),
        "lineNo": line,
        "colNo": None,
        "inApp": random.random() < SHARE_IN_APP,
        "context": [[line + n, f"    step_{n}({random.choice(texts.NOUNS)!r})"] for n in range(-2, 3)],
        "vars": {"attempt": str(random.randint(1, 9)), "note": random.choice(texts.HOSTILE)},
        "errors": None,
    }


def _crumb(event: Event, random: Random, number: int) -> Json:
    return {
        "timestamp": event.time - 5 + number,
        "type": "http",
        "category": "fetch",
        "level": "info",
        "message": None if number % 2 else random.choice(texts.NOUNS),
        "data": {"method": "GET", "url": f"/api/{random.choice(texts.FUNCTIONS)}", "status_code": 200},
        "event_id": None,
    }


def _request(random: Random) -> Json:
    browser, version = random.choice(texts.BROWSERS)
    return {
        "method": random.choice(("GET", "POST")),
        "url": f"https://shop.example.com/{random.choice(texts.FUNCTIONS)}",
        "query": [["page", str(random.randint(1, 9))]],
        "fragment": None,
        "data": None,
        "headers": [["Accept", "*/*"], ["User-Agent", f"{browser}/{version}"]],
        "cookies": [],
        "env": None,
        "inferredContentType": None,
        "apiTarget": None,
    }


def _thread(random: Random, number: int) -> Json:
    return {
        "id": number,
        "name": None if number else "main",
        "crashed": number == 0,
        "current": number == 0,
        "stacktrace": _stacktrace(random, 2),
    }


def _image(random: Random, kind: str) -> Json:
    return {"type": kind, "debug_id": f"{random.getrandbits(128):032x}", "code_file": "/app/shop", "image_size": 4096}
