# Each target sets up all that it needs: Python 3.11 or later, make and git are enough. Nothing asks.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV_PYTHON := .venv/bin/python
# More for pytest, for example: make test ARGS="tests/jobs -k claim"
ARGS ?= -n 2 --dist loadfile

.PHONY: help setup setup-tests up demo test fuzz check fix bench lock compose-secrets
help:
	@echo "make demo      start the portal and do the main job with a sample project"
	@echo "make up        start the portal (Ctrl-C ends it)"
	@echo "make test      run all tests"
	@echo "make fuzz      read 10,000 archives that are wrong in random ways"
	@echo "make check     lint, format, types, import contracts, migrations, OpenAPI, translations"
	@echo "make bench     all benchmarks; make bench-NAME for one"
	@echo "make setup     only set up"

setup:
	@$(if $(PYTHON),,$(error Python 3.11 or later is needed))$(PYTHON) scripts/setup.py

setup-tests:
	@$(if $(PYTHON),,$(error Python 3.11 or later is needed))$(PYTHON) scripts/setup.py --tests

up: setup
	@$(VENV_PYTHON) manage.py up

demo: setup
	@$(VENV_PYTHON) -m samples.demo

test: setup-tests
	$(VENV_PYTHON) -m pytest $(ARGS)

# Ten thousand archives that are wrong in random ways; the test run reads five hundred.
fuzz: setup-tests
	FUZZ_MUTATIONS=10000 $(VENV_PYTHON) -m pytest tests/datasets/test_fuzz.py -n 2

check: setup-tests
	@$(VENV_PYTHON) scripts/check.py

# What check would complain about and a tool can put right.
fix: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	git ls-files -z '*.html' | xargs -0 -r .venv/bin/djade --target-version 5.2

# After a change of requirements/*.txt: one lock for every Python from 3.11 on, and every system.
lock: setup
	@for name in web worker dev uv; do .tools/uv/bin/uv pip compile requirements/$$name.txt \
		--override requirements/overrides.txt --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --quiet \
		--output-file requirements/$$name.lock || exit 1; done

# Makes the passwords and keys that docker-compose.yml reads, in ./secrets; what is there is kept.
compose-secrets:
	@$(PYTHON) scripts/compose_secrets.py

bench: setup
	@$(VENV_PYTHON) -m benchmarks

bench-%: setup
	@$(VENV_PYTHON) -m benchmarks.$(subst -,_,$*)
