# Two commands do everything: `make demo`, and `make test`. Both set up what they need first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export RUNTIME__DLTHUB_TELEMETRY := false

DBT := $(BIN)/dbt --quiet build --project-dir dbt_project --profiles-dir .

.PHONY: help setup demo test check format soak bench clean

help:
	@echo "make demo    set up, load the sample shop twice, build the schema tables, say where to look"
	@echo "make test    set up, run all tests"
	@echo "make check   ruff, mypy --strict, sqlfluff, and all tests"
	@echo "make bench   how fast it is on this machine, as ratios"
	@echo "make clean   remove what these made"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing packages ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

profiles.yml:
	@cp profiles.example.yml $@

demo: setup profiles.yml
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m el local demo

test: setup
	@$(BIN)/python -m pytest --quiet

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project --config .sqlfluff
	$(BIN)/python -m pytest --quiet

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/extract.py

clean:
	rm -rf $(VENV) .el local dbt_project/target dbt_project/logs logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
