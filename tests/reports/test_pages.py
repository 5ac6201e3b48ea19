"""The pages under docs/reports say what the catalogue says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sentry_connector.reports.catalogue import CATALOGUE, find
from sentry_connector.reports.model import Report, text
from sentry_connector.reports.pages import INDEX, pages, render, render_index, write_pages

DIRECTORY = Path(__file__).parents[2] / "docs" / "reports"


@pytest.mark.parametrize("name", pages())
def test_the_page_is_up_to_date(name: str) -> None:
    page = DIRECTORY / name
    assert page.exists(), f"{page.name} is missing: run `make docs`"
    assert page.read_text(encoding="utf-8") == pages()[name], f"{page.name} is stale: run `make docs`"


def test_no_page_is_left_of_a_report_that_is_gone() -> None:
    assert {page.name for page in DIRECTORY.iterdir()} == set(pages())


def test_there_is_a_page_for_each_report_and_an_index_of_all() -> None:
    assert set(pages()) == {INDEX} | {f"{report.slug}.md" for report in CATALOGUE}
    for report in CATALOGUE:
        assert f"[{report.name}]({report.slug}.md)" in render_index()


@pytest.mark.parametrize("report", CATALOGUE, ids=lambda report: report.slug)
def test_a_page_says_all_that_a_reader_needs(report: Report) -> None:
    page = render(report)
    assert page.startswith(f"# {report.name}\n\n{report.about}\n")
    assert all(f"| `{column.name}` | {column.type} |" in page for column in report.columns)
    assert all(f"| `{path}` |" in page for path in report.left_out)
    assert all(note in page for note in report.notes)
    assert f"`{report.scope}`" in page


def test_a_bar_in_a_description_does_not_end_its_cell() -> None:
    page = render(replace(find("organizations"), columns=(text("slug", "Either | or."),)))
    assert "Either \\| or." in page


def test_writing_makes_the_directory_and_every_page(tmp_path: Path) -> None:
    write_pages(tmp_path / "docs" / "reports")
    assert {
        page.name: page.read_text(encoding="utf-8") for page in (tmp_path / "docs" / "reports").iterdir()
    } == pages()
