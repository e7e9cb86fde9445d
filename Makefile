# The platform's own commands; `make` alone lists them. PAAS_* settings (docs/operators/settings.md) count here:
#   make up PAAS_PORT=8080      or      PAAS_PORT=8080 make up
.DEFAULT_GOAL := help
.PHONY: help up down clean doctor dev test lint unit integration e2e bench
PYTEST := .venv/bin/python -m pytest

help:  ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

up:  ## From whatever this machine is to a running platform with an example app; safe to run again
	@bin/setup
	@bin/paas up

down:  ## Stop the platform; apps keep running in the engine, `make up` brings the rest back
	@bin/paas down

clean:  ## Remove the platform, its apps and data, and nothing else; asks first (YES=1 does not)
	@bin/paas clean $(if $(YES),--yes)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find paas tests bench builders examples -name __pycache__ -prune -exec rm -rf {} +

doctor:  ## Say for each part whether it is up, its version, and what to do if not
	@bin/paas doctor

dev:  ## Run the platform in the foreground under honcho, to develop; first stops the one in the background
	@bin/setup test
	@bin/paas dev

test:  ## Run everything: lint, unit, integration and end-to-end tests
	@bin/setup test
	@bin/paas engine start
	@$(MAKE) --no-print-directory lint unit integration e2e

lint:  ## Style, types, the order of the rooms
	@bin/setup test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

unit:  ## Tests without services, and those about the code itself
	@bin/setup test
	$(PYTEST) -q -n 2 tests/unit tests/meta

integration:  ## Tests of single parts on real services
	@bin/setup test
	$(PYTEST) -q -n 2 --dist loadfile tests/integration tests/contracts tests/conformance

e2e:  ## Tests of a whole own platform, as a user types
	@bin/setup test
	$(PYTEST) -q -n 2 --dist loadfile tests/e2e

bench:  ## Measure the build engine beside its rivals, export, idle memory; needs `make up` (S2I=/path/to/s2i)
	.venv/bin/python -m bench.build_engine --s2i "$(S2I)"
	.venv/bin/python -m bench.export
	.venv/bin/python -m bench.idle_memory
