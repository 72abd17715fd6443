"""A person at this terminal: sees the state, numbered moves, and types a number or a name.

A typing error costs nothing; after a choice, ``u`` takes it back before it is played. ``q`` keeps
what is finished and stops the run. The terminal is read in a thread, so other episodes go on; one
lock keeps two games from asking at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
from game_reasoning_arena.agents.parsing import which_action
from game_reasoning_arena.errors import Interrupted
from game_reasoning_arena.records import EpisodePlan

#: Asks the person with a prompt; raises EOFError where the terminal ends.
ReadLine = Callable[[str], str]


class HumanAgent(Agent):
    """A person.

    Args:
        spec: the player as configured.
        rules: shown at the start of each episode, if any.
        read_line: reads one line; the terminal's ``input`` by default.
        console: where to write; standard error by default, so that output can be piped.
    """

    def __init__(
        self,
        spec: PlayerSpec,
        *,
        rules: str | None,
        read_line: ReadLine = input,
        console: Console | None = None,
    ) -> None:
        super().__init__(spec)
        self.rules = rules
        self.read_line = read_line
        self.console = console if console is not None else Console(stderr=True)
        self.terminal = asyncio.Lock()

    def sit(self, plan: EpisodePlan, seat: int) -> HumanActor:
        """Take a seat in an episode."""
        return HumanActor(self, plan, seat)


class HumanActor(Actor):
    """A person in one episode."""

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
        async with self._agent.terminal:
            self._show(turn, names)
            while True:
                action = await self._choice(names)
                if action is None:
                    continue
                answer = await self._read(f"{names.label(action)}: Enter plays it, u undoes: ")
                if answer.strip().lower() in ("", "y", "yes"):
                    return played(action)

    def _show(self, turn: Turn, names: Names) -> None:
        console = self._agent.console
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
            raise Interrupted(f"{self._agent.name} has quit.")
        if not typed:
            return None
        actions, _ = which_action(typed, names)
        if not actions and typed.isdecimal() and 1 <= int(typed) <= len(names.actions):
            return names.actions[int(typed) - 1]
        if len(actions) == 1:
            return next(iter(actions))
        problem = "fits several moves" if actions else "is no legal move"
        self._agent.console.print(escape(f"{typed!r} {problem}."))
        return None

    async def _read(self, prompt: str) -> str:
        try:
            return await asyncio.to_thread(self._agent.read_line, prompt)
        except EOFError:
            raise Interrupted(f"{self._agent.name}: the terminal is closed.") from None
