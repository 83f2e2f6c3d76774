# Prerequisites: Python >= 3.11 and make. Everything else is installed into .venv or kept in .strata.
.DEFAULT_GOAL := help
.PHONY: help install demo run test faults check openapi lock dev clean reset benchmarks
.NOTPARALLEL:

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
CODE := config core accounts events segments experiments assignments analysis
# What `check --deploy` needs to know about a production that is not there.
PRODUCTION := STRATA_ENV=production READ_DOT_ENV=False STRATA_HOME=build/production ALLOWED_HOSTS=strata.example.com \
	BASE_URL=https://strata.example.com DATABASE_URL=postgresql://strata@127.0.0.1:1/strata \
	BROKER_URL=redis://127.0.0.1:1/0 EMAIL_URL=smtp://127.0.0.1:1

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

install: .venv/installed-runtime ## install what running takes, nothing else

demo: .venv/installed-runtime ## load the demo and serve it (ARGS=--no-serve: load only)
	@$(MANAGE) demo $(ARGS)

run: .venv/installed-runtime ## serve web, worker and beat without the demo (ARGS="--port 9000")
	@$(MANAGE) serve --migrate $(ARGS)

test: .venv/installed-dev ## run every test on an own PostgreSQL and broker (ARGS="tests/config -x")
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-m "not faults" --numprocesses 2 --dist loadfile)

faults: .venv/installed-dev ## kill workers, web processes, the database and the broker, and see all recover
	@$(BIN)/python -m pytest -m faults

check: .venv/installed-dev ## style, types, borders, migrations, API document, production settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/deptry .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(CODE) manage.py
	$(MANAGE) check_generated
	DATABASE_URL=postgresql://unused@127.0.0.1:1/unused $(BIN)/mypy .
	@mkdir -p build
	@$(PRODUCTION) SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))') \
		$(MANAGE) check --deploy --fail-level WARNING

openapi: .venv/installed-runtime ## write docs/openapi.yaml anew after an API change
	@$(MANAGE) spectacular --validate --fail-on-warn --file docs/openapi.yaml

lock: .venv/installed-dev ## pin the newest versions that pyproject.toml allows
	requirements/lock.sh

dev: .venv/installed-dev ## make the development environment

benchmarks: .venv/installed-dev ## run every script under benchmarks/ (takes minutes; keep the machine quiet)
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

clean: ## remove the environment, caches and test data; your data in .strata stay
	rm -rf .venv build .strata-test .strata-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset: .venv/installed-runtime ## stop the embedded servers and delete .strata with all its data
	@$(BIN)/python -m config.embedded remove

.venv/installed-runtime: requirements/runtime.lock requirements/bootstrap.lock requirements/install.sh
	@requirements/install.sh runtime

.venv/installed-dev: requirements/dev.lock requirements/bootstrap.lock requirements/install.sh
	@requirements/install.sh dev
	@touch .venv/installed-runtime
