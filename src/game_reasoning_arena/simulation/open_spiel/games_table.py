"""Play every game of OpenSpiel once and write the table of docs/games.md:

python -m game_reasoning_arena.simulation.open_spiel.games_table > docs/games.md
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pyspiel

from game_reasoning_arena.agents.base_agent import Agent, PlayerSpec
from game_reasoning_arena.agents.random_agent import RandomAgent
from game_reasoning_arena.errors import ArenaError
from game_reasoning_arena.records import EpisodeRecord
from game_reasoning_arena.simulation.open_spiel.loading import game_names
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

#: Parameters for games that do not load without any.
WITH_PARAMETERS: Mapping[str, str] = {
    "add_noise": "add_noise(game=kuhn_poker(),epsilon=0.1,seed=1)",
    "cached_tree": "cached_tree(game=kuhn_poker())",
    "coop_to_1p": "coop_to_1p(game=tiny_hanabi())",
    "misere": "misere(game=tic_tac_toe())",
    "normal_form_extensive_game": "normal_form_extensive_game(game=kuhn_poker())",
    "repeated_game": "repeated_game(stage_game=matrix_pd(),num_repetitions=10)",
    "repeated_poker": "repeated_poker(max_num_hands=3,reset_stacks=True,"
    "universal_poker_game_string=universal_poker())",
    "restricted_nash_response": "restricted_nash_response(game=kuhn_poker())",
    "start_at": "start_at(game=tic_tac_toe(),history=4;0)",
    "turn_based_simultaneous_game": "turn_based_simultaneous_game(game=goofspiel(num_cards=4))",
    "zerosum": "zerosum(game=matrix_rps())",
}

#: More decisions than any random game here takes.
_MOST_MOVES = 20_000


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of playing a game with random players."""

    name: str
    game: str
    simulation: OpenSpielSimulation | None
    record: EpisodeRecord | None
    problem: str | None

    @property
    def plays(self) -> bool:
        """Whether it was played to its end."""
        return self.record is not None and not self.record.move_limit


def try_game(name: str) -> Tried:
    """Play one episode with random players; ``problem`` holds what went wrong."""
    game = WITH_PARAMETERS.get(name, name)
    try:
        simulation = OpenSpielSimulation(game, max_moves=_MOST_MOVES)
        record = asyncio.run(_play(simulation))
    except (ArenaError, pyspiel.SpielError) as error:
        return Tried(name, game, None, None, _short(str(error)))
    return Tried(name, game, simulation, record, None)


async def _play(simulation: OpenSpielSimulation) -> EpisodeRecord:
    players = [f"player_{seat}" for seat in range(simulation.players)]
    agents: dict[str, Agent] = {
        name: RandomAgent(PlayerSpec(name=name, type="random"), seed=0) for name in players
    }
    (plan,) = simulation.plan(episodes=1, seed=0, rotate=False, players=players)
    return await simulation.play(plan, agents, "table")


def _short(text: str) -> str:
    reason = text.split("is refused by OpenSpiel: ")[-1].split("is a mean-field")[0]
    if "since its moves have no numbers" in text:
        reason = "its moves have no numbers (action structs only)"
    if "mean-field" in text:
        reason = "a mean-field game: populations in place of players"
    return " ".join(reason.split())[:160].rstrip(".")


def _cells(tried: Tried) -> list[str]:
    if tried.simulation is None or tried.record is None:
        return [f"`{tried.name}`", "", "", "", f"no: {tried.problem}"]
    simulation = tried.simulation
    kind: Any = simulation.game.get_type()
    moves = "at once" if kind.dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS else "in turn"
    if kind.chance_mode != pyspiel.GameType.ChanceMode.DETERMINISTIC:
        moves += ", chance"
    seen = (simulation.texts.kind or "nothing").replace("_", " ")
    played = f"yes, {tried.record.turns} turns"
    if tried.record.move_limit:
        played = f"no end within {tried.record.turns} turns"
    shown = f"`{tried.game}`"
    return [shown, str(simulation.players), moves, seen, played]


def table() -> str:
    """Return the page in Markdown; takes a minute or two."""
    tried = [try_game(name) for name in game_names()]
    plays = sum(one.plays for one in tried)
    lines = [
        "# Games",
        "",
        f"What OpenSpiel {version('open_spiel')} offers, and what came of playing one episode of "
        f"each with random players to its end: {plays} of {len(tried)} play.",
        "",
        "`simulation=openspiel simulation.game=NAME` plays any of them. Where a game has "
        "parameters, such as the number of players, they go in brackets: "
        '`simulation.game="leduc_poker(players=3)"`. "Sees" is what a seat is shown with '
        "`simulation.state=auto`; a game that shows nothing cannot be played by a language model "
        "or a person.",
        "",
        "| game | players | moves | sees | plays |",
        "|---|---|---|---|---|",
        *("| " + " | ".join(_cells(one)) + " |" for one in tried),
        "",
        "This page is generated: "
        "`python -m game_reasoning_arena.simulation.open_spiel.games_table > docs/games.md`.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
