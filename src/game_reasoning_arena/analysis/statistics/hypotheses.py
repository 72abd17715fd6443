"""Which pairs are asked about: Holm's correction runs over these and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from game_reasoning_arena.analysis.statistics.competitors import Competitor, PlayerKey
from game_reasoning_arena.errors import UserError, choose_from


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """What to compare: all models with each other, all with one, or chosen pairs.

    Attributes:
        against: the label that every other model is compared with; None for no such.
        pairs: labels of chosen pairs; None for no such choice.
        only: the labels that are asked about; empty for all.
    """

    against: str | None = None
    pairs: tuple[tuple[str, str], ...] | None = None
    only: tuple[str, ...] = ()

    def among(
        self, labels: Sequence[str], competitors: Mapping[PlayerKey, Competitor]
    ) -> Iterator[tuple[str, str]]:
        """Yield the pairs (A, B) of one game's competitors that are asked about.

        Players that are no model (random, search, solvers) are no hypothesis unless asked for, or
        unless fewer than two models play. Settings that met themselves are a control: only the two
        are compared.
        """
        if self.only:
            labels = [label for label in labels if label in self.only or label == self.against]
        if self.pairs is not None:
            yield from ((a, b) for a, b in self.pairs if a in labels and b in labels)
            return
        twins = {c.label: c.twin_of for c in competitors.values()}
        asked = {c.label for c in competitors.values() if c.asked}
        if self.against is not None:
            others = [label for label in labels if label != self.against]
            others = [label for label in others if label in asked] or others
            chosen = [(label, self.against) for label in others if self.against in labels]
        elif len([label for label in labels if label in asked]) > 1:
            chosen = list(combinations([label for label in labels if label in asked], 2))
        else:
            chosen = [
                (a, b)
                for a, b in combinations(labels, 2)
                if a in asked or b in asked or not asked.intersection(labels)
            ]
        yield from ((a, b) for a, b in chosen if twins.get(a) == twins.get(b))


def hypotheses(
    competitors: Mapping[PlayerKey, Competitor],
    against: str | None = None,
    pairs: str | None = None,
    only: Sequence[str] = (),
) -> Hypotheses:
    """Return what the words of the command line ask about.

    Args:
        competitors: the competitor behind every player of every run.
        against: a competitor's label, or a part of just one.
        pairs: ``A:B,C:D``, each name as for ``against``.
        only: competitors' names, each as for ``against``.

    Raises:
        UserError: both are given, a name is nobody's or several competitors', or a pair is none.
    """
    labels = {c.label: c.full for c in competitors.values()}
    if against is not None and pairs is not None:
        raise UserError("--against and --pairs each choose what is compared. Give one of them.")
    chosen_only = tuple(dict.fromkeys(_named(name, labels, "--only") for name in only))
    if against is not None:
        return Hypotheses(against=_named(against, labels, "--against"), only=chosen_only)
    if pairs is None:
        return Hypotheses(only=chosen_only)
    chosen = [_pair(text, labels) for text in re.split(r",(?![^(]*\))", pairs) if text.strip()]
    if not chosen:
        raise UserError("--pairs names no pair. It takes A:B, or several with commas: A:B,A:C.")
    return Hypotheses(pairs=tuple(dict.fromkeys(chosen)), only=chosen_only)


def _pair(text: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """Both labels of ``A:B``; names may hold colons themselves."""
    text = text.strip()
    places = [place for place, character in enumerate(text) if character == ":"]
    if not places:
        raise UserError(
            f"--pairs: {text!r} is no pair. It takes A:B, such as {':'.join(list(labels)[:2])}."
        )
    problem: UserError | None = None
    for place in places:
        try:
            a, b = (_named(name, labels, "--pairs") for name in (text[:place], text[place + 1 :]))
        except UserError as error:
            problem = problem or error
            continue
        if a == b:
            raise UserError(f"--pairs: {text!r} names {a} twice. It takes two competitors.")
        return a, b
    assert problem is not None
    raise problem


def _named(name: str, labels: Mapping[str, str], option: str) -> str:
    """The label that a name is, or is a part of; whole names of models with settings count, too."""
    name = name.strip()
    if name in labels:
        return name
    found = [label for label, full in labels.items() if name == full] or [
        label for label, full in labels.items() if name and (name in label or name in full)
    ]
    exact = [label for label in found if labels[label].partition(" ")[0].rpartition("/")[2] == name]
    found = exact if len(exact) == 1 else found
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"{option}: {name!r} is a part of several names: {', '.join(found)}. "
            "Give the whole one."
        )
    raise UserError(f"{option}: nobody is called {name!r}. " + choose_from(name, labels))
