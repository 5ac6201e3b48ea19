"""Play seeds: python -m tests.faults [--seeds N] [--from S] [--delta] [--seed S --trace]."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import sys
import time
from collections import Counter
from functools import partial

from tests.faults.ground import Ground, ground
from tests.faults.kinds import Fault
from tests.faults.simulation import Result, play

BATCH = 25


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--delta", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    chosen = parser.parse_args()
    first, number = (chosen.first, chosen.seeds) if chosen.seed is None else (chosen.seed, 1)
    began = time.perf_counter()
    results = played(range(first, first + number), delta=chosen.delta, processes=chosen.processes)
    if chosen.trace:
        for result in results:
            sys.stdout.write("\n".join([f"seed {result.seed}", *result.ledger.trace, ""]))
    sys.stdout.write(f"{report(results)}{time.perf_counter() - began:.1f} s\n")
    return int(any(result.differences for result in results))


def played(seeds: range, *, delta: bool, processes: int) -> list[Result]:
    """The results of all seeds, in their order; those that differ are told as they come."""
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        mapped = stack.enter_context(multiprocessing.Pool(processes)).imap if processes > 1 else map
        for batch in mapped(partial(batch_played, delta=delta), batches):
            for result in batch:
                for text in result.differences:
                    sys.stdout.write(f"seed {result.seed}: {text}\n")
            sys.stdout.flush()
            results += batch
    return results


def batch_played(seeds: range, *, delta: bool) -> list[Result]:
    """The results of some seeds, in one place."""
    with ground() as place:
        return [_played(seed, place, delta=delta) for seed in seeds]


def _played(seed: int, place: Ground, *, delta: bool) -> Result:
    """A seed that ends with an error differs: the others are played all the same."""
    try:
        return play(seed, place, delta=delta)
    except Exception as error:  # noqa: BLE001  # told with the seed
        return Result(seed, differences=[f"{type(error).__name__}: {error}"])


def report(results: list[Result]) -> str:
    """How often each fault fired, and how runs ended."""
    fired: Counter[Fault] = sum((result.ledger.fired for result in results), Counter())
    verdicts: Counter[str] = sum((result.verdicts for result in results), Counter())
    lines = [f"{fired[fault]:8,}  {fault.value}" for fault in Fault]
    ends = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.most_common())
    differing = sum(bool(result.differences) for result in results)
    lines.append(f"{len(results):,} seeds, {differing} differ; runs: {ends}")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
