"""The words of the simulated world: ordinary ones, and those that an attacker or a careless program would send."""

from __future__ import annotations

HOSTILE: tuple[str, ...] = (
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "<b>bold</b> & <a href='javascript:alert(1)'>link</a>",
    "\x1b[31mred\x1b[0m \x1b]8;;https://example.com\x07click\x1b]8;;\x07",
    "[link=https://example.com]rich[/link] [/x]",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    '\t=HYPERLINK("https://example.com")',
    "\uff1d1+1 full width",
    "a\x00b",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2603 \u00e9\u0301",
    "\u202egnirts desrever\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\u00a0 odd\u2003spaces\u200b and \ufeffmarks ",
    "line one\r\nline two\nline three\u2028four",
    "'; DROP TABLE events; --",
    "{{7*7}} ${7*7} %s %n {0} ${jndi:ldap://example.com/a}",
    'quote " comma, semicolon; tab\tend',
    "../../etc/passwd",
    "NULL",
    "null",
    " ",
    "0x1F 1e5 007 1,000 2026-01-01",
    "\u6f22\u5b57\u304b\u306a \ud55c\uad6d\uc5b4 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "Z\u0351\u036b\u0343a\u0360l\u0362g\u0322o\u0321",
    "https://example.com/?a=1&b=2#<script>",
)
LONG = "x" * 8000
"""As long as Sentry lets a message be, nearly."""

ERROR_TYPES: tuple[str, ...] = (
    "ValueError", "KeyError", "TypeError", "TimeoutError", "ConnectionError", "PermissionError", "ZeroDivisionError",
    "IndexError", "UnicodeDecodeError", "OperationalError", "IntegrityError", "AssertionError", "RangeError",
)  # fmt: skip
NOUNS: tuple[str, ...] = (
    "order", "cart", "invoice", "session", "payment", "address", "coupon", "shipment", "profile", "refund", "stock",
    "search index", "cache entry", "upload", "webhook",
)  # fmt: skip
PROBLEMS: tuple[str, ...] = (
    "is missing", "could not be read", "has the wrong type", "timed out", "is locked", "was refused", "is not unique",
    "has no owner", "is out of range", "could not be parsed",
)  # fmt: skip
FUNCTIONS: tuple[str, ...] = ("checkout", "load", "parse", "render", "dispatch", "commit", "resolve", "handle", "fetch")
MODULES: tuple[str, ...] = ("app.views", "app.tasks", "app.models", "lib.http", "lib.cache", "core.orders", "core.auth")
COMMENTS: tuple[str, ...] = (
    "It broke when I clicked on pay.", "The page stayed white.", "Works again after a reload.",
    "I lost what I had typed.", "Please call me back.", "Twice today, same place.",
)  # fmt: skip
PEOPLE: tuple[str, ...] = (
    "ana",
    "ben",
    "chidi",
    "dora",
    "emil",
    "fatima",
    "goran",
    "hana",
    "ivo",
    "june",
    "kofi",
    "lena",
)
BROWSERS: tuple[tuple[str, str], ...] = (
    ("Chrome", "142.0.0"),
    ("Firefox", "145.0"),
    ("Safari", "19.1"),
    ("Edge", "142.0.1"),
)
ENVIRONMENTS: tuple[str, ...] = ("production", "production", "production", "staging", "dev")
