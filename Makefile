# The two commands: `make run` and `make test`. `make help` lists the others.

.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DATA ?= trygghub-data
SPEED ?= 60
WORKERS ?= 2

.PHONY: help run test test-bluez check format bench lock clean

help: ## list what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# ---------------------------------------------------------------- set-up

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "trygghub needs Python 3.11 or newer; install it (on Debian: apt install python3 python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh deploy/system-packages.sh python3-venv
	@echo "Making the Python environment in $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.for-running: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing what trygghub runs on"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.for-testing: requirements-dev.lock $(VENV)/.for-running
	@echo "Installing what the checks run on"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# ---------------------------------------------------------------- the two commands

run: $(VENV)/.for-running ## start everything on this machine, with three simulated homes
	@command -v dbus-daemon >/dev/null 2>&1 || sh deploy/system-packages.sh dbus-daemon || true
	@exec $(BIN)/trygghub run --demo --data $(DATA) --speed $(SPEED)

test: $(VENV)/.for-testing ## set up everything and run all checks, as CI does
	@sh deploy/system-packages.sh mosquitto chromium postgresql dbus libatomic1 fonts-dejavu-core sip-tester systemd
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not browser and not faults and not wheel and not alone"
	@$(BIN)/pytest -m "browser or faults or wheel or alone"

# ---------------------------------------------------------------- the rest

check: $(VENV)/.for-testing ## format, lint, types and import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.for-testing ## put the code into the house's form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test-bluez: $(VENV)/.for-testing ## the Bluetooth drivers on the real BlueZ, in an emulated machine (slow, not part of `test`)
	@sh deploy/system-packages.sh qemu-system-x86 busybox-static kmod cpio dbus
	@sh tests/bluez/fetch.sh .cache/bluez
	@$(BIN)/python tests/bluez $(TESTS)

bench: $(VENV)/.for-testing ## measure, as ratios against a reference in the same run
	@$(BIN)/python tests/bench

lock: $(VENV)/.for-testing ## pin the dependencies anew (needs `uv` in the environment)
	@$(PIP) install uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" pyproject.toml --group build -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock

clean: ## remove the environment and the caches; the data folder stays
	@rm -rf $(VENV) .cache .ruff_cache .hypothesis dist build
