# Each target sets up what it needs in .venv; nothing is installed outside it, except system packages by root on Debian.
PYTHON ?= python3
VENV := .venv
IMAGES ?= build/images
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What pip installs it compiles, but not what it only links to; uncompiled, every start costs half as much again.
COMPILE := $(BIN)/python -m compileall -q reconciler providers

.PHONY: help run test test-real check bench images crash-matrix soak lock clean

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: $(STAMP) ## Run the controller on two emulated hosts, over a repository made from desired-state/.
	@sh examples/demo/run.sh $(BIN)/reconciler || [ $$? -eq 130 ]

# Side by side: the one computes, the other mostly waits for guests.
test: $(STAMP) ## Run all tests; on real ZFS and a real Linux host too where they can be had.
	@sh examples/linux/install.sh --tests
	@mkdir -p build; $(MAKE) --no-print-directory test-real PYTEST_ARGS= >build/test-real.log 2>&1 & other=$$!; \
	  $(BIN)/python -m pytest $(PYTEST_ARGS); ended=$$?; \
	  wait $$other; real=$$?; cat build/test-real.log; [ $$ended -eq 0 ] || exit $$ended; exit $$real

# 69: there can be no such host here, as was said. Where the real parts are required, that is a failure.
test-real: $(STAMP) ## Run the tests on a Linux host of their own: real links, containers and machines. Needs root.
	@sh examples/linux/install.sh --tests
	@sh examples/linux/images/make.sh $(IMAGES) || [ "$$RECONCILER_REQUIRE_REAL" != 1 ]
	sh examples/linux/run.sh $(BIN)/python -m pytest tests/real $(PYTEST_ARGS) || \
	  { code=$$?; [ $$code -eq 69 ] && [ "$$RECONCILER_REQUIRE_REAL" != 1 ] && echo "left out: the tests on a Linux host, see above" >&2 || exit $$code; }

check: $(STAMP) ## Lint, types, layers, vocabulary.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/checks/vocabulary.py

crash-matrix: $(STAMP) ## Kill an apply of every verb at every point, on emulated hosts of all kinds.
	@$(BIN)/python -m pytest tests/crash -m matrix -k "smartos or (linux and after)" & other=$$!; \
	  $(BIN)/python -m pytest tests/crash -m matrix -k "not (smartos or (linux and after))"; ended=$$?; wait $$other && exit $$ended

bench: $(STAMP) ## Measure against the native floor and the bars; writes benchmarks/results.md.
	@sh examples/linux/install.sh --tests
	@sh examples/linux/images/make.sh $(IMAGES)
	$(COMPILE)
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

images: ## Make small images for zones and virtual machines out of Debian packages, in build/images (or IMAGES=FOLDER).
	@sh examples/linux/images/make.sh $(IMAGES)

soak: $(STAMP) ## Run a controller for 10,000 passes (or PASSES=N) and see that nothing grows.
	$(BIN)/python -m tests.controller.soak $(PASSES)

lock: ## Renew the hashed locks from pyproject.toml.
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install -q uv
	for extra in "" "--extra dev"; do \
	  out=requirements$${extra:+-dev}.lock; \
	  $(VENV)-lock/bin/uv pip compile pyproject.toml $$extra --universal --generate-hashes --python-version 3.11 \
	    --no-annotate --no-header --upgrade -q -o $$out || exit 1; \
	done

clean: ## Remove the environment and the demo.
	rm -rf $(VENV) $(VENV)-lock .run

# A failed or interrupted installation leaves no stamp behind, and the next make begins it anew.
$(STAMP): requirements-dev.lock pyproject.toml
	@sh .ci/python-check $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(COMPILE)
	@touch $@
