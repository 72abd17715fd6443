"""A recorded run to assess: its game, its players, the episodes that ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.secrets import key_variables_in, remember_key_variables
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.lines import read_line_at
from game_reasoning_arena.recording.reader import RunReader
from game_reasoning_arena.records import FINAL
from game_reasoning_arena.simulation.base import Simulation

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRun:
    """The parts of a run directory that an assessment needs.

    ``offsets`` holds the place of each ended episode's line in episodes.jsonl, by number, and
    ``decisions`` how many decisions, a forfeit's included, were made in it; ``home`` is the folder
    from which relative paths of its configuration start; ``seating`` holds the seats at which each
    player sat.
    """

    directory: Path
    run_id: str
    simulation_conf: Mapping[str, Any]
    agents: Mapping[str, Mapping[str, Any]]
    contents: Mapping[str, str]
    home: Path
    offsets: Mapping[int, int]
    decisions: Mapping[int, int]
    seating: Mapping[str, Sequence[int]]

    def episodes(self, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield the lines of these episodes."""
        path = self.directory / layout.EPISODES
        return read_line_at(path, [self.offsets[number] for number in numbers])


def game_of(reader: RunReader) -> OpenSpielSimulation:
    """Return the game of a run, loaded.

    Raises:
        UserError: it is a run of prompts, its configuration is missing, or its game cannot be
            loaded.
    """
    from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

    remember_key_variables(key_variables_in(reader.config))
    conf = reader.config.get("simulation")
    if not isinstance(conf, dict):
        raise UserError(
            f"{reader.path} cannot be assessed: its {layout.CONFIG} does not tell which game was "
            "played."
        )
    if conf.get("type", "openspiel") != "openspiel":
        raise UserError(f"{reader.path} is a run of prompts, which have no moves to be assessed.")
    try:
        return OpenSpielSimulation.from_conf(conf)
    except UserError as error:
        raise UserError(f"{reader.path} cannot be assessed: {error}") from error


def check_assessable(simulation: Simulation) -> None:
    """Raise if runs of a simulation cannot be assessed by the evaluator chosen for it.

    Raises:
        UserError: no evaluator fits, or its program is missing.
    """
    from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings

    if simulation.open_ended:
        raise UserError("assess=true: prompts have no moves to be assessed. Use assess=false.")
    from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import choose
    from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

    assert isinstance(simulation, OpenSpielSimulation)
    try:
        choose(simulation, EvaluatorSettings())
    except UserError as error:
        raise UserError(f"assess=true: {error}") from error


def read_run(reader: RunReader, simulation: OpenSpielSimulation) -> RecordedRun:
    """Return a run after replaying the moves of every ended episode.

    Raises:
        UserError: it holds no ended episode, or its moves are not those of the game.
    """
    from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import check_replay

    offsets: dict[int, int] = {}
    decisions: dict[int, int] = {}
    seated: set[tuple[str, int]] = set()
    for offset, line in reader.episodes_at():
        number = int(line["episode"])
        offsets.pop(number, None)  # a later line replaces an earlier one
        if line.get("status") in FINAL:
            if problem := check_replay(simulation, line):
                raise UserError(f"{reader.path} cannot be assessed: {problem}.")
            offsets[number] = offset
            moved = sum(move["seat"] >= 0 for move in line["moves"])
            decisions[number] = moved + (line.get("forfeit") is not None)
            seated.update((name, seat) for seat, name in enumerate(line["seats"]))
    if not offsets:
        raise UserError(
            f"{reader.path} holds no episode that came to its end, so none is assessed."
        )
    record = reader.run
    agents = reader.config.get("agents")
    return RecordedRun(
        directory=reader.path,
        run_id=reader.run_id,
        simulation_conf=reader.config["simulation"],
        agents=agents if isinstance(agents, dict) else {},
        contents=record.contents,
        home=Path(record.cwd or "."),
        offsets=dict(sorted(offsets.items())),
        decisions=decisions,
        seating={name: sorted(s for n, s in seated if n == name) for name, _ in seated},
    )
