"""Which differences between the versions that played two runs matter."""

from __future__ import annotations

from game_reasoning_arena.recording.run_record import Provenance

#: Packages whose version can change what is asked or how it is judged.
MATTERS = ("game-reasoning-arena", "open-spiel", "litellm", "vllm", "torch", "transformers")

#: What an engine chose that its answers can depend on; the rest is room and speed.
CHOICES_THAT_MATTER = (
    *("device", "attention", "sampler", "runner", "graphs", "compilation"),
    *("dtype", "kv_cache_dtype"),
)


def changed_versions(before: Provenance, now: Provenance) -> list[str]:
    """Return what matters and differs between two provenances, as ``NAME OLD -> NEW``.

    Packages, and what the engine of a model chose. What one of the two does not know is left out.
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
