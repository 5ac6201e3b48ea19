# `make` alone lists what there is. Everything runs in the project's own environment (.venv), made from uv.lock.
.DEFAULT_GOAL := help
SHELL := /bin/sh
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --locked --no-sync
# Where a machine tells Python to keep no bytecode, each start compiles all that it imports: half of a short command's time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo demo-web check format test test-long conformance bench acceptance docs clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready  ## the environment, from uv.lock; uv itself too where it is missing

.venv/.ready: pyproject.toml uv.lock
	@command -v uv >/dev/null 2>&1 || test -x .uv/bin/uv || { python3 -m venv .uv && .uv/bin/pip install --quiet uv; }
	@$(UV) sync --locked --quiet --compile-bytecode
	@$(RUN) python -m compileall -q src
	@touch .venv/.ready

demo: setup  ## sixteen reports from the simulated Sentry (or, with SENTRY_AUTH_TOKEN set, from yours), and a query
	@$(RUN) sentry-connector demo

demo-web: setup  ## the same, and then pages to look at it and to make more, until Ctrl-C
	@$(RUN) sentry-connector demo --serve

check: setup  ## format, lint, types, import directions, generated docs
	$(RUN) ruff format --check src tests tools bench
	$(RUN) ruff check src tests tools bench
	$(RUN) mypy
	$(RUN) python -m tools.docs --check

format: setup  ## put the code into the project's form
	$(RUN) ruff format src tests tools bench
	$(RUN) ruff check --fix src tests tools bench

test: setup  ## the tests; of the expensive families a fixed, counted sample
	@$(RUN) python -m tools.machine
	$(RUN) pytest -m "not long" --numprocesses auto --dist worksteal

test-long: setup  ## all tests, with the expensive families whole, and what they took
	@$(RUN) python -m tools.machine
	$(RUN) pytest -m "not long" --numprocesses auto --dist worksteal
	$(RUN) pytest -m "long and not alone" --numprocesses auto --maxschedchunk 1 --durations=25
	$(RUN) pytest -m "long and alone" --durations=25

conformance: setup  ## every destination, update method and point at which a process can die: the table of results
	@$(RUN) python -m tests.conformance

bench: setup bench/.venv/.ready  ## speed and memory beside other readers, into bench/results.json and a table (GROUPS="W1 W3")
	$(RUN) python -m bench $(GROUPS)

bench/.venv/.ready: pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=bench/.venv $(UV) sync --locked --quiet --compile-bytecode --only-group bench
	@touch bench/.venv/.ready

acceptance: setup  ## all reports from the Sentry at SENTRY_URL; with TRUTH=file compared row by row
	@$(RUN) python -m tools.acceptance $(if $(TRUTH),--truth $(TRUTH))
	@$(RUN) python -m tools.acceptance $(if $(TRUTH),--truth $(TRUTH)) --other-ways

docs: setup  ## write the generated pages under docs/
	$(RUN) python -m tools.docs

clean:  ## remove the environment, caches and the demo's data
	rm -rf .venv bench/.venv .uv demo-home .mypy_cache .ruff_cache .pytest_cache .hypothesis
