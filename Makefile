# Everything a user does, from a bare clone: `make repro` installs what it needs and runs the pipeline.
.DEFAULT_GOAL := help
.PHONY: help repro verify drift replicate resolve ledger published golden test fuzz test-faults test-keras test-browser dist lint check bench maps experiments docs ui serve report summary store track format axes pins nightly
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: $(VENV)/installed .dvc/tmp/ready check ## Run the pipeline: every study that `run` in params.yaml names
	@python -m stages.repair
	@python -m stages.warm dvc repro
	@$(MAKE) --no-print-directory report
	@echo "MLflow:  make ui, then open http://127.0.0.1:5000"

verify: $(VENV)/installed ## Does this machine compute as others do? Trains a small study and compares its digest
	@python -m stages.verify

drift: $(VENV)/installed ## Compare results/ with the kept ones; WITH="FOLDER [OTHER] [--exact]" compares others
	@python -m stages.drift $(WITH)

replicate: $(VENV)/installed ## Run the ledger again on fresh seeds and splits: which verdicts hold? SEED=number, else today's date
	@python -m stages.replicate $(SEED)

resolve: $(VENV)/installed ## More seeds for a claim that the data leave open, until they tell; CLAIM=name [SEEDS=most]
	@python -m stages.resolve $(CLAIM) $(SEEDS)

ledger: $(VENV)/installed ## The ledger over every study of params.yaml, in some hours; writes docs/results/ledger.md. SEED=number: which verdicts hold on other seeds?
	@python -m stages.ledger $(SEED) $(STUDIES)

published: $(VENV)/installed ## The textbook's experiments beside what was published; writes docs/results/notebook
	@python -m stages.published

golden: $(VENV)/installed ## Keep what this run came to as what others are compared with
	@python -m stages.golden

nightly: ## All that the nightly workflow does: bare clone, default run, verify, drift, newest packages, audit
	@.ci/nightly

check: $(VENV)/installed ## Say whether params.yaml makes sense, and what it builds
	@python -m pipeline.config

test: $(VENV)/installed-dev ## Run every test, but for those of the next targets
	@# A process for each core, one thread each. A file's tests run in one process, in order. The files start in the order of their names, which has the slow e2e early.
	OMP_NUM_THREADS=1 pytest -m "not browser and not faults and not keras" -n logical --dist loadfile --no-loadscope-reorder

fuzz: $(VENV)/installed-dev ## Ten minutes of inputs that nobody thought of
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} pytest tests/fuzz

test-faults: $(VENV)/installed-dev ## Run the tests of the real dvc that take minutes: killed, on a cluster, in a team
	OMP_NUM_THREADS=1 pytest -m faults

test-keras: $(VENV)/installed-dev ## Compare two hundred steps with Keras itself, in an environment of its own
	pytest -m keras

test-browser: $(VENV)/installed-dev ## Run the tests that open the report and the MLflow UI in Chromium
	pytest -m browser

lint: $(VENV)/installed-dev ## ruff, mypy strict, import-linter, the schema of the CI workflows, the Dockerfile
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	if command -v hadolint > /dev/null; then hadolint Dockerfile; fi

dist: $(VENV)/installed-dev ## Build the package trainability as wheel and source archive, in dist/, and check them
	@rm -rf dist
	uv build --quiet --build-constraint constraints.txt
	twine check --strict dist/*

MAPS ?= tanh,relu,rate_and_gain
maps: $(VENV)/installed ## Draw maps of params.yaml into the report, in some minutes each; MAPS=name,name
	dvc exp run -S 'draw=[$(MAPS)]'

# Of an experiment's hundreds of numbers, those that a person compares; a terminal that is narrower scrolls.
SHOWN := Experiment|run|draw|.*\.(networks|diverged|at_chance)$$|.*best_cell\.(val_accuracy_mean|activation|initializer|normalization|learning_rate)$$
experiments: $(VENV)/installed ## List the experiments of `dvc exp run`, with the columns that tell them apart
	@COLUMNS=200 dvc exp show --drop '.*' --keep '$(SHOWN)'

docs: $(VENV)/installed-dev ## Build the documentation site, in site/
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet --config-file mkdocs.ko.yml
	@echo "docs:  file://$${PWD// /%20}/site/index.html"
	@echo "       with its search: python -m http.server --bind 127.0.0.1 --directory site 8000"

axes: $(VENV)/installed ## Write docs/axes: every axis and level that a grid may name
	@python -m stages.axes

format: $(VENV)/installed-dev ## Let ruff format the code
	ruff format .
	ruff check --fix .

bench: $(VENV)/installed-dev ## The same training by the pipeline and by its peers, in one run of half an hour
	python -m benchmarks.speed

ui: $(VENV)/installed ## Open the MLflow UI on 127.0.0.1:5000
	mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}"

STUDY ?= digits
serve: $(VENV)/installed ## Serve a study's champion on 127.0.0.1:5001; STUDY=name
	MLFLOW_TRACKING_URI="$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" mlflow models serve --env-manager local \
	    --model-uri "models:/trainability-$(STUDY)@champion" --host 127.0.0.1 --port 5001

report: ## Say where the report is
	@test -f report/index.html && echo "report:  file://$${PWD// /%20}/report/index.html" || echo "no report yet: make repro"

summary: $(VENV)/installed ## Print the metrics of the last run as Markdown
	@dvc metrics show --md

store: $(VENV)/installed ## List the networks that are kept and need no training again
	@python -m stages.store

track: $(VENV)/installed ## Bring MLflow up to date with the results, without training
	python -m stages.track

# A source archive has no .git: DVC is told so, once.
.dvc/tmp/ready:
	@mkdir -p .dvc/tmp
	@test -e .git || printf '[core]\n    no_scm = true\n' > .dvc/config.local
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

# Pinned by hash, all but torch: elsewhere its CPU build is another file than the index's.
INSTALL = $(BIN)/python .ci/install.py

$(VENV)/installed: pyproject.toml constraints.txt requirements.txt | $(VENV)/bin/python
	@$(INSTALL) requirements.txt
	@$(BIN)/python -m pipeline.compiled.engine
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt requirements-dev.txt | $(VENV)/bin/python
	@$(INSTALL) requirements-dev.txt
	@$(BIN)/python -m pipeline.compiled.engine
	@touch $@ $(VENV)/installed

PIN = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet \
	--no-emit-index-url --constraint constraints.txt --no-emit-package torch --extra pipeline
# What torch brings for a GPU comes with torch.
WITHOUT_CUDA = awk '/^[a-z]/ { skip = /^(nvidia-|cuda-|triton==)/ } !skip'

pins: $(VENV)/installed-dev ## Write the hashes of what constraints.txt pins, for every platform
	$(PIN) | $(WITHOUT_CUDA) > requirements.txt
	$(PIN) --extra dev | $(WITHOUT_CUDA) > requirements-dev.txt
