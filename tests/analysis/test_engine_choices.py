"""Runs whose engines chose differently are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.recording.run_record import Provenance
from game_reasoning_arena.recording.versions import changed_versions
from tests.analysis.make_runs import Player, make_run

CHOSEN = {"device": "A GPU", "attention": "FLASH_ATTN 3", "kv_blocks": 1000, "driver": None}


def played(path: Path, **chosen: Any) -> None:
    """A run of the same model whose ``run.json`` tells what its engine chose."""
    make_run(path, {"player_0": Player(model="vllm_a"), "player_1": Player()}, episodes=4)
    file = path / "run.json"
    run = orjson.loads(file.read_bytes())
    run["engines"] = {"vllm_a": {**CHOSEN, **chosen}}
    file.write_bytes(orjson.dumps(run))


def compared(path: Path) -> Comparison:
    return Comparison(load_runs(path))


def test_what_engines_chose_is_a_difference(tmp_path: Path) -> None:
    played(tmp_path / "a")
    played(tmp_path / "b", attention="TRITON_ATTN", kv_blocks=900, driver="600.1")
    found = {
        str(row["what"]): (row["confounds"], row["run0"], row["run1"])
        for row in compared(tmp_path).differences.rows
        if str(row["what"]).startswith("engine")
    }
    assert found == {
        "engine of vllm_a: attention": ("yes", "FLASH_ATTN 3", "TRITON_ATTN"),
        "engine of vllm_a: kv_blocks": ("", "1000", "900"),
    }


def test_equal_engines_are_no_difference(tmp_path: Path) -> None:
    played(tmp_path / "a")
    played(tmp_path / "b")
    make_run(tmp_path / "c", {"player_0": Player(model="vllm_a"), "player_1": Player()}, episodes=4)
    told = [str(row["what"]) for row in compared(tmp_path).differences.rows]
    assert not any(what.startswith("engine") for what in told)


def test_sittings_on_other_engines_are_told() -> None:
    before = Provenance(packages={"vllm": "1"}, engines={"vllm_a": CHOSEN, "vllm_b": CHOSEN})
    now = Provenance(packages={"vllm": "1"}, engines={"vllm_a": {**CHOSEN, "device": "Another"}})
    assert changed_versions(before, now) == ["vllm_a device A GPU -> Another"]
    assert changed_versions(before, Provenance(packages={"vllm": "1"})) == []
