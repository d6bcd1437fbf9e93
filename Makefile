# `make demo` and `make test` are all a newcomer needs; every target installs .venv first.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN ?= run

# Compiled once, the sources load faster in the many processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: tree demo test test-all test-data android-test bench quality encoders lint lint-imports types docs lock clean
.DEFAULT_GOAL := demo

demo: $(STAMP)
	$(BIN)/pocketrec demo --out $(RUN)

# The whole report: latency beside an HTTP server, catalogues of up to a million items. About 15 minutes.
bench: $(STAMP)
	test -f $(RUN)/reports/parity.json || $(BIN)/pocketrec demo --out $(RUN)
	$(BIN)/pocketrec latency $(RUN) --served
	$(BIN)/pocketrec latency $(RUN) --items 10000 --items 100000 --items 1000000
	$(BIN)/pocketrec report $(RUN)

# The fast tests: every command and every error, on a tiny run that is trained once and cached.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not full" --durations 20 --durations-min 2

# Everything: the fast tests, then the demo, the whole matrix, mutations, Android and servers.
test-all: test
	$(BIN)/python -m pytest -n 2 -m full --durations 40 --durations-min 5

# The runs of the full tests, made once and kept. Then, to run a test without the wait:
#   POCKETREC_TEST_DEMO=build/test-data/run .venv/bin/python -m pytest tests/...
TEST_DATA := build/test-data
test-data: $(TEST_DATA)/tutorial/.done

$(TEST_DATA)/tutorial/.done: $(STAMP)
	rm -rf $(TEST_DATA) && mkdir -p $(TEST_DATA)
	$(BIN)/pocketrec demo --out $(TEST_DATA)/run > $(TEST_DATA)/demo.out
	$(BIN)/pocketrec train --preset tutorial --out $(TEST_DATA)/tutorial
	$(BIN)/pocketrec convert $(TEST_DATA)/tutorial
	$(BIN)/pocketrec parity $(TEST_DATA)/tutorial
	$(BIN)/pocketrec bundle $(TEST_DATA)/tutorial
	@touch $@

# The Kotlin client on bundles of every layout, on the LiteRT that is installed here and, after `pocketrec doctor --install android`, on
# Android's own library. `make test-all` runs it too.
android-test: $(STAMP)
	@command -v mvn >/dev/null && command -v javac >/dev/null || { \
	  echo "error: android-test: expected Maven and a JDK, got neither or one; run: apt-get install maven default-jdk-headless" >&2; exit 2; }
	$(BIN)/python -m pytest -m android tests/android_assets

# Quality beside the baselines: DATA is a name of `pocketrec list datasets`, or all.
DATA ?= movielens/100k
quality: $(STAMP)
	$(BIN)/python tools/quality.py $(DATA)

# Every encoder on every split. About 20 minutes, mostly the transformer's training.
encoders: $(STAMP)
	$(BIN)/python tools/encoders.py

lint: $(STAMP) tree
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory lint-imports
	$(BIN)/deptry .

lint-imports:
	cd build/tree && ../../$(BIN)/lint-imports --no-logo --config ../../pyproject.toml

types: $(STAMP) tree
	$(BIN)/basedpyright

# The site, in build/site: generated pages first, then everything checked (strict) and rendered, without network.
docs: $(STAMP) tree
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

# The package as it is installed, in hard links: what static analysis and the API reference read.
PACKAGES := core runtimes train convert benchmarks android_assets cli
tree:
	@rm -rf build/tree && mkdir -p build/tree/pocketrec && cp -l pocketrec/py.typed build/tree/pocketrec; \
	find pocketrec -name '*.py' -print0 | xargs -0 cp -l --parents -t build/tree; \
	find $(PACKAGES) -name '*.py' -print0 | xargs -0 cp -l --parents -t build/tree/pocketrec

lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --no-header --python-version 3.11 -o requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info

$(STAMP): requirements.lock pyproject.toml
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python 3.11 $(VENV) && \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	elif command -v python3.11 >/dev/null; then \
	  python3.11 -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	else \
	  echo "error: python: expected uv or python3.11, got neither; run: apt-get install python3.11 python3.11-venv" >&2; exit 2; \
	fi
	@touch $@
