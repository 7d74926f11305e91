# make demo   set everything up and run the main job, about 5 minutes on 2 cores
# make test   set everything up and run all tests and checks
# make notebook   the notebook's questions, hours; stop it at will, the same command goes on
# A virtual environment of its own is made in $(VENV); nothing else on the machine changes.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test notebook clean

demo: $(VENV)/installed
	$(BIN)/bascule run perfect-g --quick

notebook: $(VENV)/installed
	$(BIN)/bascule run notebook

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,oracle,pretrained,tune,slurm,onnx]"
	touch $@

clean:
	rm -rf $(VENV) runs
