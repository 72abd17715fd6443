"""What legal actions are called towards a language model, and which action a text names.

The engine's own names are shown. Where two legal actions share a name, both get the engine's
number: ``Pass [3]``. White space in names is collapsed, since an answer is one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from game_reasoning_arena.agents.base_agent import Turn

Lookup = Callable[[str], Collection[int]]
Shape = Callable[[str], str]


def collapsed(text: str) -> str:
    """Runs of white space as one space, none at the ends."""
    return " ".join(text.split())


def _uncased(text: str) -> str:
    return collapsed(text).casefold()


def _unspaced(text: str) -> str:
    return "".join(text.split()).casefold()


@dataclass(slots=True)
class Names:
    """The legal actions of a turn: ``labels[i]`` is what ``actions[i]`` is called.

    ``own`` holds the engine's names, which several actions may share; ``other_notation`` is asked
    when the plain comparisons find nothing.
    """

    actions: tuple[int, ...]
    labels: tuple[str, ...]
    own: tuple[str, ...]
    other_notation: Lookup
    _exact: dict[str, Collection[int]] | None = field(default=None, init=False, repr=False)
    _loose: dict[Shape, dict[str, Collection[int]]] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def of(cls, turn: Turn) -> Names:
        """The names of a turn's legal actions, in the engine's order."""
        actions = tuple(turn.legal_actions)
        own = tuple([collapsed(turn.action_text(action)) for action in actions])
        if len(set(own)) == len(own) and all(own):
            return cls(actions, own, own, turn.other_notation)
        shared = {name for name in own if not name} | _repeated(own)
        labels = _labels(own, actions, shared)
        if len(set(labels)) < len(labels):  # a name that looks like another one with its number
            labels = _labels(own, actions, set(own))
        return cls(actions, labels, own, turn.other_notation)

    def label(self, action: int) -> str:
        """What a legal action is called."""
        return self.labels[self.actions.index(action)]

    def named(self, text: str) -> Collection[int]:
        """The actions that a text names exactly; a label goes before another action's own name."""
        if self._exact is None:
            self._exact = {label: (a,) for label, a in zip(self.labels, self.actions, strict=True)}
            if self.own is not self.labels:
                for name, actions in _table(self.own, self.actions, collapsed).items():
                    self._exact.setdefault(name, actions)
        return self._exact.get(collapsed(text), ())

    def lookups(self) -> Iterator[tuple[str | None, Lookup]]:
        """The ways to compare, strictest first: (form, what a text names)."""
        yield None, self.named
        yield "case", partial(self._loosely, _uncased)
        yield "spacing", partial(self._loosely, _unspaced)
        yield "notation", self.other_notation

    def _loosely(self, shape: Shape, text: str) -> Collection[int]:
        if shape not in self._loose:
            names, actions = (*self.labels, *self.own), self.actions * 2
            self._loose[shape] = _table(names, actions, shape)
        return self._loose[shape].get(shape(text), ())


def _table(
    names: Sequence[str], actions: Sequence[int], shape: Shape
) -> dict[str, Collection[int]]:
    """The actions by name, brought to a shape."""
    table: dict[str, set[int]] = {}
    for name, action in zip(names, actions, strict=True):
        table.setdefault(shape(name), set()).add(action)
    return dict(table)


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
