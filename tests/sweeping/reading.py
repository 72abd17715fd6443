"""Reading a sweep's directory in tests."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any


def sweep_json(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "sweep.json").read_text())
    return content


def jobs(directory: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sweep_json(directory)["jobs"]
    return found


def statuses(directory: Path) -> list[str]:
    return [job["status"] for job in jobs(directory)]


def table(directory: Path) -> list[dict[str, str]]:
    with (directory / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def every_text(directory: Path) -> str:
    """All that a directory holds, hidden files included."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    return "\n".join(path.read_bytes().decode("utf-8", "replace") for path in files)
