# The few commands of a fresh clone; everything else is `snakemake`. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Python that the environments are made with
PYTHON3 ?= python3.11
# Index or folder with a CPU wheel of torch, e.g. https://download.pytorch.org/whl/cpu
# (empty: the package index's own wheel, which on Linux is the CUDA build)
TORCH_INDEX ?=
# blender | raycast: what renders the demo's pictures
RENDER ?= blender
CORES ?= all
DEMO_TARGETS ?= results/coseg/chair.json figures
PYTEST_ARGS ?=
# Tests at once; those of one file stay together, they share what they prepare
TEST_WORKERS ?= 2
# trained model = shipped weights
TINY_WEIGHTS ?= ss_vae=ss_vae_tiny ss_vae:decoder=ss_vae_dec_tiny ss_flow=ss_flow_tiny image_encoder=image_encoder_tiny

VENV := .venv
PYTHON := $(VENV)/bin/python
SNAKEMAKE := $(VENV)/bin/snakemake
BLENDER_VENV := .venv-blender
BLENDER_PYTHON := $(BLENDER_VENV)/bin/python
ENV_DONE := $(VENV)/.installed
BLENDER_DONE := $(BLENDER_VENV)/.installed
# A Blender that the user names needs no environment of ours
OWN_BLENDER := $(if $(SEMCORR_BLENDER),,yes)
TORCH_FROM := $(if $(TORCH_INDEX),$(if $(wildcard $(TORCH_INDEX)),--find-links,--extra-index-url) $(TORCH_INDEX))
RENDER_CONFIG = $(if $(filter blender,$(RENDER)),,--config "$$($(PYTHON) setup/render_override.py $(RENDER))")

.PHONY: help announce env env-blender shared-libraries blender-or-raycast demo test test-cluster lint \
	tiny-weights benchmarks scale clean browser viewer

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  variables: RENDER=raycast (demo without Blender), TORCH_INDEX=<index or folder with a CPU"
	@echo "  wheel of torch>, PYTHON3=<python 3.11>, CORES=<n>, PYTEST_ARGS='-k name', TEST_WORKERS=<n>"

NEED_PYTHON = @command -v $(PYTHON3) >/dev/null || { \
	echo "$(PYTHON3) is not there: install Python 3.11, or name it with PYTHON3=<path>"; exit 1; }

$(ENV_DONE): requirements.txt pyproject.toml
	$(NEED_PYTHON)
	test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --disable-pip-version-check $(TORCH_FROM) -r requirements.txt
	$(PYTHON) -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BLENDER_DONE): requirements-blender.txt
	$(NEED_PYTHON)
	test -x $(BLENDER_PYTHON) || $(PYTHON3) -m venv $(BLENDER_VENV)
	$(BLENDER_PYTHON) -m pip install --disable-pip-version-check -r requirements-blender.txt
	@touch $@

env: $(ENV_DONE)  ## the Python environment (.venv)
	@:

env-blender: $(BLENDER_DONE)  ## Blender's own environment (.venv-blender)
	@:

shared-libraries: env  ## find and install the shared libraries that the environments load
	@$(PYTHON) setup/shared_libraries.py

browser: env
	@$(PYTHON) setup/browser.py

viewer:  ## rebuild the bundle of the pair page (needs node; the built bundle is committed)
	cd viewer && npm ci && npm run build

announce:
	$(NEED_PYTHON)
	@$(PYTHON3) setup/announce.py $(if $(filter raycast,$(RENDER)),,$(if $(OWN_BLENDER),--blender)) \
		$(if $(TORCH_INDEX),--cpu-torch)

# Fails before anything is computed where Blender (or the ray caster) does not load
blender-or-raycast: env
	@$(PYTHON) setup/shared_libraries.py $(PYTHON):embreex
	@if [ "$(RENDER)" = raycast ]; then exit 0; \
	elif [ -n "$(OWN_BLENDER)" ]; then \
		$(MAKE) env-blender && \
		$(PYTHON) setup/shared_libraries.py $(PYTHON):OpenEXR $(BLENDER_PYTHON):bpy; \
	else \
		"$(SEMCORR_BLENDER)" --version >/dev/null; \
	fi || { echo "Blender does not load here. Without it: make demo RENDER=raycast"; exit 1; }

demo:  ## the chair from nothing to its table and pictures (RENDER=raycast: without Blender)
	@case "$(RENDER)" in blender|raycast) ;; *) echo "RENDER is one of: blender, raycast"; exit 2;; esac
	@$(MAKE) announce
	@$(MAKE) env
	@$(MAKE) blender-or-raycast
	@echo '$(SNAKEMAKE) -c $(CORES) $(DEMO_TARGETS)'
	@$(SNAKEMAKE) -c $(CORES) $(DEMO_TARGETS) $(RENDER_CONFIG) || { status=$$?; \
		echo "If an earlier run was killed: $(SNAKEMAKE) --unlock, then the same command again."; exit $$status; }
	@$(PYTHON) -m semcorr.stages.summary

# PYTEST_STATUS=<file>: keep pytest's exit code there and end with its closing line
KEEP_STATUS = $(if $(PYTEST_STATUS),; echo $$? > $(PYTEST_STATUS))

test: env env-blender shared-libraries browser  ## the whole test suite
	@$(PYTHON) -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)$(KEEP_STATUS)

test-cluster: env env-blender  ## the workflow on a Slurm of the tests' own (Debian; minutes)
	@$(PYTHON) setup/slurm.py || true
	@$(PYTHON) -m pytest -m cluster tests/e2e/slurm $(PYTEST_ARGS)$(KEEP_STATUS)

lint: env  ## style of Python and Snakemake files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow/rules

tiny-weights: env  ## train the tiny networks and copy them to resources/weights (hours)
	$(SNAKEMAKE) -c $(CORES) $(sort $(foreach pair,$(TINY_WEIGHTS),results/models/$(firstword $(subst :, ,$(subst =, ,$(pair))))/model.json))
	$(PYTHON) setup/ship_weights.py $(TINY_WEIGHTS)

benchmarks: env  ## speed ratios against the reference formulations
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(PYTHON) $$script || exit 1; done

scale: env  ## planning of 10 000 to 800 000 objects, single jobs of them, and a run of 10 000 that computes nothing
	$(PYTHON) benchmarks/scale/plan.py
	$(PYTHON) benchmarks/scale/one_job.py
	$(PYTHON) benchmarks/scale/submissions.py
	$(PYTHON) benchmarks/scale/execute.py

clean:  ## remove what was computed, not the environments
	rm -rf results .snakemake .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
