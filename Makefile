# The two commands of the README are `make demo` and `make test`; both set up all that they need.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
export UV_PYTHON_DOWNLOADS := never
unexport PYTHONDONTWRITEBYTECODE  # the tests start the command some two hundred times
WORKERS ?= 2
# most of the slow tests wait for a server that is made silent
SLOW_WORKERS ?= 4

.PHONY: help demo test test-fast test-slow test-alerts lint bench bench-classifiers bench-calibration bench-message bench-redaction bench-rules clean dovecot units test-servers audit audit-code audit-dependencies lock-audit sbom test-deploy deb

help:
	@echo 'make demo    file a sample mailbox on an embedded mail server, and show what happened'
	@echo 'make test    install what the tests need, and run them all'
	@echo 'make test-slow  what takes minutes: every command of a pass spoiled in every way, and the like'
	@echo 'make test-alerts  the alert rules of deploy/prometheus, with promtool'
	@echo 'make test-servers  Cyrus and Courier from Debian, as root: the release check on other servers'
	@echo 'make test-deploy  the image, the role and the manifests of deploy/, with the tools that it installs; best as root'
	@echo 'make lint    style, types, direction of imports'
	@echo 'make bench   mails per second, memory, latency, beside bare IMAP; also bench-classifiers, bench-calibration, bench-message, bench-redaction, bench-rules'
	@echo 'make audit   look for known faults: bandit and semgrep over the code, then a database about the packages'
	@echo 'make sbom    write the bill of materials, dist/cubbyd.cdx.json'
	@echo 'make deb     the Debian package, into dist/'
	@echo 'make units   write the units of systemd/ for several facilities anew, from those for one'
	@echo 'make clean   remove what make made'

deb: $(VENV)/bin/uv
	@deploy/debian/build.sh $(BIN)/uv

demo: $(VENV)/.ready-demo
	@$(BIN)/cubbyd demo

test: $(VENV)/.ready dovecot lint
	$(BIN)/pytest -n $(WORKERS) -m 'not slow'

test-slow: $(VENV)/.ready dovecot $(VENV)-audit/.ready
	$(BIN)/pytest -n $(SLOW_WORKERS) --dist loadgroup -m slow

test-servers: $(VENV)/.ready
	$(BIN)/pytest -n 0 -m servers tests/servers

test-fast: $(VENV)/.ready
	$(BIN)/pytest -n $(WORKERS) tests/unit tests/property tests/golden

test-alerts:
	@deploy/setup/promtool.sh $(VENV)/promtool

# A folder beside the environment, as what checks is no part of what is checked.
test-deploy: $(VENV)/.ready dovecot
	@deploy/setup/tools.sh $(BIN)/python $(VENV)/deploy-tools
	CUBBYD_TEST_DEPLOY=$(abspath $(VENV)/deploy-tools) $(BIN)/pytest -n 0 tests/deploy

lint: $(VENV)/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@NO_COLOR=1 $(BIN)/lint-imports --no-cache

bench: $(VENV)/.ready dovecot
	$(BIN)/python -m benchmarks.filing

bench-classifiers: $(VENV)/.ready
	$(BIN)/python -m benchmarks.classifiers --write

bench-calibration: $(VENV)/.ready
	$(BIN)/python -m benchmarks.calibration

bench-message: $(VENV)/.ready
	$(BIN)/python -m benchmarks.message

bench-redaction: $(VENV)/.ready
	$(BIN)/python -m benchmarks.redaction

bench-rules: $(VENV)/.ready
	$(BIN)/python -m benchmarks.rules

$(VENV)/bin/uv:
	@deploy/setup/venv.sh "$(PYTHON)" $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.ready-demo: $(VENV)/bin/uv pyproject.toml uv.lock
	@test -f $(VENV)/.ready || UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --compile-bytecode --no-dev --extra demo
	@touch $@

$(VENV)/.ready: $(VENV)/bin/uv pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --compile-bytecode --extra demo --extra oauth --extra openai --extra embedding-model
	@touch $@

$(VENV)-audit/.ready: $(VENV)/bin/uv deploy/audit/requirements.txt
	@test -x $(VENV)-audit/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(VENV)-audit
	@$(BIN)/uv pip sync --quiet --python $(VENV)-audit/bin/python --require-hashes deploy/audit/requirements.txt
	@touch $@

audit: audit-code audit-dependencies

audit-code: $(VENV)-audit/.ready
	@deploy/audit/code.sh

audit-dependencies: $(VENV)/.ready $(VENV)-audit/.ready
	@deploy/audit/dependencies.sh

lock-audit: $(VENV)/bin/uv
	@$(BIN)/uv pip compile --quiet --upgrade --no-header --generate-hashes --no-emit-index-url --python-version 3.11 --python-platform linux deploy/audit/requirements.in -o deploy/audit/requirements.txt

sbom: $(VENV)/.ready
	@deploy/audit/sbom.sh dist/cubbyd.cdx.json

units:
	@deploy/setup/units.sh systemd

dovecot:
	@deploy/setup/dovecot.sh

clean:
	rm -rf $(VENV) $(VENV)-audit .servers dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
