"""What legal actions are called towards a language model, and which action a text names.

The engine's own names are shown. Where two legal actions share a name, both get the engine's
number: ``Pass [3]``. White space in names is collapsed, since an answer is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from game_reasoning_arena.agents.base_agent import Turn


def collapsed(text: str) -> str:
    """Runs of white space as one space, none at the ends."""
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Names:
    """The legal actions of a turn: ``labels[i]`` is what ``actions[i]`` is called.

    ``own`` holds the engine's names, which several actions may share; ``other_notation`` is asked
    when the plain comparisons find nothing.
    """

    actions: tuple[int, ...]
    labels: tuple[str, ...]
    own: tuple[str, ...]
    other_notation: Callable[[str], Collection[int]]

    @classmethod
    def of(cls, turn: Turn) -> Names:
        """The names of a turn's legal actions, in the engine's order."""
        actions = tuple(turn.legal_actions)
        own = tuple(collapsed(turn.action_text(action)) for action in actions)
        shared = {name for name in own if not name} | _repeated(own)
        labels = _labels(own, actions, shared)
        if len(set(labels)) < len(labels):  # a name that looks like another one with its number
            labels = _labels(own, actions, set(own))
        return cls(actions, labels, own, turn.other_notation)

    def label(self, action: int) -> str:
        """What a legal action is called."""
        return self.labels[self.actions.index(action)]

    def lookups(self) -> list[tuple[str | None, Callable[[str], Collection[int]]]]:
        """The ways to compare, strictest first: (form, what a text names)."""
        pairs = [
            *zip(self.labels, self.actions, strict=True),
            *zip(self.own, self.actions, strict=True),
        ]
        return [
            (None, _table(pairs, collapsed)),
            ("case", _table(pairs, lambda text: collapsed(text).casefold())),
            ("spacing", _table(pairs, lambda text: "".join(text.split()).casefold())),
            ("notation", self.other_notation),
        ]


def _table(
    pairs: Sequence[tuple[str, int]], bring: Callable[[str], str]
) -> Callable[[str], Collection[int]]:
    """Look texts up after bringing both sides to the same shape; built at the first look."""
    found: dict[str, set[int]] = {}

    def look(text: str) -> Collection[int]:
        if not found:
            for name, action in pairs:
                found.setdefault(bring(name), set()).add(action)
        return found.get(bring(text), ())

    return look


def _labels(
    names: Sequence[str], actions: Sequence[int], shared: Collection[str]
) -> tuple[str, ...]:
    return tuple(
        f"{name} [{action}]".strip() if name in shared else name
        for name, action in zip(names, actions, strict=True)
    )


def _repeated(names: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    twice: set[str] = set()
    for name in names:
        (twice if name in seen else seen).add(name)
    return twice
