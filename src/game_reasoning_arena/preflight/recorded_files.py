"""Check that the files named by a run's ``config.yaml``, given with ``--config``, are unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from game_reasoning_arena.configuration.command_line import read_plain_file
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.preflight.experiment import Experiment, changed_files
from game_reasoning_arena.recording.run_record import run_or_none


def changed_since(config_file: Path, experiment: Experiment) -> list[str]:
    """Return a sentence for each file that has changed since the run beside it was begun.

    Only files whose settings the words leave as they are in ``config_file``.
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
    """Return the paths named by a run's configuration that do not exist here."""
    record = run_or_none(config_file.parent)
    begun = record.cwd if record is not None else None
    if begun is None or Path(begun) == Path.cwd():
        return []
    try:
        named = [str(file[0]) for _, file in _named_files(read_plain_file(config_file))]
    except UserError:
        return []  # reported where it is read
    lost = [name for name in named if not Path(name).expanduser().exists()]
    there = [name for name in dict.fromkeys(lost) if (Path(begun) / name).is_file()]
    if not there:
        return []
    return [
        f"{config_file} names files relative to {begun}, where its run was begun: "
        f"{', '.join(there)}. Call this there, or give their paths."
    ]


#: The settings that decide which questions a prompts file makes.
_ASKED_OF_A_FILE = (
    "file", "limit", "columns", "header", "template", "scorer", "shots", "shots_file",
)  # fmt: skip


def _named_files(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield the files that a configuration names, by key as in ``contents``, and the settings in
    use.
    """
    agents, simulation = config.get("agents"), config.get("simulation")
    for player, node in agents.items() if isinstance(agents, Mapping) else ():
        for key in ("template", "table", "_target_"):
            if isinstance(node, Mapping) and node.get(key):
                yield f"{player}.{key}", (node[key],)
    if isinstance(simulation, Mapping) and simulation.get("file"):
        yield "prompts", tuple(simulation.get(key) for key in _ASKED_OF_A_FILE)
