"""Checks of a model's files, from names, sizes and headers alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm.settings import EngineSettings
from game_reasoning_arena.errors import choose_from
from game_reasoning_arena.records import Model

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model*",
    "vocab.json",
    "tekken.json",
    "*.tiktoken",
    "tiktoken.model",
)

#: Values of ``load_format`` for weights that are elsewhere, have other names, or do not exist.
_OTHER_WEIGHTS = frozenset({"dummy", "tensorizer", "runai_streamer", "runai_streamer_sharded"})

#: Models whose conversations vLLM formats in code or by its own templates, which it detects by
#: ``architectures`` and ``model_type`` in config.json (prefixes of them; read in 0.32.0).
_FORMATTED = (
    *("DeepseekV32", "DeepseekV4", "MoonshotKimia", "KimiK3", "Inkling"),
    *("minicpmv", "deepseek_vl_v2", "deepseek_ocr", "unlimited", "paligemma", "blip-2"),
)

#: Bytes at the front of a safetensors file that hold the length of its header.
_LENGTH_BYTES = 8


def nearest(path: Path) -> str:
    """Return where the path stops existing, and what is there instead."""
    parent = path.parent
    while not parent.is_dir():
        parent = parent.parent
    if parent == Path(parent.anchor):
        return ""
    missing = path.relative_to(parent).parts[0]
    names = [p.name for p in parent.iterdir() if p.is_dir()]
    return f" In {parent}: " + choose_from(missing, names) if names else ""


def check_files(
    model: Model, path: Path, settings: EngineSettings
) -> tuple[dict[str, Any], list[str]]:
    """Return the model's config (empty if it is no JSON) and the problems with its files."""
    where = f"model_path of {model.name}"
    if not any((path / name).is_file() for name in ("config.json", "params.json")):
        return {}, [
            f"{where}: {path} is not a model: it holds no config.json. A model downloaded with "
            "`hf download NAME --local-dir DIRECTORY` has one."
        ]
    problems: list[str] = []
    if settings.arguments.get("load_format") not in _OTHER_WEIGHTS:
        problems += _check_weights(path, where)
    config, problem = _read_config(path, where)
    problems += problem
    tokenizer = Path(settings.tokenizer_path)
    key = f"tokenizer_path of {model.name}" if model.tokenizer_path else where
    if not any(next(tokenizer.glob(form), None) for form in _TOKENIZER_FILES):
        problems.append(
            f"{key}: there is no tokenizer in {tokenizer} (tokenizer.json, tokenizer.model, ...). "
            "Set tokenizer_path in the entry to a directory that holds it."
        )
    else:
        problems += _check_template(model, tokenizer, settings, config)
    return config, problems


def _check_weights(path: Path, where: str) -> list[str]:
    """Return problems if weight files are missing or incomplete, as after a broken download."""
    if not any(
        next(path.glob(form), None) for form in ("*.safetensors", "*.bin", "*.pt", "*.gguf")
    ):
        return [
            f"{where}: {path} holds no weights (*.safetensors, *.bin, *.pt): the download is not "
            "complete."
        ]
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            read = _object(index)
        except ValueError as error:
            return [f"{where}: {index} cannot be read: {error}."]
        named = set(read.get("weight_map", {}).values())
        missing = sorted(name for name in named if not (path / name).is_file())
        if missing:
            return [
                f"{where}: {len(missing)} of {len(named)} weight files are missing, the first is "
                f"{missing[0]}: the download is not complete."
            ]
    return [
        f"{where}: {file.name} is damaged or cut off. Download it again."
        for file in sorted(path.glob("*.safetensors"))
        if not _is_whole(file)
    ]


def _is_whole(file: Path) -> bool:
    """Return whether a safetensors file is as long as its header states (the format's
    specification).
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
        size = file.stat().st_size
        if not 0 < length <= size - _LENGTH_BYTES:
            return False
        try:
            header = json.loads(opened.read(length))
            ends = [int(v["data_offsets"][1]) for k, v in header.items() if k != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False
    return size == _LENGTH_BYTES + length + max(ends, default=0)


def _object(file: Path) -> dict[str, Any]:
    """Return a file's JSON object, in which Infinity may stand.

    Raises:
        ValueError: it cannot be read, or holds something else.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def _read_config(path: Path, where: str) -> tuple[dict[str, Any], list[str]]:
    file = path / "config.json"
    if not file.is_file():
        return {}, []
    try:
        read = _object(file)
    except ValueError as error:
        return {}, [f"{where}: {file} cannot be read: {error}."]
    inner = read.get("text_config")  # holds the language part of multimodal models
    return ({**read, **inner} if isinstance(inner, dict) else read), []


def _check_template(
    model: Model, tokenizer: Path, settings: EngineSettings, config: Mapping[str, Any]
) -> list[str]:
    """Return a problem if a named template is missing, or if there is no template at all."""
    key = f"chat_template of {model.name}"
    if model.chat_template is not None:
        inline = "{" in model.chat_template
        if inline or Path(model.chat_template).is_file():
            return []
        return [f"{key}: there is no file {model.chat_template}."]
    if settings.arguments.get("tokenizer_mode", "auto") not in {"auto", "hf", "slow"}:
        return []  # these modes format conversations in code
    kinds = [*(config.get("architectures") or []), config.get("model_type")]
    if any(str(kind).startswith(_FORMATTED) for kind in kinds):
        return []  # otherwise the start tries the template
    if any(
        next(tokenizer.glob(form), None)
        for form in ("chat_template*", "additional_chat_templates", "tekken.json")
    ):
        return []
    file = tokenizer / "tokenizer_config.json"
    try:
        has = file.is_file() and "chat_template" in _object(file)
    except ValueError as error:
        return [f"{file} cannot be read: {error}."]
    if has:
        return []
    return [
        f"{model.name} is a base model: its tokenizer has no chat template, and none is guessed. "
        "Set chat_template in the entry to a Jinja file that turns messages into a prompt."
    ]
