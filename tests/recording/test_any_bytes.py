"""Any bytes in a run directory: valid lines are read, the rest is reported, nothing crashes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game_reasoning_arena.cli import run_command
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.running.past import load_past


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a real run."""
    directory = tmp_path_factory.mktemp("recorded") / "run"
    assert run_command(["episodes=4", f"hydra.run.dir={directory}"]) == 0
    names = ("run.json", "responses.jsonl", "episodes.jsonl")
    return {name: (directory / name).read_bytes() for name in names}


def directory_of(files: dict[str, bytes]) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="any-bytes-"))
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_anywhere_gives_every_whole_line(
    recorded: dict[str, bytes], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["responses.jsonl", "episodes.jsonl"]))
    cut = data.draw(st.integers(0, len(recorded[name])))
    directory = directory_of({**recorded, name: recorded[name][:cut]})
    whole = recorded[name][:cut].count(b"\n")
    told: list[str] = []
    read = list(read_lines(directory / name, notice=told.append))
    assert len(read) in (whole, whole + 1)  # the cut may fall just before a line's end
    assert bool(told) == (
        not recorded[name][:cut].endswith(b"\n") and len(read) == whole and cut > 0
    )
    past = load_past(directory)
    lines = recorded[name].splitlines(keepends=True)[: len(read)]
    assert (directory / name).read_bytes() == b"".join(lines)
    assert len(past.episodes) <= 4


@settings(max_examples=80, deadline=None)
@given(
    junk=st.binary(max_size=200)
    | st.lists(st.dictionaries(st.text(max_size=5), st.integers()), max_size=4).map(
        lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
    )
)
def test_arbitrary_bytes_are_read_or_refused_in_words(
    recorded: dict[str, bytes], junk: bytes
) -> None:
    directory = directory_of({**recorded, "responses.jsonl": junk})
    assert all(
        isinstance(line, dict)
        for line in read_lines(directory / "responses.jsonl", notice=lambda _: None)
    )
    told = ""
    try:
        load_past(directory)
    except UserError as error:
        told = str(error)
    assert told == "" or "responses.jsonl, line" in told
