"""Chess engines that speak UCI, such as Stockfish, as processes of their own.

There are at most as many engines as processors. Each gets ``ucinewgame`` before a search and uses
one thread, so that with a limit of nodes or depth equal positions give equal moves.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyspiel

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.environment import without_keys
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.simulation.open_spiel.engine_agent import EngineAgent
from game_reasoning_arena.simulation.open_spiel.loading import State
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.task import Task

_LIMITS = {"depth": "depth", "nodes": "nodes", "movetime_ms": "movetime"}
_DEFAULT_NODES = 10_000
#: Centipawns that represent a mate.
MATE = 100_000
_ANSWER_S = 60.0
_GAMES = "/usr/games:/usr/local/games"


def problems(task: Task, spec: PlayerSpec) -> list[str]:
    """Return the reasons why this engine cannot play."""
    where = f"agents.{spec.name}"
    found = []
    if task.name != "chess":
        found.append(f"{where}.type=uci plays chess only. Use simulation=chess, or another type.")
    path = str(spec.options.get("path", "stockfish"))
    if find_program(path) is None:
        found.append(
            f"{where}.path={path}: this UCI engine is not installed or not executable. Install "
            "Stockfish (apt install stockfish, brew install stockfish, stockfishchess.org) or "
            f"set {where}.path to an engine."
        )
    for key in _LIMITS:
        value = spec.options.get(key)
        if value is not None and value < 1:
            found.append(f"{where}.{key}={value} must be at least 1.")
    return found


def find_program(path: str) -> str | None:
    """Return a program's path, or None; also looks where Debian installs Stockfish."""
    given = os.path.expanduser(path)
    return shutil.which(given) or shutil.which(given, path=_GAMES)


class Engine:
    """One running engine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        #: The engine's own name with its version; None if it gives none.
        self.name: str | None = None

    @classmethod
    async def start(cls, path: str, options: dict[str, str]) -> Engine:
        """Start an engine and set its options.

        Raises:
            UserError: it does not start or does not speak UCI.
        """
        program = find_program(path)
        if program is None:
            raise UserError(f"The UCI engine {path!r} is not installed.")
        process = await asyncio.create_subprocess_exec(
            program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=without_keys(),
        )
        engine = cls(process)
        try:
            await engine.send("uci")
            await engine.read("uciok", engine._note)
            for name, value in options.items():
                if not f"{name}{value}".isprintable():
                    raise UserError(
                        f"The option {name!r} of a UCI engine holds a line break or a control "
                        "character, which would be another command to it."
                    )
                await engine.send(f"setoption name {name} value {value}")
        except UserError:
            await engine.stop()
            raise
        return engine

    async def send(self, line: str) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise UserError("The UCI engine has ended.") from error

    def _note(self, words: list[str]) -> None:
        if words[:2] == ["id", "name"]:
            self.name = " ".join(words[2:])

    async def read(
        self, first: str, other: Callable[[list[str]], None] = lambda words: None
    ) -> list[str]:
        """Read up to a line that starts with the word ``first``; return that line's words.

        The words of the lines before it are passed to ``other``.
        """
        assert self._process.stdout is not None
        while True:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    line = await self._process.stdout.readline()
            except TimeoutError:
                raise UserError(
                    f"The UCI engine did not send {first} in {_ANSWER_S:.0f} s."
                ) from None
            if not line:
                raise UserError(f"The UCI engine ended before it sent {first}.")
            words = line.decode(errors="replace").split()
            if words and words[0] == first:
                return words
            other(words)

    async def best_move(self, position: str, limit: str) -> str:
        """Return the engine's move in a position, in UCI notation."""
        return (await self.search(position, limit))[0]

    async def search(self, position: str, limit: str) -> tuple[str, int | None]:
        """Return the engine's move in a position, in UCI notation, and its score.

        The score is in centipawns from the mover's side, a mate counts ``MATE``; None if the engine
        gives none.
        """
        scores: list[int] = []

        def note(words: list[str]) -> None:
            if words[0] == "info" and "score" in words[:-2]:
                at = words.index("score")
                kind, number = words[at + 1], int(words[at + 2])
                scores.append((MATE if number > 0 else -MATE) if kind == "mate" else number)

        await self.send("ucinewgame")
        await self.send("isready")
        await self.read("readyok")
        await self.send(position)
        await self.send(f"go {limit}")
        move = (await self.read("bestmove", note))[1]
        return move, scores[-1] if scores else None

    async def stop(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


class UCIAgent(EngineAgent):
    """Plays chess by an engine.

    Options: ``path``, one or more of ``depth``, ``nodes``, ``movetime_ms``, and ``options``.
    Without a limit it searches 10,000 nodes.
    """

    def __init__(self, task: Task, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        given = {key: spec.options.get(key) for key in _LIMITS}
        limits = [f"{_LIMITS[key]} {value}" for key, value in given.items() if value is not None]
        self._limit = " ".join(limits) or f"nodes {_DEFAULT_NODES}"
        self._idle: list[Engine] = []
        self._all: list[Engine] = []
        self._free = asyncio.Semaphore(os.cpu_count() or 1)
        self._name: str | None = None

    async def choose(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Return the engine's move."""
        state = turn.state
        async with self._free:
            engine = self._idle.pop() if self._idle else await self._start()
            move = await engine.best_move(position_command(turn.state), self._limit)
            self._idle.append(engine)
        board = state.board()
        for action in turn.legal_actions:
            if pyspiel.chess.action_to_move(action, board).to_lan() == move:
                return action
        raise UserError(f"agents.{self.name}: the engine's move {move!r} is not legal here.")

    async def _start(self) -> Engine:
        settings = {"Threads": "1"} | {
            str(name): str(value)
            for name, value in (self.spec.options.get("options") or {}).items()
        }
        engine = await Engine.start(str(self.spec.options.get("path", "stockfish")), settings)
        self._all.append(engine)
        self._name = engine.name
        return engine

    def facts(self) -> dict[str, Any]:
        """Return the engine's name and version; nothing before its first move."""
        return {"engine": self._name} if self._name else {}

    async def aclose(self) -> None:
        """End all engines."""
        for engine in self._all:
            await engine.stop()
        self._all.clear()
        self._idle.clear()


def position_command(state: State) -> str:
    """Return the UCI command for a state: the start of the game and all its moves."""
    moves = " ".join(move.to_lan() for move in state.moves_history())
    start = f"position fen {state.start_fen()}"
    return f"{start} moves {moves}" if moves else start
