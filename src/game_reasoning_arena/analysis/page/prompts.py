"""What the report shows of scored prompts: how right each seat was, and where models differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from game_reasoning_arena.analysis.statistics.answers import Answers

#: Marks of an answer: right, wrong, partly right, without a score.
RIGHT: Final = "r"
WRONG: Final = "x"
PARTLY: Final = "p"
OPEN: Final = "-"


class PromptMarks:
    """The marks of all answers, by episode.

    Args:
        answers: of the runs.
    """

    def __init__(self, answers: Answers) -> None:
        table = answers.table
        self._any = bool(answers)
        self._marks: dict[tuple[int, int], dict[int, str]] = {}
        self._keys: dict[tuple[int, int], int] = {}
        self._names: dict[tuple[int, int], tuple[str, str | None]] = {}
        codes: dict[Any, int] = {}
        means = answers.scored.groupby(["key", "competitor"], sort=False)["score"].mean()
        differing = means.groupby(level="key").nunique() > 1
        self._differ = {codes.setdefault(k, len(codes)) for k in differing[differing].index}
        columns = ("run", "episode", "seat", "key", "prompt", "group", "score")
        for run, episode, seat, key, prompt, group, score in zip(
            *(table[name] for name in columns), strict=True
        ):
            at = (int(run), int(episode))
            self._marks.setdefault(at, {})[int(seat)] = _mark(score)
            self._keys[at] = codes.setdefault(key, len(codes))
            self._names[at] = str(prompt), group if isinstance(group, str) else None

    def __bool__(self) -> bool:
        return self._any

    def columns(
        self, keys: Sequence[tuple[int, int]], seats: Sequence[int]
    ) -> dict[str, list[Any]]:
        """Return the index's columns: prompt, name, group, marks by seat, differ.

        Args:
            keys: run and number of each episode.
            seats: how many each has.
        """
        prompts = [self._keys.get(key) for key in keys]
        names = [self._names.get(key, (None, None)) for key in keys]
        marks = [self._marks.get(key, {}) for key in keys]
        return {
            "prompt": prompts,
            "name": [name for name, _ in names],
            "group": [group for _, group in names],
            "marks": [
                "".join([own.get(seat, OPEN) for seat in range(n)]) if own else OPEN * n
                for own, n in zip(marks, seats, strict=True)
            ],
            "differ": [int(prompt in self._differ) for prompt in prompts],
        }


def _mark(score: float) -> str:
    if score != score:
        return OPEN
    return {1.0: RIGHT, 0.0: WRONG}.get(score, PARTLY)
