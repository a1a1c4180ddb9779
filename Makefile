# `make serve` and `make test` are all that a newcomer needs; see CONTRIBUTING.md for the rest.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
HOST   ?= 127.0.0.1
PORT   ?= 8000
SHARED ?= ../shared
COUNT  ?= 100
DB     ?= sqlite

.DEFAULT_GOAL := help
.PHONY: help serve test check format lock data docs bench conformance soak clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(BIN)/.development: $(BIN)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	touch $@

serve: $(BIN)/.runtime ## Serve the graph with seed and example data on http://127.0.0.1:8000
	LIFETEC_EXAMPLE=$${LIFETEC_EXAMPLE:-on} $(BIN)/lifetec serve --host $(HOST) --port $(PORT)

CLIENTS := tests/clients/node_modules/.package-lock.json

$(CLIENTS): tests/clients/package-lock.json
	@if command -v npm >/dev/null; then cd tests/clients && npm ci --silent; else echo "npm is not installed: the tests with Comunica are skipped"; fi

test: $(BIN)/.development $(CLIENTS) ## Run all tests on all cores, or those of ARGS in one process
	$(BIN)/python -m pytest $(or $(ARGS),-n auto --dist loadfile)

check: $(BIN)/.development ## Lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/.development ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/.development ## Write the lock files anew, of Python and of the test clients
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --group dev --constraint requirements.lock --output-file requirements-dev.lock
	cd tests/clients && npm install --silent --package-lock-only
	$(BIN)/python -m tests.clients.lock tests/clients/package-lock.json

data: $(BIN)/.development ## Rebuild ontology lists and seed from the source files in ../shared
	$(BIN)/python -m app.importers.build $(SHARED)

docs: $(BIN)/.development ## Write the generated parts of the documentation
	$(BIN)/python docs/generate.py

bench: $(BIN)/.development ## Measure starts, publishing, search, names, lists and queries beside other systems; the first time builds large stores
	$(BIN)/python -m bench.start
	$(BIN)/python -m bench.publish
	$(BIN)/python -m bench.sparql
	$(BIN)/python -m bench.search
	$(BIN)/python -m bench.reconciliation --data $(SHARED)/data
	$(BIN)/python -m bench.records

conformance: $(BIN)/.development ## Run the suites of the W3C from W3C=, a checkout of w3c/rdf-tests, and SHACL=, one of w3c/data-shapes
	@test -n "$(W3C)$(SHACL)" || { echo 'Name a folder: make conformance W3C=DIR SHACL=DIR (either may be left out)'; exit 2; }
	W3C="$(W3C)" SHACL="$(SHACL)" $(BIN)/python -m pytest tests/conformance -q $(ARGS)

soak: $(BIN)/.development ## Kill a server COUNT times while clients publish, on DB=sqlite or postgresql
	$(BIN)/python -m tests.soak --kills $(COUNT) --database $(DB)

clean: ## Remove environment and caches; the data directory stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
