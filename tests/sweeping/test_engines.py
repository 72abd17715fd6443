"""Which jobs of a sweep may have their engines loaded side by side."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from game_reasoning_arena.backends.vllm import cpu as vllm_cpu
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.records import Model
from game_reasoning_arena.sweeping.checks import on_the_same_gpus
from game_reasoning_arena.sweeping.in_process import _shifts
from game_reasoning_arena.sweeping.launchers.joblib_launcher import JoblibLauncher, _Worker
from game_reasoning_arena.sweeping.launchers.ray_launcher import RayLauncher


def job(backend: VLLMBackend, *names: str, **engine: Any) -> Any:
    """The part of a job that decides what it loads."""
    models = [
        Model(name=f"vllm_{n}", backend="vllm", model_id=n, model_path=f"/models/{n}", **engine)
        for n in names
    ]
    return SimpleNamespace(experiment=SimpleNamespace(models=models, backends={"vllm": backend}))


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_cpu, "is_cpu_build", lambda: False)


def test_jobs_of_one_engine_are_played_together() -> None:
    backend = VLLMBackend()
    jobs = [job(backend, "a"), job(backend, "a")]
    assert _shifts(jobs) == [jobs]


def test_a_sweep_over_an_engine_setting_loads_one_engine_after_the_other() -> None:
    """The model is the same and the backends are two; neither sees the other's engine."""
    short, long = VLLMBackend(max_model_len=2048), VLLMBackend(max_model_len=4096)
    jobs = [job(short, "a"), job(long, "a"), job(short, "a")]
    assert _shifts(jobs) == [[jobs[0], jobs[2]], [jobs[1]]]


def test_models_that_fit_beside_each_other_are_played_together() -> None:
    small = VLLMBackend(gpu_memory_utilization=0.4)
    jobs = [job(small, "a"), job(small, "b")]
    assert _shifts(jobs) == [jobs]
    full = VLLMBackend()
    assert len(_shifts([job(full, "a"), job(full, "b")])) == 2
    apart = [job(full, "a", engine={"device_ids": [0]}), job(full, "b", engine={"device_ids": [1]})]
    assert _shifts(apart) == [apart]


def test_processes_that_see_the_same_gpus_must_fit_there_together() -> None:
    """Each loads an engine of its own, if only for the same model."""
    launcher = JoblibLauncher(n_jobs=2)
    full, small = VLLMBackend(), VLLMBackend(gpu_memory_utilization=0.45)
    [said] = on_the_same_gpus([job(full, "a"), job(full, "a")], launcher)
    assert said.startswith("2 jobs at once see the same GPUs. Give each GPUs of its own: hydra.")
    assert "adds up to 1.84" in said
    assert on_the_same_gpus([job(small, "a")] * 3, launcher) == []
    assert on_the_same_gpus([job(full, "a")], launcher) == []
    dealt = JoblibLauncher(n_jobs=2, gpus=[0, 1])
    assert on_the_same_gpus([job(full, "a")] * 2, dealt) == []
    assert len(on_the_same_gpus([job(full, "a")] * 2, RayLauncher())) == 1
    assert on_the_same_gpus([job(full, "a")] * 2, RayLauncher(num_gpus=1)) == []
    assert len(on_the_same_gpus([job(full, "a")] * 2, RayLauncher(num_gpus=0.5))) == 1


def test_a_process_takes_the_jobs_whose_keys_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    efforts = []

    def start(worker: _Worker, job_file: Path, keys: Collection[str] | None) -> None:
        efforts.append(worker.effort(keys))
        worker._executor, worker._keys, worker._file = object(), keys, job_file
        worker.future = SimpleNamespace(done=lambda: True, exception=lambda: None)

    monkeypatch.setattr(_Worker, "start", start)
    launcher = JoblibLauncher(n_jobs=2)
    launcher.submit({Path(str(number)): {key} for number, key in enumerate("ABBAABBA")})
    while launcher.ended():
        pass
    assert efforts == [1, 1, 0, 0, 0, 0, 0, 0]
