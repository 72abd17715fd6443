"""A run's ``config.yaml`` given with ``--config``: whether files that it names are as they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from game_reasoning_arena.configuration.command_line import read_plain_file
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.preflight.experiment import Experiment, changed_files
from game_reasoning_arena.recording.run_record import run_or_none


def changed_since(config_file: Path, experiment: Experiment) -> list[str]:
    """What is told of files that hold something else than when the run beside was begun.

    Only of those that the words leave as they are in ``config_file``.
    """
    record = run_or_none(config_file.parent)
    then = record.contents if record is not None else {}
    if not then:
        return []
    before = dict(_named_files(read_plain_file(config_file)))
    now = dict(_named_files(experiment.config))
    same = {key: then[key] for key in then if before.get(key) == now.get(key)}
    return [
        f"{changed} has another content than when {config_file.parent} was begun, so other "
        "questions are asked"
        for changed in changed_files(same, experiment.contents, experiment.config)
    ]


def files_elsewhere(config_file: Path) -> list[str]:
    """Where the files are that a run's configuration names and that are not here."""
    record = run_or_none(config_file.parent)
    begun = record.cwd if record is not None else None
    if begun is None or Path(begun) == Path.cwd():
        return []
    try:
        named = [str(file[0]) for _, file in _named_files(read_plain_file(config_file))]
    except UserError:
        return []  # told where it is read
    lost = [name for name in named if not Path(name).expanduser().exists()]
    there = [name for name in dict.fromkeys(lost) if (Path(begun) / name).is_file()]
    if not there:
        return []
    return [
        f"{config_file} names files relative to {begun}, where its run was begun: "
        f"{', '.join(there)}. Call this there, or give their paths."
    ]


#: What of a configuration decides which questions a prompts file makes.
_ASKED_OF_A_FILE = (
    "file", "limit", "columns", "header", "template", "scorer", "shots", "shots_file",
)  # fmt: skip


def _named_files(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The files that a configuration names, called as in ``contents``, and how much is read."""
    agents, simulation = config.get("agents"), config.get("simulation")
    for player, node in agents.items() if isinstance(agents, Mapping) else ():
        for key in ("template", "table", "_target_"):
            if isinstance(node, Mapping) and node.get(key):
                yield f"{player}.{key}", (node[key],)
    if isinstance(simulation, Mapping) and simulation.get("file"):
        yield "prompts", tuple(simulation.get(key) for key in _ASKED_OF_A_FILE)
