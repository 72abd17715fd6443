"""The last verification of this installation, kept so that every run can say that there was one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena import __version__
from game_reasoning_arena.process.paths import cache_directory


def verification_file() -> Path:
    """Where the result is kept."""
    return cache_directory() / "verify.json"


def keep_verification(*, checks: int, failed: int, open_spiel: str) -> None:
    """Remember how a verification went; a directory that cannot be written is no failure of it."""
    path = verification_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "version": __version__,
        "open_spiel": open_spiel,
        "verified_at": time.time(),
        "checks": checks,
        "failed": failed,
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def last_verification() -> dict[str, Any] | None:
    """How the last one went, None if there was none on this machine."""
    try:
        content: dict[str, Any] = orjson.loads(verification_file().read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return content
