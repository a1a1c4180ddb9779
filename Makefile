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
.PHONY: help serve test check format lock data docs bench soak clean

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

test: $(BIN)/.development ## Run all tests
	$(BIN)/python -m pytest $(ARGS)

check: $(BIN)/.development ## Lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(BIN)/.development ## Rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/.development ## Write both lock files anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build --group dev --constraint requirements.lock --output-file requirements-dev.lock

data: $(BIN)/.development ## Rebuild ontology lists and seed from the source files in ../shared
	$(BIN)/python -m app.importers.build $(SHARED)

docs: $(BIN)/.development ## Write the generated parts of the documentation
	$(BIN)/python docs/generate.py

bench: $(BIN)/.development ## Measure a start, publishing, and queries beside other servers; the first time builds large stores
	$(BIN)/python -m bench.start
	$(BIN)/python -m bench.publish
	$(BIN)/python -m bench.sparql

soak: $(BIN)/.development ## Kill a server COUNT times while clients publish, on DB=sqlite or postgresql
	$(BIN)/python -m tests.soak --kills $(COUNT) --database $(DB)

clean: ## Remove environment and caches; the data directory stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
