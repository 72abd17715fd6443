"""Checks of a vLLM model before an engine starts, without importing vLLM.

Starting an engine takes from half a minute to many; everything here takes milliseconds. The names
of vLLM's arguments are read from its source text, so that a typing error costs no import either.
"""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Iterable, Mapping, Sized
from functools import cache
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm.files import check_files, nearest
from game_reasoning_arena.backends.vllm.internals import ENGINE_ARGUMENTS, SAMPLING_PARAMETERS
from game_reasoning_arena.backends.vllm.settings import EngineSettings
from game_reasoning_arena.errors import choose_from
from game_reasoning_arena.records import Model

#: Engine arguments that the entry gives under other names.
_OURS = {"model": "model_path", "tokenizer": "tokenizer_path"}

#: Engine arguments that only vLLM's own server uses, and what to do instead.
_OF_SERVERS = {
    "generation_config": "set temperature, top_p, ... under sampling, others in the entry's extra",
    "override_generation_config": "set temperature, top_p, ... under sampling, others in extra",
    "enable_lora": "serve the adapter with `vllm serve` and set api_base, or merge it into a model",
}

#: The most entries of these for a GPU's engine, which dies of more instead of refusing them.
_MOST_TOKENS = 1024
_TOKEN_LISTS = ("allowed_token_ids", "logit_bias")

#: Sampling parameters that have a configuration key of their own, or that the harness sets.
_SAMPLING_KEYS = frozenset({"temperature", "max_tokens", "top_p", "top_k", "stop"})
_SET_BY_US = frozenset({"seed", "structured_outputs", "output_kind", "n"})

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_HEAD_KEYS = ("num_attention_heads", "n_head", "n_heads")


def check_model(model: Model, settings: EngineSettings, *, on_cpu: bool) -> list[str]:
    """Return all problems with one entry's files and settings."""
    problems = _check_arguments(settings) + _check_extra(model, on_cpu=on_cpu)
    where = f"model_path of {model.name}"
    if not model.model_path:
        return [
            f"{model.name} needs a model_path (a directory with the model's files) or an api_base "
            "(a running `vllm serve`) in its entry.",
            *problems,
        ]
    path = Path(model.model_path)
    if not path.is_absolute():
        problems.insert(0, f"{where} must be an absolute path, not {model.model_path!r}.")
    elif path.suffix == ".gguf" and path.is_file():
        return problems + _check_gguf(where)  # one file holds everything
    elif not path.is_dir():
        problems.insert(0, f"{where}: there is no directory {model.model_path}.{nearest(path)}")
    else:
        config, found = check_files(model, path, settings)
        problems += found + _check_sizes(config, settings)
    return problems


def _check_gguf(where: str) -> list[str]:
    """Return a problem if this vLLM (0.24 and later) needs a plugin to read such files."""
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        return []  # reported elsewhere
    own = Path(spec.origin).parent / "model_executor/layers/quantization/gguf.py"
    if own.is_file() or importlib.util.find_spec("vllm_gguf_plugin") is not None:
        return []
    return [
        f"{where}: this vLLM reads no .gguf files without its plugin. pip install vllm-gguf-plugin,"
        " or name a directory with the model's safetensors."
    ]


def _check_sizes(config: Mapping[str, Any], settings: EngineSettings) -> list[str]:
    problems = []
    wanted = settings.arguments.get("max_model_len")
    known = next((config[k] for k in _CONTEXT_KEYS if isinstance(config.get(k), int)), None)
    free = (
        any(_stretches(config.get(k)) for k in ("rope_scaling", "rope_parameters"))
        or "hf_overrides" in settings.arguments
        or os.environ.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "0").lower() in {"1", "true"}
    )
    if isinstance(wanted, int) and known is not None and wanted > known and not free:
        problems.append(
            f"{settings.origin_of('max_model_len')}={wanted} is more than the model's "
            f"{known} positions (config.json). Set it to {known} or less."
        )
    heads = next((config[k] for k in _HEAD_KEYS if isinstance(config.get(k), int)), None)
    parts = settings.arguments.get("tensor_parallel_size", 1)
    if isinstance(parts, int) and heads is not None and (parts < 1 or heads % parts):
        fitting = [str(n) for n in range(1, min(heads, 64) + 1) if heads % n == 0]
        problems.append(
            f"{settings.origin_of('tensor_parallel_size')}={parts} does not divide the model's "
            f"{heads} attention heads. Possible: {', '.join(fitting)}."
        )
    return problems


def _stretches(rope: object) -> bool:
    """Return a problem if a model's rotary embedding is used beyond its original positions."""
    return isinstance(rope, dict) and rope.get("rope_type", rope.get("type")) not in (
        None,
        "default",
    )


def _check_arguments(settings: EngineSettings) -> list[str]:
    problems = []
    known = vllm_fields(*ENGINE_ARGUMENTS)
    for name in settings.arguments:
        where = settings.origin_of(name)
        if name in _OURS:
            problems.append(f"{where}: set {_OURS[name]} in the model's entry instead.")
        elif name in _OF_SERVERS and settings.arguments[name] not in (False, None, "vllm"):
            problems.append(
                f"{where}: this has no effect on an engine of our own; {_OF_SERVERS[name]}."
            )
        elif known and name not in known:
            problems.append(
                f"{where}: vLLM has no engine argument {name!r}. "
                + choose_from(name, _public(known) - set(_OURS), limit=8)
            )
    share = settings.arguments.get("gpu_memory_utilization")
    if share is not None and not (isinstance(share, int | float) and 0 < share <= 1):
        problems.append(
            f"{settings.origin_of('gpu_memory_utilization')}={share!r} must be a share of the "
            "memory, more than 0 and at most 1."
        )
    name = "distributed_executor_backend"
    if settings.arguments.get(name) == "ray" and importlib.util.find_spec("ray") is None:
        problems.append(
            f"{settings.origin_of(name)}=ray: Ray is not installed. pip install 'ray[default]' on "
            "every node, and start it with `ray start`."
        )
    for name in ("max_model_len", "tensor_parallel_size", "pipeline_parallel_size"):
        value = settings.arguments.get(name)
        if value is None or (name == "max_model_len" and value in (-1, "auto")):
            continue  # vLLM decides
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            problems.append(
                f"{settings.origin_of(name)}={value!r} must be a whole number from 1 on."
            )
    return problems


def _check_extra(model: Model, *, on_cpu: bool) -> list[str]:
    """Return the names in the entry's ``extra`` that are no sampling parameters of vLLM."""
    problems = []
    known = vllm_fields(*SAMPLING_PARAMETERS)
    for name in model.extra:
        where = f"extra of {model.name}: {name}"
        if name in _SAMPLING_KEYS:
            problems.append(f"{where}: set it under sampling instead.")
        elif name in _SET_BY_US or name.startswith("_"):
            problems.append(f"{where} is set by the harness.")
        elif known and name not in known and name != "chat_template_kwargs":
            problems.append(
                f"{where} is no sampling parameter of vLLM. "
                + choose_from(name, _public(known) - _SAMPLING_KEYS - _SET_BY_US, limit=8)
            )
    if not on_cpu:
        problems += [
            f"extra of {model.name}: {name} lists {len(model.extra[name])} tokens; vLLM takes up "
            f"to {_MOST_TOKENS}."
            for name in _TOKEN_LISTS
            if isinstance(model.extra.get(name), Sized) and len(model.extra[name]) > _MOST_TOKENS
        ]
    return problems


def _public(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


@cache
def vllm_fields(file: str, classes: tuple[str, ...]) -> frozenset[str]:
    """Return the annotated fields of classes in vLLM's source; empty if it is not installed.

    Args:
        file: path inside the ``vllm`` package.
        classes: names of its classes, whose fields are joined.
    """
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        return frozenset()
    source = Path(spec.origin).parent / file
    if not source.is_file():
        return frozenset()
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return frozenset(
        line.target.id
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in classes
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    )
