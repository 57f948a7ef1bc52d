# Developer commands; CI calls the same names.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
LOCK := --python-version 3.11 --python-platform linux --generate-hashes --no-header --annotation-style line --quiet --output-file
EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 1735689600)

.PHONY: help setup run test check style types suite fix train promote gate-trials evaluate behaviour compare corpus-check learning-curve label-errors docs tutorial screenshots peers bench lock licences sbom audit wheel image clean

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[serve]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[serve,train,spark,dev,docs]'
	@touch $@ $(VENV)/.serve

setup: $(VENV)/.dev  ## make the environment with all that development needs

run: $(VENV)/.serve  ## start the service with the demo CRM, assess its lost deals, print what was found
	@$(BIN)/lossnlp-serve migrate
	@$(BIN)/lossnlp-serve demo $(DEMO)

test: $(VENV)/.dev style  ## format and lint, then types and imports beside the tests
	@$(MAKE) --no-print-directory --jobs=2 types suite

check: $(VENV)/.dev style types  ## format, lint, types, imports, what bandit finds

style: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml lossnlp lossnlp_spark serving training

suite: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

fix: $(VENV)/.dev  ## mend format and what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

train: $(VENV)/.dev  ## train a model bundle from training/corpus into runs/bundle
	$(BIN)/python -m training.train

promote: $(VENV)/.dev  ## put the challenger in the champion's place, or say why not; ASK="runs/bundle --verdicts file"
	$(BIN)/python -m training.promote $(ASK)

gate-trials: $(VENV)/.dev  ## how often the gate promotes harmed, equal and better challengers
	$(BIN)/python -m benchmarks.gate_trials

evaluate: $(VENV)/.dev  ## measure the shipped bundle on its held-out deals; rebuilds card and pictures
	$(BIN)/python -m training.evaluate

behaviour: $(VENV)/.dev  ## check what the shipped bundle must read right and what must change nothing
	$(BIN)/python -m training.behaviour --failures

compare: $(VENV)/.dev  ## measure the shipped bundle beside simpler peers; GOLD="files" for other labelled deals
	$(BIN)/python -m benchmarks.compare $(GOLD)

corpus-check: $(VENV)/.dev  ## check the training corpus
	$(BIN)/python -m training.corpus_check

learning-curve: $(VENV)/.dev  ## replay a labelling history: what teaches most, by lot, oldest first; VERDICTS="--verdicts file" for your own
	$(BIN)/python -m training.learning_curve $(VERDICTS)

label-errors: $(VENV)/.dev  ## list labels that are likely wrong; VERDICTS="--verdicts file" to look through your own too
	$(BIN)/python -m training.label_errors $(VERDICTS)

docs: $(VENV)/.dev  ## build the documentation site into build/site; a broken link stops it
	$(BIN)/python -m docs.site

tutorial: $(VENV)/.dev  ## run the tutorial notebook into build/tutorial.ipynb
	$(BIN)/python -m docs.tutorial

screenshots: $(VENV)/.dev  ## picture the pages for docs/images, in Chromium
	$(BIN)/python -m docs.screenshots

$(VENV)/peers/.ready: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --editable '.[bench]'
	@touch $@

peers: $(VENV)/peers/.ready  ## make the environment of the peers that `make bench` measures beside; without it they are left out

bench: $(VENV)/.dev  ## measure speed and memory beside named peers, about an hour; build/bench/index.html shows it
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.exactness
	$(BIN)/python -m benchmarks.service
	$(BIN)/python -m benchmarks.peak
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.start
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.door_latency
	$(BIN)/python -m benchmarks.page_latency

lock: $(VENV)/.dev  ## lock what is served and what builds it, with hashes, at the versions of constraints.txt
	$(BIN)/uv pip compile pyproject.toml --extra serve --extra postgres --extra trace --constraint constraints.txt $(LOCK) requirements/serve.lock
	$(BIN)/uv pip compile requirements/build.in --constraint constraints.txt $(LOCK) requirements/build.lock
	$(MAKE) --no-print-directory licences

licences: $(VENV)/.dev  ## write docs/licences.md
	$(BIN)/python -m docs.licences

sbom: $(VENV)/.dev  ## write build/sbom.json, a CycloneDX bill of what is served
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements/serve.lock --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json

audit: $(VENV)/.dev  ## look up known vulnerabilities of what is served; needs the advisories of the package index
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements/serve.lock

wheel: $(VENV)/.dev  ## build the wheel, the same bytes each time, into dist
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m hatchling build --target wheel --directory dist

image:  ## build the container image; needs docker
	docker build --build-arg SOURCE_DATE_EPOCH=$(EPOCH) --tag lossnlp:0.1.0 .

clean:  ## remove what the other commands made, but not var/ with the service's data
	rm -rf $(VENV) runs build dist *.egg-info mlruns mlflow.db
