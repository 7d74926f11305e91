# make demo   set everything up and run the main job, about 5 minutes on 2 cores
# make test   set everything up and run all tests and checks
# make notebook   the notebook's questions, hours; stop it at will, the same command goes on
# make weights    the weights that the demo starts from and the reader of faces, an hour; the
#                 package has them already
# make docs   the documentation site, into docs/_build; links and warnings are errors
# A virtual environment of its own is made in $(VENV); nothing else on the machine changes.

# Without an NVIDIA GPU, TORCH=https://download.pytorch.org/whl/cpu saves gigabytes on Linux.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READERS = src/bascule/attributes/weights

.PHONY: demo test notebook weights docs clean

demo: $(VENV)/installed
	$(BIN)/bascule run perfect-g --quick --open

notebook: $(VENV)/installed
	$(BIN)/bascule run notebook

weights: $(VENV)/installed
	$(BIN)/bascule train dcgan64-tuned --name faces64 --data "Faces(n=10000, first=10000)" \
		--set model.width=16 epochs=24 precision=fp32 threads=1
	$(BIN)/bascule export faces64 --half -o src/bascule/models/weights/faces64.pt
	rm -f $(READERS)/micah-64px-*.pt
	BASCULE_DATA=$(VENV)/readers $(BIN)/python -c \
		"from bascule.attributes.classifier import classifier; classifier('micah', 64)"
	cp $(VENV)/readers/attributes/micah-64px-*.pt $(READERS)/

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

docs: $(VENV)/installed-dev
	$(BIN)/sphinx-build -W --keep-going -q -c docs . docs/_build
	@echo docs/_build/index.html

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH),$(BIN)/pip install --quiet --constraint constraints.txt --index-url $(TORCH) torch)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,board,oracle,pretrained,tune,slurm,publish]"
	touch $@

clean:
	rm -rf $(VENV) runs
