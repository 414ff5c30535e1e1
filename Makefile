# Kequn (客群). `make help` lists what there is. Everything lives in .venv and .kequn, both ignored by git.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Airflow starts three times slower without byte code.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
SOURCE ?= bank
DATA ?=
PYTEST_ARGS ?=
DEMO_ARGS ?=
SCALE ?= small
ONLY ?=
CURVES ?=
PEERS := feast butterfree
READY := $(VENV)/.ready
DELTA := 4.4.0
JARS := delta-spark_4.2_2.13 delta-storage

.PHONY: help setup demo test check lint types imports docs fmt oracle bench bench-peers up down status clean lock

help: ## this list
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Start here
demo: $(READY) ## the whole chain, through Airflow: simulated bank, or SOURCE=berka DATA=<folder>
	@$(BIN)/kequn demo --source $(SOURCE) $(if $(DATA),--data $(DATA)) $(DEMO_ARGS)

# A test waits for one core most of the time: two files at once, each of two processes with a session of its own, in the order of their names.
test: $(READY) ## all tests that CI runs
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

setup: $(READY) ## environment from the lock, Delta's jars by checksum

##@ Airflow and MLflow for a person
up: $(READY) ## start both and print their addresses
	@$(BIN)/kequn airflow up
down: $(READY) ## stop both
	@$(BIN)/kequn airflow down
status: $(READY) ## what runs, and the last state of every DAG
	@$(BIN)/kequn airflow status

##@ Development
check: lint types imports docs test ## lint, types, imports, generated docs, tests
lint: $(READY) ## ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
types: $(READY) ## mypy, strict
	@$(BIN)/mypy
imports: $(READY) ## import directions
	@$(BIN)/lint-imports
docs: $(READY) ## generated docs are up to date (kequn docs writes them)
	@$(BIN)/kequn docs --check
fmt: $(READY) ## format
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .
oracle: $(READY) ## the oracle tests with many examples, other ones each time, and their slow forms: hours
	@HYPOTHESIS_PROFILE=many $(BIN)/python -m pytest -m "full or not full" --timeout 21600 tests/oracle $(PYTEST_ARGS)
bench: $(READY) ## time the engine against others: SCALE=small or full, ONLY="late rerun" for some, CURVES=1 for curves too (full has them); results in benchmarks/results
	@failed=0; $(BIN)/python -m benchmarks --scale $(SCALE) $(if $(ONLY),--only $(ONLY)) || failed=1; \
	$(if $(or $(CURVES),$(if $(ONLY),,$(filter full,$(SCALE)))),$(BIN)/python -m benchmarks.curves || failed=1;) exit $$failed
bench-peers: $(READY) ## the other engines that it is timed against, each in an environment of its own
	@uv=$$(command -v uv || echo $(BIN)/uv); for peer in $(PEERS); do \
	$(BIN)/python -m venv --clear .kequn/bench/peers/$$peer; \
	"$$uv" pip install -q --python .kequn/bench/peers/$$peer/bin/python "setuptools<80" wheel; \
	CASS_DRIVER_NO_EXTENSIONS=1 "$$uv" pip install -q --python .kequn/bench/peers/$$peer/bin/python \
	--no-build-isolation-package cassandra-driver -r benchmarks/peers/$$peer.txt; done
lock: $(READY) ## resolve requirements.lock anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 pyproject.toml --extra dev -o requirements.lock
clean: ## remove the environment, the demo's data and all caches
	@if [ -x $(BIN)/kequn ]; then $(BIN)/kequn airflow down >/dev/null 2>&1 || true; fi
	@rm -rf $(VENV) .kequn .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The set-up checks the machine first, so that a missing Java or Python is one sentence and not a stack trace.
$(READY): requirements.lock pyproject.toml Makefile
	@java=$${JAVA_HOME:+$$JAVA_HOME/bin/}java; \
	command -v "$$java" >/dev/null || { echo "kequn: no Java found; install Java 17 (a JRE is enough) or set JAVA_HOME" >&2; exit 1; }; \
	found=$$("$$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1); \
	[ "$$found" = 17 ] || { echo "kequn: found Java [$$found], Spark needs Java 17; install it or set JAVA_HOME to one" >&2; exit 1; }
	@python=""; for name in $${PYTHON:-python3.11 python3 python}; do \
	if command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then python=$$name; break; fi; done; \
	[ -n "$$python" ] || { echo "kequn: no Python 3.11 found (looked for $${PYTHON:-python3.11 python3 python}); install it or set PYTHON" >&2; exit 1; }; \
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV)
	@uv=$$(command -v uv || true); if [ -z "$$uv" ]; then \
	[ -x $(BIN)/uv ] || $(BIN)/python -m pip install -q --disable-pip-version-check "$$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements.lock)"; uv=$(BIN)/uv; fi; \
	echo "kequn: installing the environment from requirements.lock (about a minute)"; \
	"$$uv" pip install -q --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock; \
	"$$uv" pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@mkdir -p $(VENV)/jars; cd $(VENV)/jars; \
	if ! sha256sum --check --status ../../conf/jars.sha256 2>/dev/null; then \
	echo "kequn: fetching Delta's two jars"; \
	for jar in $(JARS); do "$${JAVA_HOME:+$$JAVA_HOME/bin/}java" -cp "$$(echo ../lib/python3.11/site-packages/pyspark/jars/ivy-*.jar)" org.apache.ivy.Main -cache ../ivy -notransitive \
	-dependency io.delta $$jar $(DELTA) -confs default -types jar -retrieve '[artifact]-[revision].[ext]' >ivy.log 2>&1 || { tail -n 5 ivy.log >&2; exit 1; }; done; \
	sha256sum --check --quiet ../../conf/jars.sha256 || { echo "kequn: Delta's jars are not the pinned ones; remove $(VENV)/jars and try again" >&2; exit 1; }; fi
	@[ $(VENV)/jars/classes.jsa -nt requirements.lock ] || { echo "kequn: archiving the JVM's classes, so that jobs start faster"; $(BIN)/python -m jobs.class_archive >/dev/null; }
	@touch $@
