"""Texts by which somebody who may name a thing could try to run a script, leave a page's frame, or fool a reader.

What runs calls `hurt()`, which the browser tests count. Each text has a number, so that it can be a unique name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

CALLS = ("hurt()", "hurt`1`", "window['hurt']()", "self.hurt?.()", "alert(1)")

TAGS = (
    "<script>{}</script>",
    "<SCRIPT>{}</SCRIPT >",
    "<script\t>{}</script>",
    "<script src=data:text/javascript,{}></script>",
    "</script><script>{}</script>",
    "<scr<script>ipt>{}</scr</script>ipt>",
    "<!--><script>{}</script>-->",
    "<![CDATA[<script>{}</script>]]>",
    "<iframe srcdoc='<script>parent.{}</script>'></iframe>",
    "<object data='data:text/html,<script>{}</script>'></object>",
    "<embed src='data:image/svg+xml,<svg onload={}>'>",
    "<base href='javascript:{}//'>",
    "<template><script>{}</script></template>",
    "<textarea></textarea><script>{}</script>",
    "</title><script>{}</script>",
    "</textarea><img src=x onerror={}>",
)
HANDLERS = (
    "<img src=x onerror={}>",
    "<img/src='x'/onerror={}>",
    "<body onload={}>",
    "<input autofocus onfocus={}>",
    "<details open ontoggle={}>",
    "<video><source onerror={}></video>",
    "<audio src=x onerror={}>",
    "<marquee onstart={}>x</marquee>",
    "<div onpointerenter={}>x</div>",
    "<form><button formaction='javascript:{}'>x</button></form>",
    "<select onfocus={} autofocus></select>",
    "<style>@keyframes x{{}}</style><b style='animation-name:x' onanimationstart={}>x</b>",
)
ATTRIBUTES = (
    '" onfocus={} autofocus x="',
    "' onfocus={} autofocus x='",
    '" onerror={} src=x ',
    "` onfocus={} autofocus ",
    '"><img src=x onerror={}>',
    "'><svg onload={}>",
    "x onfocus={} autofocus tabindex=1",
    '" style="animation-name:x" onanimationstart={} x="',
    '" hx-on:load="{}" x="',
    '" data-action="/api/v1/logout" data-then="javascript:{}" x="',
)
DRAWN = (
    "<svg onload={}></svg>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s></svg>",
    "<svg><a xlink:href='javascript:{}'><text y=9>x</text></a></svg>",
    "<svg><foreignObject><img src=x onerror={}></foreignObject></svg>",
    "<math><mtext><img src=x onerror={}></mtext></math>",
    "<math href='javascript:{}'>x</math>",
    "<math><mi><style><img src=x onerror={}></style></mi></math>",
)
ADDRESSES = (
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\u200bscript:{}",
    " javascript:{}",
    "javascript://x/%0a{}",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
    "//evil.example/?{}",
    "https://evil.example\\@ours.example/{}",
    "[x](javascript:{})",
    "<a href='javascript:{}'>x</a>",
)
TEMPLATES = (
    "{{{{ {} }}}}",
    "{{% set x = {} %}}",
    "${{{}}}",
    "#{{{}}}",
    "<%= {} %>",
    "{{{{ constructor.constructor('{}')() }}}}",
    "[[{}]]",
    "%({})s %s %d",
    "{{0.__class__}} {}",
    "@{{{}}}",
)
READERS = (
    "\u202egnp.{}",
    "\u2066x\u2069{}\u202c",
    "\u200b\u200c\u200d{}",
    "\ufeff{}",
    "\u061c{}\u200f",
    "e\u0301" * 40 + "{}",
    "\U000e0041{}",
    "\uff1cscript\uff1e{}\uff1c/script\uff1e",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20 + "{}",
    "\u0430\u0441\u0441ount {}",
)
FORMULAS = (
    "={}",
    "+{}",
    "-{}",
    "@{}",
    '=HYPERLINK("https://evil.example","{}")',
    "\uff1d{}",
    "=cmd|' /C calc'!A0 {}",
    "%0A={}",
)

BREAKING = (
    "W" * 200,
    "x" * 255,
    "\u4e2d" * 200,
    "<" * 200,
    "-" * 255,
    "A\u00a0" * 120,
    "&" * 200,
    "/" * 200,
    "é" * 255,
)
"""Words that no line has room for."""

CLASSES: tuple[tuple[str, ...], ...] = (TAGS, HANDLERS, ATTRIBUTES, DRAWN, ADDRESSES, TEMPLATES, READERS, FORMULAS)
COUNT = 300
LONGEST = 255


def _made() -> Iterator[str]:
    """All of one call before those of the next, so that the first 300 have every class and several calls."""
    yield from BREAKING
    for call, kind in product(CALLS, CLASSES):
        yield from (one.format(call) for one in kind)


def numbered(text: str, number: int) -> str:
    """The text with its number behind it, no longer than a name may be."""
    return f"{text[: LONGEST - 5]} {number}"


PAYLOADS = tuple(numbered(text, number) for number, text in zip(range(COUNT), _made(), strict=False))
