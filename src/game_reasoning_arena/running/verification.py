"""The last verification of this installation, kept so that every run can report it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena import __version__
from game_reasoning_arena.process.files import make_directory, read_json, replace_file
from game_reasoning_arena.process.paths import cache_directory


def verification_file() -> Path:
    """Return the path of the result."""
    return cache_directory() / "verify.json"


def keep_verification(*, checks: int, failed: int, open_spiel: str) -> None:
    """Keep the result of a verification, if its directory can be written."""
    path = verification_file()
    make_directory(path.parent)
    content = {
        "version": __version__,
        "open_spiel": open_spiel,
        "verified_at": time.time(),
        "checks": checks,
        "failed": failed,
    }
    replace_file(path, orjson.dumps(content, option=orjson.OPT_INDENT_2), durable=False)


def last_verification() -> dict[str, Any] | None:
    """Return the last result; None if there was none on this machine."""
    return read_json(verification_file())
