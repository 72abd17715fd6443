"""What others wrote into a run directory is text in every table, not a formula, tag or link."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.arena import Arena

KEPT = Path(__file__).resolve().parents[1] / "kept_runs" / "2026-11"
FORMULAS = ("=cmd|x!A0", "+1+cmd", "-2+cmd", "@SUM(A1)")


def cells(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [cell for row in csv.reader(file) for cell in row]


def run_of_a_model(directory: Path, name: str) -> None:
    """Make a run of a model with another name."""
    shutil.copytree(KEPT / "played", directory)
    for path in (directory / "run.json", directory / "config.yaml", directory / "responses.jsonl"):
        content = path.read_text()
        assert "/small" in content
        path.write_text(content.replace("/small", f"/{name}"))


def calculated(path: Path) -> list[str]:
    """The cells that a spreadsheet would calculate; numbers may begin with a sign."""
    found = []
    for cell in cells(path):
        if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
            try:
                float(cell)
            except ValueError:
                found.append(cell)
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_names_of_others_are_no_formulas(arena: Arena, tmp_path: Path, formula: str) -> None:
    run_of_a_model(tmp_path / "run", formula)
    assert arena("compare", "run", "--csv", "all.csv").code == 0
    assert f"'{formula}" in cells(Path("all.csv"))
    assert calculated(Path("all.csv")) == []


def test_swept_values_are_no_formulas(arena: Arena) -> None:
    rules = ",".join(f'"{formula}"' for formula in FORMULAS)
    ran = arena(
        "-m", "simulation=kuhn_poker", f"simulation.rules={rules}", "episodes=1",
        "agents.player_0.type=random", "hydra.sweep.dir=sweep",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert calculated(Path("sweep/sweep.csv")) == []
    assert {f"'{formula}" for formula in FORMULAS} <= {*cells(Path("sweep/sweep.csv"))}


@pytest.mark.parametrize(
    "name", ["[x](javascript:alert`1`)", "<img src=x onerror=alert(2)>", "<script>alert(3)"]
)
def test_names_of_others_are_neither_tags_nor_links(
    arena: Arena, tmp_path: Path, name: str
) -> None:
    run_of_a_model(tmp_path / "run", name)
    assert arena("compare", "run", "--markdown", "all.md", "--latex", "all.tex").code == 0
    text = Path("all.md").read_text()
    assert "alert" in text
    assert "[x](" not in text.replace("\\[", "")
    assert "<" not in text
    assert arena("report", "run").code == 0
    page = Path("run/report.html").read_text()
    assert "alert" in page
    assert name not in page or name.startswith("[")
