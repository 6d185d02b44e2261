# Everything runs from .venv and the project's folder; nothing needs HOME, git or an activated
# environment.

PYTHON ?= python3
# One that is empty is as if unset.
override PORT := $(or $(strip $(PORT)),8000)
BIN := .venv/bin
RUNNABLE := .venv/.runnable
INSTALLED := .venv/.installed
FLASK := $(BIN)/python -m flask --app wsgi
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-deps --require-hashes
# Before the port is announced: gunicorn itself would try for five seconds.
BIND := import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))
UV ?= $(BIN)/uv
LOCK := --quiet --upgrade --no-cache --universal --generate-hashes --python-version 3.11 --custom-compile-command 'make lock'
BUILT_BY_PACKAGE := build/lib build/bdist.* ragauth.egg-info
COMPOSE_CHECK := $(BIN)/docker-compose --env-file /dev/null --file docker-compose.yml config --quiet

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# `.env` is docker-compose's: the commands read it no more than the server does.
export FLASK_SKIP_DOTENV := 1

.DEFAULT_GOAL := help
.PHONY: help install run demo dashboard console test test-fuzz soak check lint lint-python lint-shell lint-containers format types docs bench migration outline package lock client-types clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## Make .venv with the pinned packages (does nothing when up to date)

$(RUNNABLE): requirements/run.txt
	@test ! -L .venv || { echo ".venv is a link; it is made anew here, so remove the link first" >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null || { echo "ragauth needs Python 3.11 or newer: $(PYTHON) was not found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ragauth needs Python 3.11 or newer: $(PYTHON) is $$($(PYTHON) -V 2>&1); name another with PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing what ragauth runs on into .venv; this takes about half a minute"
	$(PYTHON) -m venv --clear .venv
	$(PIP_INSTALL) -r $<
	@touch $@

# Beside the other: what the tests need is five times as much, and `make run` needs none of it.
$(INSTALLED): requirements/dev.txt $(RUNNABLE)
	@test ! -L .venv || { echo ".venv is a link; it is changed here, so remove the link first" >&2; exit 1; }
	@echo "Installing what develops and tests it; this takes some minutes"
	$(PIP_INSTALL) -r $<
	@touch $@

# PORT is ragauth's, in `dashboard` and `console` too, which call it there.
run: $(RUNNABLE) ## Migrate the database and serve on 127.0.0.1 (PORT=8000)
	@$(BIN)/python -c '$(BIND)' $(PORT) 2>/dev/null || { echo "127.0.0.1:$(PORT) cannot be served: no port, or taken by another program or by a ragauth that runs already. Take another: make run PORT=8001" >&2; exit 1; }
	$(FLASK) db upgrade
	@echo
	@echo "ragauth answers at http://127.0.0.1:$(PORT) (Ctrl-C ends it). Try in another terminal:"
	@echo
	@echo "  curl -s http://127.0.0.1:$(PORT)/api/auth/signup -H 'Content-Type: application/json' \\"
	@echo "    -d '{\"email\": \"me@example.com\", \"password\": \"correct horse battery staple\"}'"
	@echo
	@echo "or walk through all of it with PORT=$(PORT) examples/quickstart.sh. In a browser:"
	@echo
	@echo "  http://127.0.0.1:$(PORT)/docs is the reference, where every route can be tried"
	@echo "  make dashboard serves the sample dashboard; make demo starts all at once"
	@echo
	@HOST=127.0.0.1 PORT=$(PORT) exec $(FLASK) serve

demo: $(RUNNABLE) ## Serve ragauth, dashboard and sample API at once (PORT=8000)
	@PORT=$(PORT) exec $(BIN)/python examples/demo.py

dashboard: ## Serve the sample dashboard on 127.0.0.1:5173 (RAGAUTH_API=http://127.0.0.1:8000)
	@PORT=$(PORT) exec $(PYTHON) examples/dashboard/serve.py

console: ## Serve the operator's console on 127.0.0.1:5175 (RAGAUTH_API=http://127.0.0.1:8000)
	@PORT=$(PORT) exec $(PYTHON) examples/console/serve.py

# Five on two cores, for three of them wait for servers and for time to pass (tests/schedule.py).
test: install ## Run every test (PYTEST_ARGS="-n 0 tests/unit" narrows it)
	$(BIN)/python -m pytest -n 5 --dist loadfile --durations 10 $(PYTEST_ARGS)

test-fuzz: install ## Hold the service against its OpenAPI document, and try more texts and orders of calls (FUZZ_EXAMPLES=200)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-200} $(BIN)/python -m pytest -n 2 tests/fuzz tests/unit tests/counters/test_*_model.py tests/api/*/test_*_model.py $(PYTEST_ARGS)

soak: install ## Let everything fail at random for 30 minutes and hold the promises (MINUTES=30 SEED=1 ONLY=redis)
	$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') $(if $(KIND),--kind '$(KIND)') $(SOAK_ARGS)

check: PYTEST_ARGS += --cov --cov-report=term
check: lint types test ## Lint, types, tests with coverage: what CI runs

lint: lint-python lint-shell lint-containers ## Check style, layers, shell scripts and container files

lint-python: install
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports

lint-shell: install
	$(firstword $(wildcard $(BIN)/shellcheck) shellcheck) $(wildcard .ci/run examples/*.sh examples/*/*.sh)

lint-containers: install
	$(BIN)/hadolint Dockerfile
	RAGAUTH_SECRET_KEY=x POSTGRES_PASSWORD=x $(COMPOSE_CHECK)
	@! RAGAUTH_SECRET_KEY= POSTGRES_PASSWORD=x $(COMPOSE_CHECK) 2>/dev/null || { echo "docker-compose.yml starts without RAGAUTH_SECRET_KEY" >&2; exit 1; }
	@! RAGAUTH_SECRET_KEY=x POSTGRES_PASSWORD= $(COMPOSE_CHECK) 2>/dev/null || { echo "docker-compose.yml starts without POSTGRES_PASSWORD" >&2; exit 1; }

format: install ## Rewrite the code in the house style
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

types: install ## Check the types
	$(BIN)/python -m mypy

docs: install ## Make the site of the documents in build/site; a broken link fails
	rm -rf build/site
	$(BIN)/python -m sphinx -q --fail-on-warning -c docs/site -d build/doctrees . build/site
	@echo "build/site is a folder of files that any web server can serve. Here:"
	@echo
	@echo "  $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8080"

bench: install ## Measure speed and memory, twenty minutes (BENCH_ARGS="--quick --only flood"); needs wrk, nginx
	@command -v wrk >/dev/null || { echo "make bench needs wrk: apt-get install wrk" >&2; exit 1; }
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || { echo "make bench needs nginx: apt-get install nginx" >&2; exit 1; }
	$(BIN)/python -m bench $(BENCH_ARGS)

migration: install ## Write a migration from the models' changes (m="what changes")
	@test -n '$(m)' || { echo 'usage: make migration m="what changes"' >&2; exit 2; }
	$(FLASK) db upgrade
	$(FLASK) db migrate -m '$(m)'

outline: install ## Write anew what `ragauth` completes, after a change of a command
	$(BIN)/python -m tests.cli.outline

package: install ## Build wheel and sdist into dist/ and check them
	rm -rf $(BUILT_BY_PACKAGE) dist
	$(BIN)/python -m build --quiet --no-isolation --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	rm -rf $(BUILT_BY_PACKAGE)

# Not from `install`: the lock files may be the very thing that keeps it from working.
lock: ## Pin the newest allowed versions in requirements/ (UV=path if .venv has none)
	$(UV) pip compile $(LOCK) --output-file requirements/run.txt setup.cfg
	$(UV) pip compile $(LOCK) --output-file requirements/dev.txt --extra dev setup.cfg
	rm -rf ragauth.egg-info

client-types: install ## Write the types of clients/typescript again, from the service's document (needs npm)
	$(BIN)/python -m tests.clients_typescript.packages

clean: ## Remove .venv, caches and reports; instance/ stays
	rm -rf .venv .coverage .coverage.* htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist ./*.egg-info clients/python/build clients/python/*.egg-info
	find ragauth tests clients examples -name __pycache__ -type d -prune -exec rm -rf {} +
