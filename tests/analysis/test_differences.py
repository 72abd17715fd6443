"""What differs between runs: what a sweep varied is counted, the rest is listed."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.cli import run_command
from game_reasoning_arena.recording import load_runs
from tests.analysis.make_runs import Player, make_run

AXES = {"model": ["vllm_a", "vllm_b"], "sampling.temperature": ["0.0", "0.7"], "seed": ["1", "2"]}


def _sweep(path: Path, **odd: Any) -> Comparison:
    """Eight runs of a sweep; the last has something of its own."""
    for number, (model, temperature, seed) in enumerate(product(*AXES.values())):
        make_run(
            path / str(number),
            {"player_0": Player(model, temperature=float(temperature)), "player_1": Player()},
            episodes=2,
            seed=int(seed),
            config={
                "model": {"name": model, "description": f"The model {model}."},
                "sampling": {"temperature": float(temperature)},
                **(odd if number == 7 else {}),
            },
        )
    (path / "sweep.json").write_text(json.dumps({"format_version": 1, "axes": AXES}))
    return Comparison(load_runs(path, notice=lambda _: None))


def _shown(comparison: Comparison) -> Table:
    return next(table for table in comparison.tables if table.key == "differences")


def test_what_was_swept_is_counted_not_listed(tmp_path: Path) -> None:
    comparison = _sweep(tmp_path)
    table = _shown(comparison)
    assert table.rows == []
    assert table.notes[0].startswith(
        "Swept, so not listed: model (2 values), sampling.temperature (2 values), seed (2 values),"
    )
    told = comparison.as_dict()["tables"]["differences"]["rows"]
    assert {"config model.name", "config seed", "config sampling.temperature"} <= {
        row["what"] for row in told
    }


def test_what_no_sweep_was_to_change_is_listed(tmp_path: Path, capsys: Any) -> None:
    comparison = _sweep(tmp_path, on_failure={"policy": "random", "rethinks": 0})
    rows = {str(row["what"]): row["confounds"] for row in _shown(comparison).rows}
    assert rows == {"config on_failure.policy": "yes", "config on_failure.rethinks": "yes"}
    assert any(caveat.startswith("CONFOUNDED") for caveat in comparison.caveats)
    assert run_command(["compare", str(tmp_path), "--table", "differences"]) == 0
    printed = capsys.readouterr().out
    assert "    forfeit  7 runs\n    random  7\n" in printed


def test_runs_of_no_sweep_list_everything(tmp_path: Path) -> None:
    comparison = _sweep(tmp_path)
    (tmp_path / "sweep.json").unlink()
    apart = Comparison(load_runs(tmp_path, notice=lambda _: None))
    assert _shown(apart).rows == comparison.differences.rows != []
