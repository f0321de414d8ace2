# Two commands on a fresh machine, nothing before them but Python and make:
#   make demo    the whole way on a drawn data set
#   make test    the whole test suite
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
export NO_MKDOCS_2_WARNING := 1

.PHONY: demo stream-demo test check docs site format clean

demo: $(VENV)/.run
	$(BIN)/k210kit demo

stream-demo: $(VENV)/.run
	$(BIN)/k210kit stream-demo

test: $(VENV)/.all
	$(BIN)/python -m pytest -n auto

check: $(VENV)/.all
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ruff check --quiet --preview --select PLW1514 . # every text file is opened with its encoding
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

format: $(VENV)/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.all
	$(BIN)/python -m docs.generate

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(PIP) -e '.[train,device,studio,onnx]'
	$(BIN)/python -m compileall -q src  # pip does it, but not for an editable install
	touch $@

$(VENV)/.all: $(VENV)/.run pyproject.toml
	$(PIP) -e '.[train,device,studio,onnx,compare,dev]'
	touch $@

site: $(VENV)/.all
	$(BIN)/python -m docs.generate
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist site
