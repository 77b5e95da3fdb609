# Everything sets itself up: `make run` on a machine with Python 3.11 or newer and make is enough.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
# With hashes: pip refuses a file that differs from the tested one.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --requirement
REQUIREMENTS := $(wildcard requirements/*.txt layers/*/requirements.txt)
LOCAL := $(VENV)/.local-installed
DEV := $(VENV)/.dev-installed
PACKAGER := .build/packager

# Without kept bytecode, every process of the tests would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The tests of the deployed stack run with each function's role enforced, as on AWS. AUTH=false turns that off.
AUTH ?= true

.PHONY: help run demo test unit-tests stack-tests layers chromium check format openapi client lock bench fuzz soak sam-local package clean

help:
	@echo "make run        the whole product on this machine: http://127.0.0.1:8000, data kept in .local"
	@echo "make demo       only the demonstration, on free ports and with its own data"
	@echo "make test       every check and every test"
	@echo "make check      format, lint, types, template, generated files"
	@echo "make format     format the code"
	@echo "make openapi    generate the OpenAPI document, the client's types and the sample events from the routes"
	@echo "make client     build the Python client as a wheel, in .build/client"
	@echo "make lock       lock requirements with hashes, from requirements/*.in (UPGRADE=--upgrade: newer versions)"
	@echo "make bench      measure starts, requests and pushes"
	@echo "make fuzz       two minutes of random requests (SECONDS_OF_FUZZING=…)"
	@echo "make soak       ten minutes of mixed load with injected faults (MINUTES=…)"
	@echo "make sam-local  let 'sam local' run functions in Docker against the running local stack (docs/sam-local.md)"
	@echo "make package    build .build/deploy, which 'sam deploy' deploys; needs Python 3.13, as Lambda runs it"
	@echo "make clean      remove what was built and installed; the data in .local stay"

run: $(LOCAL)
	@exec $(PY) -m local run

demo: $(LOCAL)
	@exec $(PY) -m local demo

# Tests of the stack mostly wait, and take longest: everything else runs meanwhile, and gives way to them.
test:
	@$(MAKE) --no-print-directory -j 4 -O stack-tests unit-tests check

unit-tests: layers
	nice -n 5 $(PY) -m pytest tests --ignore=tests/stack --ignore=tests/browser -n 3 --dist worksteal

# By file: what the tests of a file share is made once.
stack-tests: layers chromium
	AUTH=$(AUTH) $(PY) -m pytest tests/browser tests/stack -n 3 --dist loadfile --no-loadscope-reorder

layers: $(DEV)
	@$(PY) tools/build_layers.py >/dev/null

chromium:
	@bash tools/install_chromium.sh

check: $(DEV)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m tools.translated
	PYTHONPATH=layers/jobticket:. $(PY) -m tools.openapi.document --check
	PYTHONPATH=layers/jobticket:. $(PY) -m tools.client_types --check

format: $(DEV)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

openapi: $(DEV)
	PYTHONPATH=layers/jobticket:. $(PY) -m tools.openapi.document
	PYTHONPATH=layers/jobticket:. $(PY) -m tools.client_types

client: $(DEV)
	$(PY) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir .build/client clients/python

lock: $(DEV)
	$(PY) -m tools.lock $(UPGRADE)

bench: $(DEV)
	PYTHONPATH=layers/jobticket:clients/python/src:. $(PY) -m benchmarks

fuzz: $(DEV)
	$(PY) -m pytest tests/unit -m hypothesis --hypothesis-profile chance -n 2 --dist worksteal
	$(PY) -m tests.stack.fuzz $(or $(SECONDS_OF_FUZZING),120)

soak: $(DEV)
	PYTHONPATH=layers/jobticket:clients/python/src:. $(PY) -m benchmarks.soak $(or $(MINUTES),10)

sam-local: $(LOCAL)
	@exec $(PY) -m local.sam_local

package: $(PACKAGER)
	$(PACKAGER)/bin/python -m tools.package

clean:
	rm -rf $(VENV) .build .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(LOCAL): $(REQUIREMENTS) | $(PY)
	@echo "Installing what the local stack needs (once) ..."
	@$(PY) $(INSTALL) requirements/local.txt
	@touch $@

$(DEV): $(REQUIREMENTS) | $(PY)
	@echo "Installing what checks and tests need (once) ..."
	@$(PY) tools/install.py requirements/dev.txt
	@touch $(LOCAL) $@

# Compiled code fits one version of Python, so packages are built with Lambda's.
$(PACKAGER): requirements/package.txt
	@python3.13 -c '' 2>/dev/null || { echo "Packages need Python 3.13, which is not on the PATH." >&2; exit 1; }
	rm -rf $@
	python3.13 -m venv $@
	$@/bin/python $(INSTALL) requirements/package.txt || { rm -rf $@; exit 1; }
	@touch $@

# The first Python that is new enough. It must run: a shim may have the right name and no version behind it.
$(PY):
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Jobticket needs Python 3.11 or newer, which is not on the PATH. Install it, or name it: make PYTHON=/path/to/python" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version) ..."; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "This Python cannot make virtual environments. Install its venv package (python3-venv on Debian and Ubuntu)." >&2; exit 1; }
