"""Pages as a person has them, in a real Chromium: how soon rows are there, how old figures are, how heavy pages are.

`python -m bench.browser rows|progress|weight|first` serves, looks, and prints what it saw.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.measure import Result, run

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROWS = 1_000_000
CHUNK_ROWS = 50_000
STARTS, LOOKS = 3, 5
CHART = "echarts"
"""Part of the address of what draws charts."""

SETTLED = 1000
"""Milliseconds after which a page has asked for all that it shows."""

READ = 20_000
READERS, LATENCY_MS = 2, 100
"""So many requests at a time, of so long each: a run of about ten seconds."""

SEEN = """(() => {
  const busy = "#rows-box[aria-busy]", rows = "#rows-box:not([aria-busy]) table.rows tbody td:not(:empty)";
  let from = 0, isWaiting = true;
  addEventListener("click", (event) => {
    from = event.timeStamp;
    isWaiting = false;  // the rows of before are there still
    delete document.documentElement.dataset.waited;
  }, true);
  new MutationObserver(() => {
    if (document.querySelector(busy)) isWaiting = true;
    if (!isWaiting || !document.querySelector(rows)) return;
    isWaiting = false;
    document.documentElement.dataset.waited = (performance.now() - from) / 1000;
  }).observe(document, {subtree: true, childList: true, attributes: true});
})()"""
"""`data-waited`: seconds from the start of the navigation, or from the last click, until rows are in the document."""

SHOWN = """(() => {
  window.shown = {};
  new MutationObserver(() => {
    const requests = document.querySelector("[data-field=requests]")?.textContent.replace(/\\D/g, "");
    if (requests) window.shown[requests] ??= Date.now() / 1000;
  }).observe(document, {subtree: true, childList: true, characterData: true});
})()"""
"""`shown`: a number of requests → when the page first showed it, unix seconds."""


def results() -> Iterator[Result]:
    """Rows of a large table, the figures of a run, the weight of all pages, and the way to the first DataSet."""
    yield from _rows()
    yield from _progress()
    yield from _weight()
    yield from _first()


def _rows() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        done = run("-m", "bench.browser", "rows", folder)
    firsts, again, sorts = done.said["firsts"], done.said["again"], done.said["sorts"]
    told: dict[str, Any] = {"rows": ROWS, "cpu_seconds": done.cpu_seconds}
    note = f"the slowest {max(again):.2f} s; the first look after a start of the server {median(firsts):.2f} s"
    name = "browser: 1,000,000 rows, the first ones are there"
    yield Result(name=name, runs=len(again), seconds=median(again), note=note, **told)
    slowest = max(sorts, key=lambda column: sorts[column])
    note = f"{slowest}; in the middle of {len(sorts)} columns {median(sorts.values()):.2f} s"
    name = "browser: 1,000,000 rows, sorted by a click, the slowest"
    yield Result(name=name, runs=len(sorts), seconds=sorts[slowest], note=note, **told)


def _progress() -> Iterator[Result]:
    done = run("-m", "bench.browser", "progress")
    ages = done.said
    note = f"in the middle {median(ages):.2f} s, from the request to Sentry on"
    name = "browser: a run's figures as they are shown, the oldest"
    yield Result(name=name, runs=len(ages), seconds=max(ages), cpu_seconds=done.cpu_seconds, note=note)


def _weight() -> Iterator[Result]:
    done = run("-m", "bench.browser", "weight")
    weights: dict[str, Mapping[str, float]] = done.said
    heaviest = max(weights, key=lambda page: weights[page]["kib"])
    charts = max(one["charts_kib"] for one in weights.values())
    note = f"{heaviest}; of {len(weights)}; what draws charts {charts:,.0f} KiB"
    name = "browser: KiB of the heaviest page, nothing kept"
    seconds, kib = weights[heaviest]["seconds"], weights[heaviest]["kib"]
    yield Result(name=name, runs=len(weights), seconds=seconds, counted=kib, cpu_seconds=done.cpu_seconds, note=note)


def _first() -> Iterator[Result]:
    done = run("-m", "bench.browser", "first")
    name = "browser: clicks to the rows of the first DataSet"
    note = "from an empty home; a script, which need not think"
    yield Result(
        name=name, seconds=done.said["seconds"], counted=done.said["clicks"], cpu_seconds=done.cpu_seconds, note=note
    )


def rows(folder: str) -> dict[str, Any]:
    """Seconds to the first rows: of the first look after each start, and of the others; and of each column's sort."""
    from tools import served  # noqa: PLC0415  # the measuring process must stay small

    with served.simulating() as sentry, served.chromium() as browser:
        environment = served.environment_of(Path(folder, "home"), sentry)
        _make_events(environment)
        firsts, again, sorts = [], [], {}
        for start in range(STARTS):
            with served.serving(environment, "serve") as url, browser.new_context(base_url=url) as context:
                looks = [_look(context) for _ in range(1 + LOOKS)]
                firsts.append(looks[0])
                again += looks[1:]
                if start == STARTS - 1:
                    sorts = _sorts(context)
    return {"firsts": firsts, "again": again, "sorts": sorts}


def _make_events(environment: Mapping[str, str]) -> None:
    """A DataSet of a million events: its table is put there directly, as a run leaves it."""
    from tools import served  # noqa: PLC0415  # as above

    from bench import rows as events  # noqa: PLC0415  # as above
    from sentry_connector.app import App  # noqa: PLC0415  # as above
    from sentry_connector.destinations.delta import Delta  # noqa: PLC0415  # as above
    from sentry_connector.settings import from_environment  # noqa: PLC0415  # as above
    from sentry_connector.simulator import TOKEN  # noqa: PLC0415  # as above

    made = ("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
    for args in (("accounts", "add", "Main"), (*made, "--update-method", "append", "--account", "Main")):
        if served.call(environment, args, TOKEN if args[0] == "accounts" else ""):
            raise RuntimeError(" ".join(args))
    samples = events.samples()
    with App(from_environment(environment)) as app:
        table = app.table(app.store.datasets.find("Events"))
        if not isinstance(table, Delta):
            raise TypeError(type(table))
        chunks = (range(start, start + CHUNK_ROWS) for start in range(0, ROWS, CHUNK_ROWS))
        events.stage(table.location()[1], 1, (events.events(samples, numbers, 1) for numbers in chunks))
        table.commit(events.commit_of(table, 1, "append"))


def _look(context: BrowserContext) -> float:
    page = _opened(context)
    seconds = _waited(page)
    page.close()
    return seconds


def _opened(context: BrowserContext) -> Page:
    page = context.new_page()
    page.add_init_script(SEEN)
    page.goto("/datasets/events/data")
    return page


def _waited(page: Page) -> float:
    page.locator("html[data-waited]").wait_for(state="attached")
    return float(page.locator("html").get_attribute("data-waited") or "nan")


def _sorts(context: BrowserContext) -> dict[str, float]:
    """Column → seconds from the click on its head until the sorted rows are there; each is sorted for the first time."""
    page = _opened(context)
    _waited(page)
    names = [name for name in page.locator("table.rows thead button").all_inner_texts() if "↓" not in name]
    seconds = {}
    for name in names:
        page.get_by_role("button", name=f"Sort by {name}", exact=True).click()
        seconds[name] = _waited(page)
    return seconds


def progress() -> list[float]:
    """Seconds from a request of a run until the page shows a number of requests that counts it, for each that was shown."""
    from tools import served  # noqa: PLC0415  # as above

    from sentry_connector.simulator import Fault, Faults, World, start_in_thread  # noqa: PLC0415  # as above

    class Heard(Faults):
        """Breaks nothing, and keeps when it was asked for something."""

        def __init__(self) -> None:
            super().__init__(0.0)
            self.at: list[float] = []

        def strike(self, target: str) -> Fault | None:  # noqa: ARG002  # whatever it is
            """Nothing is wrong."""
            self.at.append(time.time())
            return None

    heard = Heard()
    world = World.build(now=dt.datetime.now(dt.UTC), events={"acme/shop": READ})
    with (
        tempfile.TemporaryDirectory() as folder,
        start_in_thread(world, faults=heard, latency_ms=LATENCY_MS) as sentry,
        served.chromium() as browser,
    ):
        environment = served.environment_of(Path(folder, "home"), sentry.url)
        environment |= {"SENTRY_AUTH_TOKEN": sentry.token, "SENTRY_CONNECTOR_CONCURRENCY": str(READERS)}
        made = ("datasets", "create", "--name", "Events", "--report", "project-events", "--project", "acme/shop")
        served.call(environment, (*made, "--all-available"))
        with served.serving(environment, "serve") as url:
            page = browser.new_context(base_url=url).new_page()
            page.add_init_script(SHOWN)
            page.goto("/datasets/events")
            heard.at.clear()
            page.get_by_role("button", name="Run now").click()
            page.locator("[data-run]").wait_for()
            page.locator("[data-run]").wait_for(state="detached", timeout=120_000)
            shown: dict[str, float] = page.evaluate("window.shown")
            (done,) = page.request.get("/api/v1/runs").json()
    if done["requests"] != len(heard.at):
        raise RuntimeError(f"{done['requests']} requests were counted, and {len(heard.at)} made")
    return [at - heard.at[int(requests) - 1] for requests, at in shown.items() if int(requests)]


def weight() -> dict[str, dict[str, float]]:
    """Page → KiB as they were sent, without what draws charts and of that, for a browser that has kept nothing; and seconds."""
    from tools import pages, served  # noqa: PLC0415  # as above

    who = {"name": pages.ADMIN, "password": pages.PASSWORD}
    weights = {}
    with served.filled() as (url, values), served.chromium() as browser:
        for template in pages.templates():
            with browser.new_context(base_url=url) as context:
                context.request.post("/api/v1/login", data=who, fail_on_status_code=True)
                weights[template] = _weighed(context.new_page(), pages.address(template, values))
    return weights


def _weighed(page: Page, address: str) -> dict[str, float]:
    asked: list[Any] = []
    page.on("requestfinished", lambda request: asked.append(request))  # noqa: PLW0108  # a built-in method is not taken
    began = time.perf_counter()
    page.goto(address)
    seconds = time.perf_counter() - began
    page.wait_for_timeout(SETTLED)
    kib = {True: 0.0, False: 0.0}
    for request in asked:
        sizes = request.sizes()
        kib[CHART in request.url] += (sizes["responseHeadersSize"] + sizes["responseBodySize"]) / 1024
    return {"kib": kib[False], "charts_kib": kib[True], "seconds": seconds}


def first() -> dict[str, float]:
    """Seconds and clicks from an empty home to the rows of the first DataSet."""
    from tests.browser.first import first_dataset  # noqa: PLC0415  # as above
    from tools import served  # noqa: PLC0415  # as above

    from sentry_connector.simulator import TOKEN  # noqa: PLC0415  # as above

    with (
        tempfile.TemporaryDirectory() as folder,
        served.simulating() as sentry,
        served.chromium() as browser,
        served.serving(served.environment_of(Path(folder, "home"), sentry), "serve") as url,
    ):
        page = browser.new_context(locale="en-GB", timezone_id="UTC").new_page()
        began = time.perf_counter()
        clicks = first_dataset(page, url, TOKEN)
        return {"seconds": time.perf_counter() - began, "clicks": clicks}


MEASURES: Mapping[str, Callable[..., Any]] = {"rows": rows, "progress": progress, "weight": weight, "first": first}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
