"""What legal actions are called towards a language model, and which action a text names.

The engine's own names are shown. Where two legal actions share a name, both get the engine's
number: ``Pass [3]``. White space in names is collapsed, since an answer is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from game_reasoning_arena.agents.base_agent import Turn

Lookup = Mapping[str, Collection[int]]


def collapsed(text: str) -> str:
    """Runs of white space as one space, none at the ends."""
    return " ".join(text.split())


def _spaceless(text: str) -> str:
    return "".join(text.split()).casefold()


def _gather(pairs: Sequence[tuple[str, int]]) -> Lookup:
    found: dict[str, set[int]] = {}
    for text, action in pairs:
        found.setdefault(text, set()).add(action)
    return found


@dataclass(frozen=True, slots=True)
class Names:
    """The legal actions of a turn: ``labels[i]`` is what ``actions[i]`` is called.

    ``own`` holds the engine's names, which several actions may share; ``spellings`` gives other
    notations when the plain comparisons find nothing.
    """

    actions: tuple[int, ...]
    labels: tuple[str, ...]
    own: tuple[str, ...]
    spellings: Callable[[], Lookup]

    @classmethod
    def of(cls, turn: Turn) -> Names:
        """The names of a turn's legal actions, in the engine's order."""
        actions = tuple(turn.legal_actions)
        own = tuple(collapsed(turn.action_text(action)) for action in actions)
        shared = {name for name in own if not name} | _repeated(own)
        labels = tuple(
            f"{name} [{action}]".strip() if name in shared else name
            for name, action in zip(own, actions, strict=True)
        )
        return cls(actions, labels, own, turn.spellings)

    def label(self, action: int) -> str:
        """What a legal action is called."""
        return self.labels[self.actions.index(action)]

    def lookups(self) -> list[tuple[str | None, Callable[[str], str], Callable[[], Lookup]]]:
        """The ways to compare, strictest first: (form, how to bring a text there, the table)."""
        pairs = [
            *zip(self.labels, self.actions, strict=True),
            *zip(self.own, self.actions, strict=True),
        ]
        return [
            (None, collapsed, lambda: _gather(pairs)),
            ("case", lambda text: collapsed(text).casefold(), lambda: _folded(pairs, collapsed)),
            ("spacing", _spaceless, lambda: _folded(pairs, _spaceless)),
            ("notation", lambda text: text, self.spellings),
        ]


def _folded(pairs: Sequence[tuple[str, int]], how: Callable[[str], str]) -> Lookup:
    return _gather([(how(text).casefold(), action) for text, action in pairs])


def _repeated(names: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    twice: set[str] = set()
    for name in names:
        (twice if name in seen else seen).add(name)
    return twice
