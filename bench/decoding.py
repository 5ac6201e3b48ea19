"""From bytes to Arrow, alone: `python -m bench.decoding` prints rows and seconds as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench.measure import Result, run

RUNS = 5
PAGES_TOGETHER = 5
"""Pages that become columns together, as a reading takes them."""


def results() -> Iterator[Result]:
    """Pages of 100 events, the fast way and the lenient way."""
    done = run("-m", "bench.decoding")
    for name, figures in done.said.items():
        yield Result(name=f"decode: {name}", runs=RUNS, **figures)


def main() -> None:
    """Decode, after a first page that compiles what is compiled once."""
    from bench import pages  # noqa: PLC0415  # the measuring process must stay small

    world, project_id = pages.project()
    plain, context = pages.plain(world), pages.context(project_id)
    figures = {
        "pages as the catalogue says": _decoded(plain, context),
        "pages with a surprise each": _decoded(pages.surprising(plain), context),
    }
    sys.stdout.write(json.dumps(figures))


def _decoded(bodies: list[bytes], context: Any) -> dict[str, float]:
    from sentry_connector.extraction.decode import Decoder  # noqa: PLC0415  # as above
    from sentry_connector.reports import catalogue  # noqa: PLC0415  # as above

    decoder = Decoder(catalogue.find("project-events"))
    decoder.page(bodies[0], context)
    passes = sorted((_one_pass(decoder, bodies, context) for _ in range(RUNS)), key=lambda one: one["cpu_seconds"])
    return passes[RUNS // 2]


def _one_pass(decoder: Any, bodies: list[bytes], context: Any) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    decoded = [decoder.page(body, context) for body in bodies]
    together = (decoded[start : start + PAGES_TOGETHER] for start in range(0, len(decoded), PAGES_TOGETHER))
    rows = sum(decoder.batch(pages)[0].num_rows for pages in together)
    return {"rows": rows, "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    main()
