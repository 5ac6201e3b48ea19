"""The sentences that the house says, read off its source: what `web/sentences.py` finds again, and translators translate.

A sentence is a text between quotation marks in which `{name}` stands for what is filled in. It is what an error is raised
with, what reads as a sentence, and each phrase of the functions that are known to make some.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import sentry_connector
from sentry_connector import errors
from sentry_connector.errors import ConnectorError
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.web.problems import OF_THE_INSIDE
from sentry_connector.web.sentences import is_form

PACKAGE = Path(sentry_connector.__file__).parent
NO_PAGE_SAYS = (
    "cli/", "library/", "simulator/", "formats/", "settings.py", "telemetry.py", "extraction/schema.py",
    "datasets/config", "datasets/yaml_tree.py", "operations/backup.py", "operations/config", "operations/origins.py",
    "operations/planning.py", "operations/vault.py", "web/metrics.py", "web/oidc.py", "web/openapi.py", "web/pages/",
    "web/place.py", "web/schemas.py", "web/service.py",
)  # fmt: skip
"""What only a console, a program or a file's author is told."""

MENUS = ("reports/menus.py", "reports/windows.py", "reports/catalogue.py")
"""What the reports say otherwise is documentation."""

DESCRIBED = ("web/api_", "web/looks.py", "web/bodies.py", "web/idempotency.py")
"""Whose other texts describe the API."""

OF_PHRASES = {"becoming", "obstacle", "_note", "_of_unfinished", "describe", "_days_in_words", "days_now"}
"""Functions each of whose texts is said, also where it does not read as a sentence."""

ERRORS = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, ConnectorError)}
READS_AS_A_SENTENCE = re.compile(r"[A-Z`{'].* .*([.?]|: \{\w+\})", re.DOTALL)


def sentences() -> Iterator[str]:
    """All of them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(NO_PAGE_SAYS) or (place.startswith("reports/") and place not in MENUS):
            continue
        tree = ast.parse(path.read_text())
        yield from filter(is_form, dict.fromkeys(_of_module(tree, only_raised=place.startswith(DESCRIBED))))
    yield from (one.partial for report in CATALOGUE for one in report.endpoints if one.partial)
    for kind in _subclasses(ConnectorError):
        if issubclass(kind, OF_THE_INSIDE):
            yield (kind.__doc__ or "").partition("\n")[0]


def _of_module(tree: ast.Module, *, only_raised: bool) -> Iterator[str]:
    nodes = [*ast.walk(tree)]
    said = {one for node in nodes for one in (*_arguments(node), *_phrases(node))}
    silent = {one for node in nodes for one in _silent(node)}
    for node in nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in silent:
            for form in map(str.strip, _forms(node)):
                reads = not only_raised and READS_AS_A_SENTENCE.fullmatch(form)
                if reads or (node in said and (" " in form or form.endswith("."))):
                    yield form
        match node:
            case ast.Call(func=ast.Name(id="UnknownName"), args=[ast.Constant(value=str(kind)), *_]):
                yield f"There is no {kind} named {{given}}."


def _silent(node: ast.AST) -> Iterator[ast.AST]:
    """Texts that are none by themselves: documentation, and the pieces of what is filled in."""
    if isinstance(node, ast.Expr):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield from (part for part in ast.walk(node) if part is not node)


def _phrases(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef) and node.name in OF_PHRASES:
        yield from ast.walk(node)


def _arguments(error: ast.AST) -> Iterator[ast.expr]:
    """What an error is raised with; nothing where no error is."""
    match error:
        case ast.Call(func=ast.Name(id="UnknownName"), args=args, keywords=keywords):
            yield from (*args[2:], *(one.value for one in keywords))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in ERRORS:
            yield from (*args, *(one.value for one in keywords))


def _forms(node: ast.AST) -> Iterator[str]:
    """A text, with names where something is filled in; each of them where there are two words for one and for many."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        for parts in itertools.product(*([*_part(one)] for one in node.values)):
            form = re.sub(r"\}( ?\{\w+\})+", "}", "".join(parts))  # what stands side by side cannot be told apart
            yield _numbered(re.sub(r"^\{\w+\} (?=[A-Z])", "", form))  # another sentence, and this one


def _part(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.FormattedValue(value=ast.IfExp(body=one, orelse=other)) if ast.Constant in {type(one), type(other)}:
            for each in (one, other):
                yield from _forms(each) if isinstance(each, ast.Constant | ast.JoinedStr) else ["{" + _name(each) + "}"]
        case ast.FormattedValue(value=value):
            yield "{" + _name(value) + "}"


def _numbered(form: str) -> str:
    """With each name once: `{name} and {name}` becomes `{name} and {name_2}`."""
    seen: Counter[str] = Counter()

    def named(found: re.Match[str]) -> str:
        seen[found[1]] += 1
        return f"{{{found[1]}_{seen[found[1]]}}}" if seen[found[1]] > 1 else found[0]

    return re.sub(r"\{(\w+)\}", named, form)


def _name(node: ast.expr) -> str:
    """What a translator reads for it: `{run.slot}` is `slot`, `{', '.join(names)}` is `names`."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name.strip("_").lower()
        case (
            ast.Call(args=[inner, *_])
            | ast.Call(func=ast.Attribute(value=inner))
            | ast.Subscript(value=inner)
            | ast.BinOp(left=inner)
            | ast.BoolOp(values=[inner, *_])
            | ast.IfExp(body=inner)
            | ast.List(elts=[ast.Starred(value=inner), *_])
            | ast.GeneratorExp(elt=inner)
        ):
            return _name(inner)
    return "what"


def _subclasses(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _subclasses(one)
