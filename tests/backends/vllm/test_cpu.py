"""What a machine without a GPU gets, so that a model plays there with no settings at all."""

from __future__ import annotations

import importlib.metadata

import pytest

from game_reasoning_arena.backends.vllm import cpu as vllm_cpu
from game_reasoning_arena.backends.vllm.settings import engine_settings
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.records import Model

GIB = 1 << 30
MODEL = Model(name="vllm_X", backend="vllm", model_id="X", model_path="/models/x")


def test_what_nobody_set_is_supplied() -> None:
    assert vllm_cpu.cpu_settings({}, {}, 16 * GIB) == {
        "enforce_eager": True,
        "enable_chunked_prefill": False,
        "kv_cache_memory_bytes": 2 * GIB,
    }
    assert vllm_cpu.cpu_settings({}, {}, 512 * GIB)["kv_cache_memory_bytes"] == 4 * GIB


def test_what_the_user_set_stays() -> None:
    given = {"enforce_eager": False, "enable_chunked_prefill": True, "kv_cache_memory_bytes": 1}
    assert vllm_cpu.cpu_settings(given, {}, 16 * GIB) == {}


def test_a_pipeline_is_compiled() -> None:
    """Its parts are made ready for each other only by that (vLLM 0.32.0, seen)."""
    wanted = vllm_cpu.cpu_settings({"pipeline_parallel_size": 2}, {}, GIB)
    assert wanted.keys() == {"enable_chunked_prefill", "kv_cache_memory_bytes"}


@pytest.mark.parametrize(
    ("given", "environment"),
    [({"gpu_memory_utilization": 0.5}, {}), ({}, {"VLLM_CPU_KVCACHE_SPACE": "8"})],
)
def test_another_way_to_size_the_cache_is_respected(
    given: dict[str, float], environment: dict[str, str]
) -> None:
    assert "kv_cache_memory_bytes" not in vllm_cpu.cpu_settings(given, environment, 16 * GIB)


def test_the_machine_has_memory() -> None:
    assert GIB / 4 < vllm_cpu.memory_bytes() < 1 << 50


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"vllm-cpu": "0.32.0"}, True),
        ({"vllm": "0.32.0+cpu"}, True),
        ({"vllm": "0.32.0"}, False),
        ({"vllm": "0.32.0+cu129"}, False),
        ({}, False),
    ],
)
def test_the_build_is_told_by_its_distribution(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], expected: bool
) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(vllm_cpu, "version", version)
    monkeypatch.setattr("sys.platform", "linux")
    vllm_cpu.is_cpu_build.cache_clear()
    try:
        assert vllm_cpu.is_cpu_build() is expected
    finally:
        vllm_cpu.is_cpu_build.cache_clear()


def test_it_is_part_of_the_engine_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two backends share an engine; its supplied settings are shown and recorded."""
    monkeypatch.setattr(vllm_cpu, "is_cpu_build", lambda: True)
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    backend = VLLMBackend(enforce_eager=True)
    [note] = backend.notes([MODEL])
    assert "on the CPU, vllm_X ran with enable_chunked_prefill=false, kv_cache_memory" in note
    assert "enforce_eager" not in note  # the configuration says that already
    said = backend.loading([MODEL])
    assert said is not None
    assert said.splitlines()[0].startswith("Loading vllm_X with vLLM")
    assert "enable_chunked_prefill=false" in said.splitlines()[1]

    made = engine_settings(MODEL, {}, {}, lambda given: {"enforce_eager": True, **given})
    assert made.arguments == made.supplied == {"enforce_eager": True}
    assert made.key == engine_settings(MODEL, {"enforce_eager": True}, {}).key


def test_on_a_gpu_nothing_is_supplied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_cpu, "is_cpu_build", lambda: False)
    backend = VLLMBackend()
    assert "supplied" not in " ".join(backend.notes([MODEL]))
    assert backend.loading([MODEL]) == (
        "Loading vllm_X with vLLM: from half a minute to many, by size."
    )


def test_how_far_a_gpus_answers_repeat_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_cpu, "is_cpu_build", lambda: False)
    monkeypatch.delenv("VLLM_BATCH_INVARIANT", raising=False)
    [said] = VLLMBackend().notes([MODEL])
    assert "equal seeds may give other answers" in said
    monkeypatch.setenv("VLLM_BATCH_INVARIANT", "1")
    [said] = VLLMBackend().notes([MODEL])
    assert "do not depend on what else was in the batch" in said
