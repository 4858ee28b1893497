# Everything runs inside .venv, which the first target makes. PYTHON picks the interpreter (3.11+).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.demo
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
LOCKED := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes
EDITABLE := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo test lock lint unit notebooks kernels-nojit kernels-unlinked test-hosts test-rl test-skactiveml mutation format docs clean

setup: $(STAMP)

# What the demo needs. torch first and alone: its pin has a CPU build; left to the resolver it brings
# gigabytes of CUDA. Everything else has the versions and hashes of a lock file; torch has none there,
# because its builds for CPU and CUDA differ under one version.
$(DEMO): pyproject.toml constraints.txt requirements/demo.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(LOCKED) -r requirements/demo.txt
	$(EDITABLE)
	touch $@

# What tests, checks and every command need.
$(STAMP): $(DEMO) requirements/dev.txt
	$(LOCKED) -r requirements/dev.txt
	$(BIN)/pip check
	touch $@

# The lock files anew, after a change of dependencies in pyproject.toml or constraints.txt.
CUDA := triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
	nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
COMPILE := $(BIN)/uv pip compile pyproject.toml requirements/build.in -c constraints.txt --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	$(foreach name,torch $(CUDA),--no-emit-package $(name))

lock:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) uv
	$(COMPILE) --extra demo -o requirements/demo.txt
	$(COMPILE) --extra dev -o requirements/dev.txt

demo: $(DEMO)
	$(BIN)/python -m scripts.demo

test: lint unit notebooks

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/codespell lal envs agents scripts tests docs README.md CHANGELOG.md CONTRIBUTING.md
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered --cov-fail-under=90

notebooks: $(STAMP)
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 docs/guide/quickstart.ipynb -p no:cacheprovider

# The compiled kernels once more as plain Python, so that coverage sees their lines.
kernels-nojit: $(STAMP)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/envs/simulator -m 'not slow' --cov=envs/simulator --cov-config=/dev/null

# The simulator once more without the linking of kernels (see envs/simulator/linking.py).
kernels-unlinked: $(STAMP)
	LAL_LINK_KERNELS=0 NUMBA_CACHE_DIR=.numba-unlinked $(BIN)/python -m pytest tests/envs/simulator -m 'not slow'

# The real host libraries, each in its own environment under .venv-hosts; HOSTS picks some.
test-hosts: $(STAMP)
	$(BIN)/python -m scripts.benchmark host-parity $(HOSTS)

# RLlib and TorchRL train on the vector environment, each in its own environment; RL picks one.
test-rl: $(STAMP)
	$(BIN)/python -m scripts.benchmark rl-libraries $(RL)

# scikit-activeml's own strategy test template, from a checkout: make test-skactiveml TEMPLATE=FILE
test-skactiveml: $(STAMP)
	SKACTIVEML_TEMPLATE=$(TEMPLATE) $(BIN)/python -m pytest tests/lal/integrations/test_upstream_template.py -q

# The share of single-line faults that the tests notice; hours for all of them, not in CI. A sample, one file:
# make mutation MUTATE="--areas evaluation policies trainers --sample 200 --seed 1"
# make mutation MUTATE="--only lal/curve.py --tests tests/lal/test_curve.py"
mutation: $(STAMP)
	$(PIP) mutmut
	PATH=$(BIN):$$PATH $(BIN)/python -m scripts.benchmark mutation $(MUTATE)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The site, under site/: built without a network; dead links and missing docstrings fail it.
docs: $(STAMP)
	PYTHONPATH=. $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf build dist runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
