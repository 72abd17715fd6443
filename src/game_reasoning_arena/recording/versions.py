"""The parts of a run's provenance that readers compare: versions, git state, platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What of it is kept of a run's earlier sittings, where it was another then.
PROVENANCE = ("git", "packages", "python", "platform")


#: Packages whose version can change what is asked or how it is judged.
MATTERS = ("game-reasoning-arena", "open-spiel", "litellm", "vllm", "torch", "transformers")


def changed_versions(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The packages that matter and differ between two provenances, as ``NAME OLD -> NEW``."""
    old, new = before.get("packages") or {}, now.get("packages") or {}
    return [
        f"{name} {old[name]} -> {new[name]}"
        for name in sorted(old.keys() & new.keys())
        if name.replace("_", "-") in MATTERS and old[name] != new[name]
    ]
