"""Letters for competitors that are not told apart: two that share one do not differ for sure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from string import ascii_lowercase


def letters(names: Sequence[str], told_apart: Collection[frozenset[str]]) -> dict[str, str]:
    """Return the letters of each name: two names share a letter unless they are told apart.

    Source: H.-P. Piepho (2004), An algorithm for a letter-based representation of all-pairwise
    comparisons, Journal of Computational and Graphical Statistics 13, 456-466: insert and absorb.

    Args:
        names: in the order of a table, best first.
        told_apart: pairs of names that differ significantly.
    """
    groups: list[frozenset[str]] = [frozenset(names)] if names else []
    for pair in told_apart:
        if not pair <= set(names):
            continue
        split: list[frozenset[str]] = []
        for group in groups:
            split += [group - {one} for one in pair] if pair <= group else [group]
        groups = _absorbed(split)
    place = {name: number for number, name in enumerate(names)}
    groups.sort(key=lambda group: sorted(place[name] for name in group))
    return {
        name: "".join(_letter(number) for number, group in enumerate(groups) if name in group)
        for name in names
    }


def _absorbed(groups: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """The groups that lie in no other, each once."""
    distinct = list(dict.fromkeys(group for group in groups if group))
    return [group for group in distinct if not any(group < other for other in distinct)]


def _letter(number: int) -> str:
    """a to z, then a1, b1, ..."""
    turn, place = divmod(number, len(ascii_lowercase))
    return ascii_lowercase[place] + (str(turn) if turn else "")
