"""Relevant differences between the versions with which two runs were played."""

from __future__ import annotations

from game_reasoning_arena.recording.run_record import Provenance

#: Packages whose version can change the questions or their judgement.
MATTERS = ("game-reasoning-arena", "open-spiel", "litellm", "vllm", "torch", "transformers")

#: Choices of an engine that can change its answers; the others concern memory and speed.
CHOICES_THAT_MATTER = (
    *("device", "attention", "sampler", "runner", "graphs", "compilation"),
    *("dtype", "kv_cache_dtype"),
)


def changed_versions(before: Provenance, now: Provenance) -> list[str]:
    """Return the relevant differences between two provenances, as ``NAME OLD -> NEW``.

    Compared are packages and the choices of a model's engine. Values that either lacks are left
    out.
    """
    old, new = before.packages, now.packages
    changed = [
        f"{name} {old[name]} -> {new[name]}"
        for name in sorted(old.keys() & new.keys())
        if name.replace("_", "-") in MATTERS and old[name] != new[name]
    ]
    engines, others = before.engines, now.engines
    for model in sorted(engines.keys() & others.keys()):
        for name in CHOICES_THAT_MATTER:
            was, is_ = engines[model].get(name), others[model].get(name)
            if None not in (was, is_) and was != is_:
                changed.append(f"{model} {name} {was} -> {is_}")
    return changed
