# Everything a checkout needs. Safe to repeat; needs only Python 3.11+ (with venv), git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where the environment forbids bytecode, each start of Python would compile the whole program, pytest and its plugins.
export PYTHONDONTWRITEBYTECODE :=

# A target that does not say what it is for is not listed by `make help`.
.PHONY: help quick slow clients console-tests screenshots oracles replay docs docs-site bench bench-table setup demo test check lint types contracts wheel release coverage format clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

setup: $(STAMP) ## make .venv with everything

demo: setup ## set up, then show a story on the emulator
	$(BIN)/patchmode demo

# Twice as many as cores: tests of commands wait, as the program does for Azure, for half of their time.
test: setup ## set up, then run the tests
	$(BIN)/python -m $(if $(MEASURED),coverage run -m )pytest -n 4 --dist worksteal -q -m "not clients"

quick: setup ## what you changed since main: its tests, ruff, mypy; under half a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.changed

slow: setup ## the properties again, with thousands of new examples each
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 4 --dist worksteal -q $(shell grep -rlE "^(from|import) (hypothesis|tests.examples)" tests --include="test_*.py")

CLIENTS := .venv-clients
clients: setup ## unmodified Azure clients against the emulator: az, SDKs, Ansible, Custodian (installs 3 GB)
	$(BIN)/python -m tests.clients.environments
	$(BIN)/python -m pytest -q -o timeout=1800 -m clients tests/clients

BROWSER := $(VENV)/.browser
$(BROWSER): $(STAMP) requirements/browser.txt tests/console/browser/package.json
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
		{ echo "Chromium is needed: install the system's package of that name, as root." >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/browser.txt
	npm --prefix tests/console/browser install --no-audit --no-fund --no-package-lock
	@touch $(BROWSER)

console-tests: setup $(BROWSER) ## the console in a real Chromium, with axe-core (npm)
	$(BIN)/python -m pytest -n 2 -q -m browser tests/console/browser

screenshots: setup $(BROWSER) ## pictures of the console's pages and of a terminal, into docs/images
	@command -v pngquant >/dev/null || apt-get install -y -qq pngquant
	$(BIN)/python -m tests.console.screenshots

oracles: setup ## from npm: Microsoft's KQL parser judges the emulator's, the Nu Html Checker our pages
	npm --prefix tests/oracles install --no-audit --no-fund --no-package-lock
	$(BIN)/python -m pytest -q tests/emulator/kql/test_judge_microsoft.py tests/unit/reports/test_judge_nu.py

replay: setup ## the share of recorded exchanges that the emulator answers as recorded, per group
	$(BIN)/python -m pytest -q -s tests/contract/test_replay.py -k share

docs: setup ## rewrite the generated pages of the reference
	$(BIN)/python -m tests.docs.reference_pages

SITE := .venv-docs
$(SITE)/.installed: requirements/docs.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --no-compile --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

docs-site: $(SITE)/.installed ## the pages as a site with search, into build/site; a link that leads to nothing is an error
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/python -m mkdocs --quiet build --strict

bench: setup ## the benchmarks that take minutes, as ratios within one run
	$(BIN)/python -m benchmarks

bench-table: setup ## all benchmarks (over an hour; installs az), into docs/reference/performance.md
	$(BIN)/python -m tests.clients.environments az
	$(BIN)/python -m benchmarks --page

lint: setup ## ruff: rules, docstrings, format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

contracts: setup ## who may import whom
	$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

WHEEL := .venv-wheel
# Without pip in it: it holds what an installation needs, so the list of a release is made from it.
wheel: setup ## build the wheel and start what it installs, with nothing but the run-time requirements
	rm -rf $(WHEEL) dist
	$(BIN)/python -m hatchling build
	$(PYTHON) -m venv --without-pip $(WHEEL)
	$(BIN)/python -m pip --python $(WHEEL)/bin/python install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip --python $(WHEEL)/bin/python install --quiet --disable-pip-version-check --no-deps dist/*.whl
	cd $(WHEEL) && bin/patchmode --version && bin/arm-emulator --version && bin/patchmode demo > demo.txt && tail -3 demo.txt

RELEASE := .venv-release
release: wheel ## what is published, in dist/: wheel, source archive, software bill of materials, and their hashes
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/release.txt
	$(RELEASE)/bin/cyclonedx-py environment $(WHEEL)/bin/python --pyproject pyproject.toml --output-reproducible -o dist/patchmode.cdx.json
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

check: lint types contracts docs-site coverage wheel ## all that CI runs

coverage: setup ## the tests, measuring lines and branches; fails below the bound in pyproject.toml
	$(BIN)/coverage erase
	$(MAKE) test MEASURED=yes
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

clean: ## remove what the targets made
	rm -rf $(VENV) $(CLIENTS) $(WHEEL) $(RELEASE) $(SITE) dist build .coverage* .mypy_cache .ruff_cache .hypothesis
