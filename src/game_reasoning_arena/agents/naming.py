"""Names of legal actions for language models, and the action that a text names.

Names are the engine's own. Where two legal actions share a name, both get the engine's number:
``Pass [3]``. White space in names is collapsed, since an answer is one line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from game_reasoning_arena.agents.base_agent import Turn
from game_reasoning_arena.agents.folding import folded

Lookup = Callable[[str], Collection[int]]
Shape = Callable[[str], str]

#: With more shapes of names than this, illegal answers are not compared with them.
_MOST_SHAPES = 200
_SHAPED = re.compile(
    r"(?P<digits>\d+)|(?P<letters>[^\W\d_]+)|(?P<space>\s+)|(?P<mark>.)", re.DOTALL
)


def collapsed(text: str) -> str:
    """Return a text with runs of white space as one space, none at the ends."""
    return " ".join(text.split())


def _uncased(text: str) -> str:
    return collapsed(text).casefold()


def unspaced(text: str) -> str:
    """Return a text without white space and letter case."""
    return "".join(text.split()).casefold()


def _folded(text: str) -> str:
    return collapsed(folded(text))


def _folded_uncased(text: str) -> str:
    return _uncased(folded(text))


def squashed(text: str) -> str:
    """Return a text folded, without white space and letter case."""
    return unspaced(folded(text))


def _no_move(text: str) -> bool:
    return False


@dataclass(slots=True)
class Names:
    """The legal actions of a turn; ``labels[i]`` is the name of ``actions[i]``.

    ``own`` holds the engine's names, which several actions may share; ``other_notation`` is tried
    when the plain comparisons find nothing. ``is_move`` returns whether a text looks like a move of
    the game, and ``seat`` is the seat to move (None: not known).
    """

    actions: tuple[int, ...]
    labels: tuple[str, ...]
    own: tuple[str, ...]
    other_notation: Lookup
    is_move: Callable[[str], bool] = _no_move
    seat: int | None = None
    _exact: dict[str, Collection[int]] | None = field(default=None, init=False, repr=False)
    _loose: dict[Shape, dict[str, Collection[int]]] = field(
        default_factory=dict, init=False, repr=False
    )
    _lengths: list[int] | None = field(default=None, init=False, repr=False)
    _shape: re.Pattern[str] | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, turn: Turn) -> Names:
        """Return the names of a turn's legal actions, in the engine's order."""
        actions = tuple(turn.legal_actions)
        own = tuple([collapsed(turn.action_text(action)) for action in actions])
        labels = own
        if len(set(own)) < len(own) or not all(own):
            shared = {name for name in own if not name} | _repeated(own)
            labels = _labels(own, actions, shared)
            if len(set(labels)) < len(labels):  # a name may look like another name with its number
                labels = _labels(own, actions, set(own))
        return cls(actions, labels, own, turn.other_notation, turn.is_move, turn.seat)

    def label(self, action: int) -> str:
        """Return the name of a legal action."""
        return self.labels[self.actions.index(action)]

    def named(self, text: str) -> Collection[int]:
        """Return the actions that a text names exactly; labels take precedence over other names."""
        if self._exact is None:
            self._exact = {label: (a,) for label, a in zip(self.labels, self.actions, strict=True)}
            if self.own is not self.labels:
                for name, actions in _table(self.own, self.actions, collapsed).items():
                    self._exact.setdefault(name, actions)
        return self._exact.get(collapsed(text), ())

    def lookups(self) -> Iterator[tuple[tuple[str, ...], Lookup]]:
        """Yield the lookups, strictest first, each with the forms that it forgives."""
        yield from self.plain_lookups()
        yield ("notation",), self.other_notation

    def plain_lookups(self) -> Iterator[tuple[tuple[str, ...], Lookup]]:
        """Yield the lookups of the names themselves, strictest first."""
        yield (), self.named
        yield ("case",), partial(self._loosely, _uncased)
        yield ("spacing",), partial(self._loosely, unspaced)
        yield ("width",), partial(self._loosely, _folded)
        yield ("width", "case"), partial(self._loosely, _folded_uncased)
        yield ("width", "spacing"), partial(self._loosely, squashed)

    def have_backslashes(self) -> bool:
        """Return whether a backslash may belong to a name."""
        return any("\\" in label for label in self.labels)

    def squashed_names(self) -> Collection[str]:
        """Return all names, squashed."""
        return self._loose_table(squashed).keys()

    def lengths(self) -> list[int]:
        """Return the lengths of squashed names, longest first."""
        if self._lengths is None:
            self._lengths = sorted({len(name) for name in self.squashed_names()} - {0})[::-1]
        return self._lengths

    def shape(self) -> re.Pattern[str]:
        """Return a pattern for texts that look like these names, with other digits and letters.

        Names without digits have no shape, as every word would match it.
        """
        if self._shape is None:
            shapes = dict.fromkeys(
                _shape(name) for name in self.labels if any(mark.isdigit() for mark in name)
            )
            if not 0 < len(shapes) <= _MOST_SHAPES:
                self._shape = re.compile(r"(?!)")
            else:
                longest_first = sorted(shapes, key=len, reverse=True)
                self._shape = re.compile("|".join(longest_first), re.IGNORECASE)
        return self._shape

    def _loosely(self, shape: Shape, text: str) -> Collection[int]:
        return self._loose_table(shape).get(shape(text), ())

    def _loose_table(self, shape: Shape) -> dict[str, Collection[int]]:
        if shape not in self._loose:
            names, actions = (*self.labels, *self.own), self.actions * 2
            self._loose[shape] = _table(names, actions, shape)
        return self._loose[shape]


def _shape(name: str) -> str:
    parts = []
    for part in _SHAPED.finditer(folded(name)):
        kind = part.lastgroup
        if kind == "digits":
            parts.append(r"\d++")
        elif kind == "letters":
            parts.append(r"[^\W\d_]++")
        elif kind == "mark":
            parts.append(re.escape(part[0]))
    return r"\s*+".join(parts)


def _table(
    names: Sequence[str], actions: Sequence[int], shape: Shape
) -> dict[str, Collection[int]]:
    """Return the actions by name, after ``shape`` is applied to the names."""
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
