# Sweeps on real clusters: joblib's processes, SLURM's daemons and Ray on the loopback interface. Its
# own environment, since Ray is large. What cannot be had here is left out, and said.
CLUSTER_VENV := .venv-cluster
CLUSTER_BIN := $(CLUSTER_VENV)/bin
CLUSTER_INSTALL = $(CLUSTER_BIN)/uv pip install --quiet --compile-bytecode --python $(CLUSTER_BIN)/python
CLUSTER_INSTALL_SLOWLY = $(CLUSTER_BIN)/python -m pip install --quiet

.PHONY: test-cluster slurm

test-cluster: $(CLUSTER_VENV)/.installed slurm  ## sweeps through joblib, a real SLURM and a real Ray (minutes)
	env -u PYTHONDONTWRITEBYTECODE $(CLUSTER_BIN)/python -m pytest tests/cluster --durations=10

slurm:
	@command -v slurmctld >/dev/null && command -v munged >/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	    echo "installing slurm-wlm and munge ..." && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge >/dev/null; } || \
	  echo "SLURM is not installed and cannot be installed here (Debian: slurm-wlm, munge): its tests are left out"

$(CLUSTER_VENV)/.installed: pyproject.toml cluster.mk constraints.txt constraints-cluster.txt
	@echo "installing joblib, submitit and Ray into $(CLUSTER_VENV) ..."
	@$(PYTHON) -m venv --clear $(CLUSTER_VENV)
	@$(CLUSTER_BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  $(CLUSTER_INSTALL) -c constraints.txt -c constraints-cluster.txt -e '.[joblib,slurm,ray]' hypothesis pytest || \
	  $(CLUSTER_INSTALL_SLOWLY) -c constraints.txt -c constraints-cluster.txt -e '.[joblib,slurm,ray]' hypothesis pytest
	@touch $@
