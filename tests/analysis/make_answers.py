"""Run directories of scored prompts, made from the record types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.records import FORMAT_VERSION, EpisodeRecord, Status

#: Scores of one player: one list per prompt, with an entry per repeat.
Scores = Sequence[Sequence[float | None]]


def make_answers(
    path: Path,
    players: Mapping[str, Scores],
    *,
    models: Mapping[str, str] | None = None,
    answers: Mapping[str, Sequence[Sequence[str | None]]] | None = None,
    labels: Mapping[str, Scores] | None = None,
    groups: Sequence[str] = (),
    simulation: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a run in which each player answered each prompt as often as it has scores."""
    path.mkdir(parents=True)
    names = tuple(players)
    told = {name: (models or {}).get(name, f"scripted_{name}") for name in names}
    prompts = len(players[names[0]])
    episode = 0
    with (path / "episodes.jsonl").open("wb") as lines:
        for prompt in range(prompts):
            for repeat in range(len(players[names[0]][prompt])):
                scores = tuple(players[name][prompt][repeat] for name in names)
                said = tuple(
                    answers[name][prompt][repeat] if answers else f"{score}"
                    for name, score in zip(names, scores, strict=True)
                )
                record = EpisodeRecord(
                    run_id=path.name,
                    episode=episode,
                    seed=seed * 1_000_000 + prompt,
                    game="prompts",
                    seats=names,
                    status=Status.COMPLETED,
                    winner=None,
                    returns=None,
                    forfeit=None,
                    move_limit=False,
                    turns=1,
                    moves=(),
                    duration_s=0.1,
                    prompt=prompt,
                    group=groups[prompt % len(groups)] if groups else None,
                    expected="right",
                    scores=scores,
                    answers=said,
                    labels=tuple(labels[name][prompt][repeat] for name in names)
                    if labels
                    else None,
                )
                lines.write(encode(record) + b"\n")
                episode += 1
    (path / "responses.jsonl").touch()
    agents = {name: {"type": "llm", "model": model} for name, model in told.items()}
    node = {"type": "prompts", "file": "mine.jsonl", "scorer": {"type": "exact"}}
    config = {"seed": seed, "agents": agents, "simulation": {**node, **(simulation or {})}}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    run = {
        "run_id": path.name,
        "format_version": FORMAT_VERSION,
        "status": "completed",
        "seed": seed,
        "episodes": {"planned": episode, "completed": episode},
        "totals": {},
        "players": agents,
    }
    (path / "run.json").write_bytes(orjson.dumps(run))
    return path
