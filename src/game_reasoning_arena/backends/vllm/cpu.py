"""Engine arguments that vLLM needs on a machine without a GPU, so that models play without
settings.

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

#: Arguments of which one must be set; otherwise the size of the cache is left to chance.
_CACHE_SIZES = frozenset({"kv_cache_memory_bytes", "gpu_memory_utilization"})
_CACHE_VARIABLE = "VLLM_CPU_KVCACHE_SPACE"

#: The cache's share of the machine's memory, and its largest size in bytes: hundreds of episodes of
#: a small model.
_CACHE_SHARE = 1 / 8
_CACHE_MOST = 4 << 30

#: Files with a container's memory limit (bytes, or a word for none): cgroups version 2 and 1.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@cache
def is_cpu_build() -> bool:
    """Return whether the installed vLLM computes on the CPU, by the marks that vLLM itself uses."""
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
    """Return engine arguments for a CPU that are not among those given.

    Args:
        given: engine arguments that the user set, by vLLM's names.
        environment: may hold vLLM's older setting of the cache's size (GiB).
        memory: bytes of memory that this machine, or this container, has.
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
    """Return the most memory that this process may use; independent of what is free now."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in _LIMITS:
        try:
            total = min(total, int(Path(file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or the word that means no limit
            continue
    return total
