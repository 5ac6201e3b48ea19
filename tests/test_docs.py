"""The documentation tells the truth: all is described, every link leads somewhere, and what is shown is what happens."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from tools import docs

from sentry_connector.errors import ConnectorError
from sentry_connector.reports.catalogue import CATALOGUE
from sentry_connector.reports.model import Report
from sentry_connector.settings import SETTINGS, Setting
from sentry_connector.simulator import World, start_in_thread
from tests.cli.shell import Shell
from tests.cli.test_serve import serving

PROJECT = docs.DOCS.parent
PAGES = sorted([*PROJECT.glob("*.md"), *docs.DOCS.rglob("*.md")])
GENERATED = docs.generated()


def named(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# ---- everything is described


@pytest.mark.parametrize("path", GENERATED, ids=named)
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    assert text_of(path) == GENERATED[path], "run `make docs`"


def test_every_page_about_a_report_is_generated() -> None:
    assert set((docs.DOCS / "reports").iterdir()) <= set(GENERATED)


@pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)
def test_the_readme_leads_to_a_reports_page_and_names_its_scope(report: Report) -> None:
    (row,) = re.findall(rf"^\| \[{report.name}\]\(docs/reports/{report.slug}\.md\) \|.*$", README, re.MULTILINE)
    assert row.endswith(f"| `{report.scope}` |")


@pytest.mark.parametrize(("name", "command"), list(docs.commands()), ids=[name for name, _ in docs.commands()])
def test_a_command_is_described_with_all_its_options(name: str, command: Any) -> None:
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text_of(docs.DOCS / "commands.md"), re.MULTILINE | re.DOTALL)
    assert section is not None
    taken = list(docs.parameters(command, typer.Context(command, info_name=name)))
    assert all(about and docs.cell(about) in section[1] for _, about in taken)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_a_setting_is_described(setting: Setting) -> None:
    assert f"| `{setting.variable}` | {setting.about} |" in text_of(docs.DOCS / "settings.md")


@pytest.mark.parametrize("error", list(docs.tree(ConnectorError)), ids=lambda error: error.__name__)
def test_an_error_and_its_exit_code_are_described(error: type[ConnectorError]) -> None:
    assert f"| `{error.name}` | {error.exit_code} |" in text_of(docs.DOCS / "errors.md")
    assert f"\n| {error.exit_code} | " in text_of(docs.DOCS / "operations.md")


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\]\(decisions/([^)]+)\)", text_of(docs.DOCS / "README.md"))
    assert listed == sorted(path.name for path in (docs.DOCS / "decisions").iterdir())


# ---- links


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not link.startswith("https://"):
            assert target.exists(), link
            assert not heading or heading in anchors(target), link


def anchors(page: Path) -> list[str]:
    """The names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


# ---- what is shown is what happens

README = text_of(PROJECT / "README.md")

DIFFERS: Mapping[str, str] = {
    r"\d{4}-\d\d-\d\d[T ][\d:.]+Z": "TIME",
    r"\b01[0-9a-z]{18}\b": "ID",
    r"127\.0\.0\.1:\d+": "HOST",
    r"\b\d+\.\d+\b": "SECONDS",
    r"\b\d{5,}\b": "BYTES",
    r"[ \t]+(?=\n|$)": "",
    r"[ \t]+": " ",
}
"""What is another each time, and the width of columns."""

STAND_INS: Mapping[str, str] = {"make demo": "env -u SENTRY_AUTH_TOKEN -u SENTRY_URL sentry-connector demo"}
"""Commands of the project itself, and what they run once the environment is there."""


@dataclass(frozen=True)
class Example:
    """A command line in a page, and the output shown below it, in which `…` stands for anything."""

    command: str
    shown: str
    numbers_vary: bool = False

    def shows(self, output: str) -> bool:
        """Whether that is the output, but for what differs each time."""
        pattern = ".*".join(re.escape(part) for part in self._form(self.shown).split("…"))
        return re.fullmatch(pattern, self._form(output), re.DOTALL) is not None

    def _form(self, text: str) -> str:
        text = text.strip()
        for differs, name in DIFFERS.items():
            text = re.sub(differs, name, text)
        return re.sub(r"\d[\d,]*", "N", text) if self.numbers_vary else text


def examples(page: str) -> Iterator[Example]:
    """The commands of the page's `console` blocks, in their order."""
    for vary, block in re.findall(r"^```console( numbers-vary)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            yield Example(command, shown, bool(vary))


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """An environment whose Sentry is the one that `simulate` serves."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SENTRY_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with start_in_thread(World.build(now=dt.datetime.now(dt.UTC))) as sentry:
        yield others | {
            "SENTRY_URL": sentry.url,
            "SENTRY_AUTH_TOKEN": sentry.token,
            "PATH": path,
            "PYTHONUNBUFFERED": "1",  # both outputs in the order in which a terminal shows them
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md", "docs/config-as-code.md"])
def test_every_command_shown_does_what_is_shown(name: str, tmp_path: Path, variables: dict[str, str]) -> None:
    env = variables | {"SENTRY_CONNECTOR_HOME": str(tmp_path / "home")}
    for file, content in re.findall(r"^```yaml (\S+)\n(.*?)^```$", text_of(PROJECT / name), re.MULTILINE | re.DOTALL):
        (tmp_path / file).write_text(content, encoding="utf-8")
    for example in examples(text_of(PROJECT / name)):
        command = ["sh", "-c", STAND_INS.get(example.command, example.command)]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert example.shows(done.stdout), f"{example.command} prints\n{done.stdout}\nand not\n{example.shown}"


@pytest.mark.timeout(600)
def test_every_request_shown_is_answered_as_shown(tmp_path: Path, variables: dict[str, str]) -> None:
    missing = [name for name in ("curl", "jq") if shutil.which(name) is None]
    assert not missing, f"the page uses them: apt-get install {' '.join(missing)}"
    env = variables | {"SENTRY_CONNECTOR_HOME": str(tmp_path / "home")}
    with serving(Shell(env)) as server:
        done = list(examples(text_of(docs.DOCS / "api.md")))
        assert len(done) > 5
        script = "\n".join(f"echo; echo {_MARK}; {example.command}" for example in done)
        said = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=env | {"API": f"{server.url}/api/v1"}, text=True,
            capture_output=True, check=True,
        )  # fmt: skip
    for example, output in zip(done, said.stdout.split(f"\n{_MARK}\n")[1:], strict=True):
        assert example.shows(output), f"{example.command} prints\n{output}\n{said.stderr}"


_MARK = "-- next --"
"""Between the outputs of commands that share a shell, and so their variables."""


def test_the_python_of_the_readme_runs(tmp_path: Path, variables: dict[str, str]) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    program = f"{code}\nassert table.num_rows > 0"
    subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, env=variables, check=True)


def test_the_python_of_the_page_about_the_library_runs(tmp_path: Path, variables: dict[str, str]) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text_of(docs.DOCS / "library.md"), re.MULTILINE | re.DOTALL))
    env = variables | {"SENTRY_CONNECTOR_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=env, check=True, capture_output=True, text=True
    )
    assert re.fullmatch(r"COMPLETE \d+\n\d+ rows\n", done.stdout)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_python_of_the_page_about_the_library_is_typed(tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text_of(docs.DOCS / "library.md"), re.MULTILINE | re.DOTALL))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "mypy", "--strict", str(tmp_path / "page.py")], cwd=PROJECT, check=True)


def test_an_example_is_its_whole_output_but_for_what_differs() -> None:
    example = Example("x", "at 2026-01-01T00:00Z  3 rows\n…\nlast")
    assert example.shows("at 2026-02-02T11:11:11Z 3 rows\nmore\nand more\nlast\n")
    assert not example.shows("at 2026-02-02T11:11:11Z 4 rows\nmore\nlast\n")
    assert not example.shows("at 2026-02-02T11:11:11Z 3 rows\nmore\nlast\nand more\n")
    assert Example("x", "3 rows", numbers_vary=True).shows("1,234 rows")
