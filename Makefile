# The commands of this project. `make run` and `make test` do what is needed before them.
PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=
BIN := .venv/bin

.PHONY: help setup run test test-system check bench compare stress screenshots man completions config deb install uninstall purge

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

setup: ## install what is missing: system packages (as root, on Debian), .venv
	@scripts/setup.sh

run: setup ## start flowtopd on this machine's kernel and open a viewer (as root, or with sudo); ARGS are the viewer's
	@scripts/run.sh $(ARGS)

test: setup ## every test; those that need root and a kernel with conntrack are skipped without
	$(BIN)/python -m pytest $(ARGS)

test-system: setup ## the Debian package and the service, in a machine with a real systemd (as root; makes a Debian 12 once)
	$(BIN)/python -m pytest tests/system $(ARGS)

check: setup ## what can be said without running the program: format, lint, types, imports, shape
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/test_architecture.py

# What was just written, as by `make setup`, lies in the cache of files in large pieces, and a program that needs a page of
# one is charged for its neighbours: 4 MB for the daemon. As after a boot, then, before a program that is measured runs.
EMPTY_CACHE = sync; echo 1 2>/dev/null >/proc/sys/vm/drop_caches || true

bench: setup ## the numbers, on real kernel tables, and what got worse than bench/baseline.json (as root)
	@$(EMPTY_CACHE)
	$(BIN)/python -m bench $(ARGS)

stress: setup ## load, faults and hostile neighbours: what is promised about them, put to the test (as root; 10 minutes)
	$(BIN)/python -m stress $(ARGS)

compare: setup ## beside the tools people use today: tables and a plot into docs/benchmarks.md (as root; 16 minutes)
	@$(EMPTY_CACHE)
	$(BIN)/python -m bench.compare --write $(ARGS)

screenshots: setup ## pictures of the viewer for the README, into docs/screenshots
	PYTHONPATH=. $(BIN)/python scripts/screenshots.py

man: setup ## the man pages, of docs/man and of what the programs say themselves, into build/man
	$(BIN)/python -m scripts.man

completions: setup ## write completions/ anew, for bash, zsh and fish, of the programs' options
	$(BIN)/python -m scripts.completions

config: setup ## write etc/flowtopd.toml anew, of the keys in flowtopd/config.py
	$(BIN)/python -m scripts.config_toml

deb: setup ## dist/flowtop_VERSION_all.deb, for Debian 12 and later
	@scripts/deb.sh

install: ## into PREFIX (/usr/local), below DESTDIR if that is set
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh install

uninstall: ## remove what install has put there
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh uninstall

purge: ## the same, and configuration, databases and the user flowtop
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh purge
