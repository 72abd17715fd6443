"""What vLLM needs on a machine without a GPU, so that a model plays there with no settings at all.

vLLM's own defaults are made for GPUs. On a CPU they compile the model first, claim nine tenths of
the machine's memory, and split long prompts over steps, of which the CPU engine dies when a request
has a seed (seen with 0.32.0). Whatever the user sets goes before what is supplied here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Without any of these the size of the cache of prompts and answers is nobody's choice.
_CACHE_SIZES = frozenset({"kv_cache_memory_bytes", "gpu_memory_utilization"})
_CACHE_VARIABLE = "VLLM_CPU_KVCACHE_SPACE"

#: Of the machine's memory, and at most, in bytes: room for hundreds of episodes of a small model.
_CACHE_SHARE = 1 / 8
_CACHE_MOST = 4 << 30

#: Where a container's limit stands (bytes, or a word for none): cgroups version 2 and 1.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@cache
def is_cpu_build() -> bool:
    """Whether the installed vLLM computes on the CPU, by the marks that vLLM itself goes by."""
    for name in ("vllm", "vllm-cpu"):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        return "cpu" in found or name == "vllm-cpu" or sys.platform == "darwin"
    return False


def cpu_settings(
    given: Mapping[str, Any], environment: Mapping[str, str], memory: int
) -> dict[str, Any]:
    """Engine arguments for a CPU that are not among those given.

    Args:
        given: engine arguments that the user set, by vLLM's names.
        environment: where vLLM's older setting of the cache's size may stand (GiB).
        memory: bytes that this machine, or this container, has.
    """
    # vLLM then makes max_num_batched_tokens at least max_model_len where it is not set.
    wanted: dict[str, Any] = {"enable_chunked_prefill": False}
    if given.get("pipeline_parallel_size", 1) == 1:
        wanted["enforce_eager"] = True
    if not (_CACHE_SIZES & given.keys() or environment.get(_CACHE_VARIABLE)):
        wanted["kv_cache_memory_bytes"] = min(_CACHE_MOST, int(memory * _CACHE_SHARE))
    return {name: value for name, value in wanted.items() if name not in given}


@cache
def memory_bytes() -> int:
    """Memory that this process may use at most; fixed, unlike what is free just now."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in _LIMITS:
        try:
            total = min(total, int(Path(file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or the word that means no limit
            continue
    return total
