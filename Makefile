# The project's everyday commands. `make` alone lists them.

SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
NPM := $(PY) hatch_build.py npm
# Warnings of pip are about the machine's own configuration; errors still show.
PIP := $(PY) -m pip install -qq --disable-pip-version-check -c constraints.txt
PYTEST := $(PY) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
PYTEST_ARGS ?=
QUICK := -m 'not (browser or packaging or slow or repeats)'

# The tests start many processes; each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

STAMP := $(VENV)/.setup
HOSTS := $(VENV)-hosts/.setup
SITE := import sysconfig; site = sysconfig.get_path('purelib')
# Colab's widget manager is made of it.
MANAGER := @jupyter-widgets/html-manager@1.0.15 requirejs@2.3.8
BUNDLE := canvaswidget/static/widget.js
JS_SOURCES := $(shell find js -maxdepth 1 -type f 2>/dev/null; find js/src -type f -not -name '*.test.*' 2>/dev/null)
TOOL_PATHS := canvaswidget tests tools benchmarks notebooks docs/hosts hatch_build.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-all test-quick test-newest test-oldest test-hosts test-js test-python lint lint-js lint-python format docs docs-live dist benchmarks screenshots paper clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(STAMP) $(BUNDLE)  ## make .venv with the package (editable), its tools and the front end

$(STAMP): pyproject.toml constraints.txt hatch_build.py
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing canvaswidget and its tools into $(VENV) (a few minutes the first time) ..."
	@$(PIP) -e '.[dev]'
	@touch $@

$(BUNDLE): $(JS_SOURCES) | $(STAMP)
	@$(PY) hatch_build.py

demo: setup  ## open the quick start in JupyterLab with every cell run (PORT=8888, BROWSER=none)
	@BROWSER='$(BROWSER)' $(PY) -m tools.demo $(if $(PORT),--port $(PORT))

test: lint docs test-js test-python  ## linters, documents and tests, with each kind of assertion once

test-all: lint docs test-js $(HOSTS)  ## the same and every test that repeats assertions in another setting, as in CI
	@$(PYTEST) --hypothesis-profile=many $(PYTEST_ARGS)

test-quick: setup  ## the Python tests of the loop of development: no browser, nothing slow
	@$(PYTEST) $(QUICK) $(PYTEST_ARGS)

# Environments of their own, so that .venv stays what constraints.txt says.
test-newest: $(BUNDLE)  ## the same with the newest version of every dependency
	@test -x $(VENV)-newest/bin/python || $(PYTHON) -m venv $(VENV)-newest
	@$(VENV)-newest/bin/python -m pip install -qq --upgrade --upgrade-strategy eager -e '.[test]'
	@$(PYTEST:$(PY)%=$(VENV)-newest/bin/python%) $(QUICK) $(PYTEST_ARGS)

test-oldest: $(BUNDLE)  ## the same with the oldest that pyproject.toml allows (PYTHON=python3.11)
	@rm -rf $(VENV)-oldest && $(PYTHON) -m venv $(VENV)-oldest
	@mkdir -p build && $(PYTHON) -m tools.oldest > build/oldest.txt
	@$(VENV)-oldest/bin/python -m pip install -qq -c build/oldest.txt -e '.[test]'
	@$(PYTEST:$(PY)%=$(VENV)-oldest/bin/python%) $(QUICK) $(PYTEST_ARGS)

# Shiny, Solara, Panel and Streamlit take 450 MB: what they share with .venv they take from there.
$(HOSTS): pyproject.toml constraints.txt | $(STAMP)
	@echo "Installing the hosts of docs/hosts.md into $(VENV)-hosts (a few minutes the first time) ..."
	@rm -rf $(VENV)-hosts && $(PY) -m venv $(VENV)-hosts
	@$(PY) -c "$(SITE); print(f'import site; site.addsitedir({site!r})')" > \
	  "$$($(VENV)-hosts/bin/python -c "$(SITE); print(site)")/tools.pth"
	@$(PIP:$(PY)%=$(VENV)-hosts/bin/python%) -e '.[hosts]'
	@$(NPM) pack --silent --pack-destination $(abspath $(VENV)-hosts) $(MANAGER) > /dev/null
	@touch $@

test-hosts: setup $(HOSTS)  ## the widget in Shiny, Solara, Panel and Streamlit, from .venv-hosts, in a browser
	@$(PY) -m pytest tests/browser/test_hosts.py tests/browser/test_html_manager.py $(PYTEST_ARGS)

test-js: setup
	@$(NPM) run --silent test

test-python: setup
	@$(PYTEST) -m 'not repeats' $(PYTEST_ARGS)

lint: lint-js lint-python  ## type checks and linters of both languages

lint-js: setup
	@$(NPM) run --silent typecheck
	@$(NPM) run --silent lint

lint-python: setup
	@$(PY) -m ruff check $(wildcard $(TOOL_PATHS))
	@$(PY) -m ruff format --check $(wildcard $(TOOL_PATHS))
	@$(PY) -m basedpyright
	@$(VENV)/bin/lint-imports --no-logo --no-cache

format: setup  ## format the Python sources
	@$(PY) -m ruff check --fix-only --quiet $(wildcard $(TOOL_PATHS))
	@$(PY) -m ruff format $(wildcard $(TOOL_PATHS))

docs: setup  ## the documents, into site/; a broken link is an error
	@$(PY) -m tools.documents

docs-live: setup  ## the same with its live pages, which takes some 20 s more
	@$(PY) -m tools.live_pages
	@$(PY) -m tools.documents --live

dist: setup  ## build the source distribution and the wheel, and check them
	@rm -rf dist && $(PY) -m build -o dist . > build.log || (cat build.log; exit 1)
	@rm -f build.log && $(PY) -m twine check --strict dist/*

benchmarks: setup  ## print the benchmark tables
	@$(PY) benchmarks/run.py
	@$(PY) benchmarks/rules.py
	@$(PY) benchmarks/totals.py
	@$(PY) benchmarks/findings.py
	@$(PY) benchmarks/runs.py
	@$(PY) benchmarks/trust.py
	@$(PY) benchmarks/scaling.py
	@$(PY) benchmarks/page.py

screenshots: setup  ## make the pictures of the README, and a page of all states in build/gallery
	@$(PY) -m tools.screenshots
	@$(PY) -m tools.gallery

paper: setup  ## draw the paper's figures and write their numbers into docs/paper.md (CANVASWIDGET_REFERENCE=folder)
	@$(PY) -m tools.paper

clean:  ## remove everything that is built, but not .venv
	rm -rf build dist site .cache docs/live test-results js/node_modules canvaswidget/static
	rm -rf .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -not -path './js/*' -prune -exec rm -rf {} +
