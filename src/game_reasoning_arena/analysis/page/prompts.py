"""What the report tells of scored prompts: how right each seat was, and where models differ."""

from __future__ import annotations

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

    def of(self, run: int, episode: int, seats: int) -> dict[str, Any]:
        """Return the index's columns of an episode: prompt, name, group, marks by seat, differ."""
        at = (int(run), int(episode))
        marks, key = self._marks.get(at, {}), self._keys.get(at)
        name, group = self._names.get(at, (None, None))
        return {
            "prompt": key,
            "name": name,
            "group": group,
            "marks": "".join(marks.get(seat, OPEN) for seat in range(seats)),
            "differ": int(key in self._differ),
        }


def _mark(score: float) -> str:
    if score != score:
        return OPEN
    return {1.0: RIGHT, 0.0: WRONG}.get(score, PARTLY)
