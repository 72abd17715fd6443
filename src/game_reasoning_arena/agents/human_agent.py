"""A person at this terminal: sees the state and numbered moves, types a number or a name.

A typing error costs nothing; after a choice, ``u`` takes it back before it is played. ``q`` or the
end of the input stops the run and keeps what is finished. Other episodes continue meanwhile; a
lock keeps two games from asking at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from game_reasoning_arena.agents.base_agent import (
    Actor,
    Agent,
    Decision,
    PlayerSpec,
    Turn,
    played,
)
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.dressing import which_action
from game_reasoning_arena.agents.terminal import Terminal, this_terminal
from game_reasoning_arena.errors import Interrupted, ReplayMiss
from game_reasoning_arena.records import EpisodePlan, EpisodeRecord

#: The option that holds a person's recorded moves; they are played without asking.
RECORDED = "recorded_moves"


class HumanAgent(Agent):
    """A person.

    Args:
        spec: the player as configured.
        rules: shown at the start of each episode, if any.
        terminal: the person's terminal; by default that of this process.
    """

    def __init__(
        self, spec: PlayerSpec, *, rules: str | None, terminal: Terminal | None = None
    ) -> None:
        super().__init__(spec)
        self.rules = rules
        self.terminal = terminal if terminal is not None else this_terminal()
        self.terminal.left = None  # a person who left before left another run

    def sit(self, plan: EpisodePlan, seat: int) -> Actor:
        """Take a seat in an episode."""
        recorded: Mapping[tuple[int, int], Sequence[int]] | None = self.spec.options.get(RECORDED)
        if recorded is not None:
            return _RecordedActor(self.name, plan, recorded.get((plan.episode, seat), ()))
        return HumanActor(self, plan, seat)


class _RecordedActor(Actor):
    """Plays the moves that a person once made in this episode at this seat."""

    def __init__(self, name: str, plan: EpisodePlan, actions: Sequence[int]) -> None:
        self._name = name
        self._plan = plan
        self._actions = iter(actions)

    async def act(self, turn: Turn) -> Decision:
        """Return the next recorded move.

        Raises:
            ReplayMiss: there is none, or the game does not allow it now.
        """
        action = next(self._actions, None)
        if action is None or action not in turn.legal_actions:
            raise ReplayMiss(
                f"the recording holds no move of {self._name} for episode {self._plan.episode}, "
                f"seat {turn.seat}, turn {turn.turn}"
                + ("" if action is None else f" (move {action} is not legal there)")
            )
        return played(action)


class HumanActor(Actor):
    """A person in one episode."""

    watches = True

    def __init__(self, agent: HumanAgent, plan: EpisodePlan, seat: int) -> None:
        self._agent = agent
        self._plan = plan
        self._seat = seat
        self._greeted = False

    async def act(self, turn: Turn) -> Decision:
        """Ask until a move is chosen and not taken back.

        Raises:
            Interrupted: the person quits, or the terminal is closed.
        """
        names = Names.of(turn)
        async with self._agent.terminal.lock:
            if self._agent.terminal.left is not None:
                raise Interrupted(self._agent.terminal.left)
            self._show(turn, names)
            while True:
                action = await self._choice(names)
                if action is not None and await self._confirmed(names.label(action)):
                    return played(action)

    def ended(self, turn: Turn, record: EpisodeRecord) -> None:
        """Show the result."""
        console = self._console
        console.rule(f"Episode {record.episode} has ended")
        console.print(escape(turn.state_text().strip("\n")), style="bold")
        console.print(escape(_result(record, self._seat)))

    def _show(self, turn: Turn, names: Names) -> None:
        console = self._console
        console.rule(f"Episode {self._plan.episode}: you are player {self._seat}")
        if not self._greeted and self._agent.rules:
            console.print(escape(self._agent.rules.strip()), style="dim")
        self._greeted = True
        if history := turn.history():
            console.print(escape("Moves so far: " + ", ".join(history)))
        console.print(escape(turn.state_text().strip("\n")), style="bold")
        wide = len(str(len(names.labels)))
        for number, label in enumerate(names.labels, start=1):
            console.print(escape(f"{number:>{wide}}  {label}"))

    async def _choice(self, names: Names) -> int | None:
        typed = (await self._read("Your move (number or name, q quits): ")).strip()
        if typed.lower() in ("q", "quit") and not which_action(typed, names)[0]:
            raise self._leave(f"{self._agent.name} has quit")
        if not typed:
            return None
        actions, _ = which_action(typed, names)
        if not actions and typed.isdecimal() and 1 <= int(typed) <= len(names.actions):
            return names.actions[int(typed) - 1]
        if len(actions) == 1:
            return next(iter(actions))
        problem = "fits several moves" if actions else "is no legal move"
        self._console.print(escape(f"{typed!r} {problem}."))
        return None

    async def _confirmed(self, label: str) -> bool:
        """Return whether the move is to be played; ask until the answer is a valid one."""
        while True:
            typed = (await self._read(f"{label}: Enter plays it, u undoes: ")).strip()
            answer = typed.lower()
            if answer in ("", "y", "yes"):
                return True
            if answer in ("u", "undo", "n", "no"):
                return False
            if answer in ("q", "quit"):
                raise self._leave(f"{self._agent.name} has quit")
            self._console.print(
                escape(f"{typed!r} is no answer here: Enter or y plays {label}, u takes it back.")
            )

    async def _read(self, prompt: str) -> str:
        try:
            return await self._agent.terminal.read_line(prompt)
        except EOFError:
            raise self._leave(f"{self._agent.name}: the terminal is closed") from None

    def _leave(self, why: str) -> Interrupted:
        self._agent.terminal.left = why
        return Interrupted(why)

    @property
    def _console(self) -> Console:
        return self._agent.terminal.console


def _result(record: EpisodeRecord, seat: int) -> str:
    if record.forfeit is not None:
        failed = [
            f"{'You' if one.seat == seat else one.player} forfeited ({one.cause})."
            for one in (record.forfeit, *record.forfeit.also)
        ]
        return " ".join(failed)
    if record.returns is None:
        return f"It was not played to the end: {record.error or record.status}."
    limit = "The move limit is reached. " if record.move_limit else ""
    returns = (
        f"Returns: {', '.join(f'{value:g}' for value in record.returns)}; yours is number {seat}"
    )
    if record.winner is None:
        return f"{limit}Nobody won. {returns}."
    winner = "You won" if record.winner == record.seats[seat] else f"{record.winner} won"
    return f"{limit}{winner}. {returns}."
