"""Answers from a recorded run, without network and unchanged; a missing answer is an error.

``replay_<directory>`` as a model's name replays one side of a game while the other changes.
``arena replay DIR`` does it for all players of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import ReplayMiss
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import key_of, reply_of
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.records import CallKey, Model, Reply, Request


class Recording:
    """The answers of one run directory, by call.

    Args:
        directory: a run directory.

    Raises:
        FileNotFoundError: it holds no responses.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._answers: dict[CallKey, Mapping[str, Any]] = {}
        self._seats: dict[tuple[str, str], set[int]] = {}
        for line in read_lines(directory / layout.RESPONSES):
            if line.get("outcome") is not None:
                self._answers[key_of(line)] = line
                self._seats.setdefault((line["player"], line["model"]), set()).add(line["seat"])

    def __len__(self) -> int:
        return len(self._answers)

    async def complete(self, request: Request) -> Reply:
        """Return the recorded answer.

        Raises:
            ContextOverflowError: this error was recorded.
            ReplayMiss: there is no answer, or the question differs; the message shows how.
        """
        key = request.key
        where = f"episode {key.episode}, seat {key.seat}, turn {key.turn}, attempt {key.attempt}"
        line = self._answers.get(key)
        if line is None:
            raise ReplayMiss(f"{self.directory} holds no answer for {where}. {self._held(key)}")
        asked = [dict(message) for message in request.messages]
        if line["messages"] != asked:
            raise ReplayMiss(
                f"{self.directory}: at {where} another question was asked: "
                + _first_difference(line["messages"], asked)
            )
        return reply_of(line)

    def _held(self, asked: CallKey) -> str:
        """Return the recorded players, and which of them sat at that seat of that episode."""
        if not self._answers:
            return "It holds no answers at all."
        recorded = "; ".join(
            f"{player} ({model}) at seat {', '.join(map(str, sorted(seats)))}"
            for (player, model), seats in sorted(self._seats.items())
        )
        here = sorted({key.seat for key in self._answers if key.episode == asked.episode})
        there = f"seat {', '.join(map(str, here))}" if here else "nobody"
        return (
            f"Recorded are {recorded}; in episode {asked.episode}: {there}. A recording answers "
            "for the player that it was made with, in a run with the same seed, seats and prompts."
        )


class ReplayBackend(BaseLLMBackend):
    """Serves models named ``replay_<run directory>``."""

    free = True
    repeats = None
    separates_thinking = False  # recorded text is returned unchanged

    def __init__(self, **policy: Any) -> None:
        super().__init__(**policy)
        self._recordings: dict[str, Recording] = {}

    def recording(self, model: Model) -> Path:
        """Return the run directory that the model's name holds."""
        return Path(model.model_id)

    def check(self, models: Sequence[Model]) -> list[str]:
        """Return the directories that hold no recorded answers."""
        return [
            f"{model.name}: {why}. Give a run directory: replay_outputs/DATE/TIME"
            for model in models
            if (why := _unreplayable(self.recording(model))) is not None
        ]

    async def generate(self, request: Request) -> Reply:
        """Return the recorded answer of the model's run directory."""
        name = request.model.model_id
        if name not in self._recordings:
            self._recordings[name] = Recording(Path(name))
        return await self._recordings[name].complete(request)


def _unreplayable(directory: Path) -> str | None:
    """Return why a directory holds nothing to replay, or None."""
    try:
        found = (directory / layout.RESPONSES).is_file()
    except OSError as error:
        return f"{str(directory)[:200]} cannot be read ({error.strerror})"
    return None if found else f"there is no {layout.RESPONSES} in {directory}"


def _first_difference(
    recorded: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]
) -> str:
    for number, (was, now) in enumerate(zip(recorded, asked, strict=False)):
        if was == now:
            continue
        if was["role"] != now["role"]:
            return f"message {number} was from {was['role']}, now from {now['role']}"
        old, new = was["content"].splitlines(), now["content"].splitlines()
        for line, (a, b) in enumerate(zip(old, new, strict=False), start=1):
            if a != b:
                return f"message {number}, line {line} was {a!r}, now {b!r}"
        return f"message {number} had {len(old)} lines, now {len(new)}"
    return f"{len(recorded)} messages were sent, now {len(asked)}"
