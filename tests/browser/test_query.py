"""The SQL console in the browser. The numbers are those of the acceptance scenarios."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.looks import THEMES, in_all_looks, too_wide, violations
from tests.cli.shell import Shell
from tests.queries.asking import ENDLESS


@pytest.fixture(scope="module")
def filled(shell: Shell) -> Shell:
    """A DataSet with rows."""
    shell.ok("datasets", "create", "--name", "Shop events", "--report", "project-events", "--project", "acme/shop")
    with ThreadPoolExecutor() as aside:  # Playwright's loop runs in this thread
        aside.submit(shell.ok, "datasets", "run", "Shop events").result()
    return shell


def run(page: Page, sql: str) -> None:
    editor = page.get_by_label("SQL statement")
    editor.fill(sql)
    editor.press("Control+Enter")


def cells(page: Page) -> list[list[str]]:
    rows = page.get_by_role("region", name="Rows").locator("tbody tr")
    return [row.locator("td").all_inner_texts() for row in rows.all()]


def test_without_a_dataset_the_page_says_what_one_is_for(page: Page) -> None:
    page.goto("/query")
    expect(page.get_by_role("heading", name="No DataSet to ask yet")).to_be_visible()
    page.get_by_role("button", name="Try SQL all the same").click()
    expect(page.get_by_role("cell", name="42")).to_be_visible()


def test_an_example_on_ones_own_dataset_runs(page: Page, filled: Shell) -> None:
    page.goto("/query")
    page.get_by_role("button", name="The newest rows of Shop events").click()
    expect(page.get_by_role("status").filter(has_text="rows in")).to_be_visible()
    expect(page.get_by_role("columnheader", name=re.compile("^event_id"))).to_contain_text("VARCHAR")
    expect(page).to_have_url(re.compile(r"/query\?sql=SELECT"))
    page.reload()
    expect(page.get_by_label("SQL statement")).to_have_value(re.compile("shop_events"))


def test_each_kind_of_value_can_be_told_apart(page: Page, filled: Shell) -> None:
    page.goto("/query")
    run(
        page,
        """SELECT NULL AS nothing, 'NULL' AS word, 9007199254740993 AS large, '{"a":[1,2]}' AS json, repeat('x', 200) AS long""",
    )
    expect(page.get_by_role("cell", name="9007199254740993")).to_be_visible()
    ((nothing, word, _, _, long),) = cells(page)
    assert (nothing, word) == ("NULL", "NULL")
    assert len(long) < 200
    expect(page.locator("td.nothing")).to_have_count(1)
    page.get_by_role("button", name='{"a":[1,2]}').click()
    expect(page.get_by_role("dialog", name="Value of json")).to_contain_text('"a": [')
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^xxx")).click()
    expect(page.get_by_role("dialog", name="Value of long")).to_contain_text("x" * 200)


def test_rows_come_in_pages_and_what_is_left_out_is_said(page: Page) -> None:
    page.goto("/query")
    run(page, "SELECT range AS n FROM range(20000)")
    expect(page.get_by_text("The first 10,000 rows")).to_be_visible()
    expect(page.get_by_text("1–100 of 10,000")).to_be_visible()
    page.get_by_role("button", name="Next rows").click()
    expect(page.get_by_text("101–200 of 10,000")).to_be_visible()
    assert cells(page)[0] == ["100"]


def test_a_refusal_leads_to_its_place(page: Page, filled: Shell) -> None:
    page.goto("/query")
    run(page, "SELECT count(*)\nFROM shop_event")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean: shop_events?")
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("button", name="Line 2, column 6: show it").click()
    chosen = page.evaluate(
        "(({value, selectionStart, selectionEnd}) => value.slice(selectionStart, selectionEnd))(document.activeElement)"
    )
    assert chosen == "shop_event"


def test_a_statement_is_stopped_by_escape_and_by_the_button(page: Page) -> None:
    page.goto("/query")
    run(page, ENDLESS)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text("The statement was stopped.")
    run(page, ENDLESS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    run(page, "SELECT 6 * 7 AS answer")
    expect(page.get_by_role("cell", name="42")).to_be_visible()


def test_a_statement_is_stopped_of_which_the_server_has_not_heard_yet(page: Page) -> None:
    held: list[Route] = []
    page.route("**/query/first-rows", lambda route: held.append(route))  # noqa: PLW0108  # Playwright wants a function
    page.goto("/query")
    with page.expect_response("**/cancel") as first:
        run(page, ENDLESS)
        page.keyboard.press("Escape")
    assert first.value.status == 404
    held[0].continue_()
    expect(page.get_by_role("alert")).to_contain_text("The statement was stopped.")


def test_tables_columns_and_words_are_suggested_and_taken_by_the_keyboard(page: Page, filled: Shell) -> None:
    with page.expect_response("**/query/names"):
        page.goto("/query")
    editor = page.get_by_label("SQL statement")
    editor.focus()
    page.keyboard.type("SELECT count(*) FROM shop_")
    expect(page.get_by_role("option", name=re.compile("shop_events"))).to_be_visible()
    expect(page.locator("#suggested")).to_contain_text("Suggestions: 1.")
    page.keyboard.press("Tab")
    expect(editor).to_have_value("SELECT count(*) FROM shop_events")
    page.keyboard.type(" WHERE shop_events.event_")
    page.keyboard.press("ArrowDown")
    active = editor.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(editor).to_have_value(re.compile(r"shop_events\.event_id$"))
    page.keyboard.type(" = 'x' GRO")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.press("Control+Space")
    page.keyboard.press("Tab")
    expect(editor).to_have_value(re.compile("GROUP$"))


def test_a_chart_draws_what_the_columns_offer(page: Page, filled: Shell) -> None:
    page.goto("/query")
    run(
        page,
        "SELECT date_trunc('day', date_created) AS day, count(*) AS number, 1 AS one FROM shop_events GROUP BY ALL ORDER BY ALL",
    )
    page.get_by_role("button", name="Chart").click()
    drawing = page.get_by_role("img", name="Line chart: number by day")
    expect(drawing.locator("canvas")).to_be_visible()
    page.get_by_label("Kind").select_option("bar")
    page.get_by_label("Y axis").select_option("one")
    expect(page.get_by_role("img", name="Bar chart: one by day")).to_be_visible()
    assert violations(page) == []
    run(page, "SELECT 'x' AS word")
    expect(page.get_by_role("cell", name="x", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Chart")).to_be_hidden()


@pytest.mark.parametrize(("choice", "name"), [("Parquet", "query.parquet"), ("CSV for spreadsheets", "query.csv")])
def test_a_result_is_exported_whole(page: Page, tmp_path: Path, choice: str, name: str) -> None:
    page.goto("/query")
    page.get_by_label("SQL statement").fill("SELECT range AS n, '=1+1' AS sum FROM range(20000)")
    page.get_by_text("Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=choice).click()
    file = tmp_path / name
    download.value.save_as(file)
    assert download.value.suggested_filename == name
    if name.endswith("csv"):
        assert file.read_text().splitlines()[-1] == '19999,"\'=1+1"'
    else:
        assert pq.read_table(file).num_rows == 20_000


def test_a_query_is_saved_has_an_address_and_is_deleted(page: Page, shell: Shell) -> None:
    page.goto("/query")
    page.get_by_label("SQL statement").fill("SELECT 6 * 7 AS answer")
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog", name="Save the query")
    dialog.get_by_label("Name").fill("Answers & <b> / day")
    dialog.get_by_label("Share it").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Answers & <b> / day")
    assert shell.json("queries", "show", "answers & <b> / day")["shared"] is True
    page.goto("/query")
    page.get_by_role("link", name="Answers & <b> / day").click()
    expect(page.get_by_label("SQL statement")).to_have_value("SELECT 6 * 7 AS answer")
    page.get_by_label("SQL statement").press("Control+Enter")
    expect(page.get_by_role("cell", name="42")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/query\?name="))
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the saved query").click()
    expect(page).to_have_url("/query")
    assert shell.json("queries", "list") == []
    page.goto("/query?name=none")
    expect(page.get_by_role("main")).to_contain_text("There is no saved query named 'none'.")


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    '"><svg onload=alert(1)>',
    "\u202etxt.exe\u0007",
    "{{7*7}}",
)


def test_whatever_a_cell_a_column_or_a_chart_holds_is_text(page: Page) -> None:
    page.goto("/query")
    values = ", ".join(f"('{one}', {number})" for number, one in enumerate(HOSTILE))
    run(page, f"""SELECT word AS "<b onmouseover=alert(1)>", n FROM (VALUES {values}) t(word, n)""")
    expect(page.get_by_role("cell", name=HOSTILE[0])).to_be_visible()
    assert [row[0] for row in cells(page)] == list(HOSTILE)
    page.get_by_role("button", name="Chart").click()
    expect(page.get_by_role("img", name="Bar chart: n by <b onmouseover=alert(1)>")).to_be_visible()
    page.locator("#drawing canvas").hover()
    assert page.locator("main img, main svg[onload], main b").count() == 0


def test_the_page_is_for_everyone(page: Page, filled: Shell) -> None:
    filled.ok("queries", "save", "x" * 255, "SELECT 1")
    assert in_all_looks(page, "/query") == []
    for width in (1440, 768, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/query")
        run(page, "SELECT event_id, title, tags, date_created, 1 AS n FROM shop_events LIMIT 5")
        expect(page.get_by_role("region", name="Rows")).to_be_visible()
        page.get_by_role("button", name="Chart").click()
        expect(page.locator("#drawing canvas")).to_be_visible()
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            assert violations(page) == []
        assert too_wide(page) <= 0
    assert json.loads(filled.ok("queries", "delete", "x" * 255, "--yes", "--json").stdout)["name"] == "x" * 255
