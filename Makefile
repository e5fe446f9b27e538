# What a checkout can do: make demo, test, faults, soak, bench, lint, types, docs, clean. Needs Python >= 3.11 and network for the first run.
SHELL = /bin/sh
PYTHON =
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
MANIFESTS = pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)
# pip before 25.1 cannot read dependency groups, and a fresh environment may hold an older one.
GROUP = import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")

.PHONY: demo test faults soak bench lint types docs clean

demo: .venv/core
	$(BIN)/jrr demo --for 15s

test: .venv/dev
	$(BIN)/pytest -q --numprocesses 2 --dist loadfile

faults: .venv/dev
	$(BIN)/python -m tests.e2e.faults

soak: .venv/dev
	$(BIN)/python -m tests.e2e.soak

# QUICK=1: some minutes instead of forty, for a look; its figures are no result.
bench: .venv/bench
	$(BIN)/python -m benchmarks.run $(if $(QUICK),--quick --out .bench/quick.json)

lint: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict && $(BIN)/python -m tests.docs.built site

clean:
	rm -rf .venv .venv-rival .faults .soak .bench build dist site htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@echo "Making .venv"
	@python=$$(sh .ci/find-python "$(PYTHON)") && "$$python" -m venv --clear .venv || { rm -rf .venv; exit 2; }

.venv/core: .venv/bin/python $(MANIFESTS)
	@echo "Installing jrr and the plugins of this checkout into .venv"
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable '.[top]' $(patsubst %/pyproject.toml,--editable ./%,$(wildcard plugins/*/pyproject.toml))
	@touch $@

.venv/dev: .venv/core
	@echo "Installing the development tools into .venv"
	@$(BIN)/python -c '$(GROUP)' dev > .venv/dev-group.txt
	@$(PIP) --requirement .venv/dev-group.txt
	@touch $@

.venv/bench: .venv/core benchmarks/requirements.txt
	@echo "Installing what the benchmark needs into .venv"
	@$(PIP) --requirement benchmarks/requirements.txt
	@touch $@

.venv/docs: .venv/core
	@echo "Installing what makes the site into .venv"
	@$(BIN)/python -c '$(GROUP)' docs > .venv/docs-group.txt
	@$(PIP) --requirement .venv/docs-group.txt
	@touch $@
