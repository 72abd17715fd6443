"""Collected only where the launchers' packages are installed: `make test-cluster`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm, missing

_NEEDED = {
    "test_joblib.py": "joblib.externals.loky",
    "test_submitit.py": "submitit",
    "test_slurm.py": "submitit",
    "test_ray.py": "ray",
}
collect_ignore = [
    file for file, module in _NEEDED.items() if find_spec(module.partition(".")[0]) is None
]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A SLURM of one node, for all tests."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A working directory for the sweep that is compared with."""
    directory = tmp_path / "whole"
    directory.mkdir()
    return directory
