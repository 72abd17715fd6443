"""The device that the installed vLLM computes on, as far as a test has to know it. Loads no vLLM.

What an engine can tell of itself, such as the size of its cache's blocks, is asked of the engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm.cpu import is_cpu_build
from game_reasoning_arena.backends.vllm.devices import gpu_count

ON_CPU = is_cpu_build()

#: An engine starts only where its share of a GPU's memory is free, and vLLM's default share is
#: nearly all of it: with this one the engines of two test processes and a server fit on one GPU.
SHARE: Mapping[str, Any] = {} if ON_CPU else {"gpu_memory_utilization": 0.15}

#: Bytes of a cache that holds hundreds of the tiny model's prompts.
CACHE: Mapping[str, Any] = {"kv_cache_memory_bytes": 1 << 28}

#: A GPU is so much faster that a test which has to meet an engine at work gives it more to do.
WORK = 1 if ON_CPU else 4

#: Processes of an engine: on a GPU it is its own worker, on a CPU it starts one.
PROCESSES = 2 if ON_CPU else 1

#: Into how many parts an engine can be split: cores there are always, GPUs there may be one.
PARTS = 2 if ON_CPU or gpu_count(Path("/dev"), os.environ) > 1 else 1
