"""How often each interval misses and each test errs, in every design.

    python -m benchmarks.battery [--repeats 4000] [--only WORD] [--markdown FILE]

All statistics are those of the package, on totals of deals that are simulated here at once for all
repetitions. The nominal error is 5 % everywhere. The truth of a mean is that of
100,000 deals, of a rating that of 8,000.
"""

from __future__ import annotations

import argparse
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.battery.designs import DESIGNS, Design, Drawn, draw, draw_three
from game_reasoning_arena.analysis.statistics.bradley_terry import Ratings, rate
from game_reasoning_arena.analysis.statistics.intervals import bounded_mean
from game_reasoning_arena.analysis.statistics.measures import Measure, mean_of_sums
from game_reasoning_arena.analysis.statistics.rated_games import Games
from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test
from game_reasoning_arena.analysis.tables.estimates import Estimate

Floats = NDArray[np.float64]

#: Columns of the table: key, heading, whether it is the error of a test (else coverage).
COLUMNS = (
    ("test", "test", True),
    ("holm", "any, Holm", True),
    ("difference", "difference", False),
    ("mean", "score or return", False),
    ("win", "win rate", False),
    ("opponent", "opponent's score", False),
    ("rating", "rating", False),
    ("rating_difference", "rating difference", False),
)
TRUTH_DEALS = 100_000
RATED_DEALS = 8_000


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened, of how many repetitions."""

    happened: int
    repeats: int

    @property
    def value(self) -> float:
        """As a fraction."""
        return self.happened / self.repeats

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(max(self.value * (1 - self.value), 1 / self.repeats) / self.repeats)

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ± {100 * self.error:.1f}"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums and counts by deal, of repetitions x deals."""

    sums: Floats
    counts: Floats

    def each(self, kinds: NDArray[np.int64] | None = None) -> Iterator[tuple[Floats, Floats]]:
        """Sums and counts of every repetition, deals without games left out, copies together."""
        for row, (sums, counts) in enumerate(zip(self.sums, self.counts, strict=True)):
            if kinds is None:
                yield sums[counts > 0], counts[counts > 0]
            else:
                together = np.bincount(kinds[row], weights=counts)
                yield np.bincount(kinds[row], weights=sums)[together > 0], together[together > 0]

    def mean(self) -> float:
        """Over everything."""
        return float(self.sums.sum() / self.counts.sum())


def _sum(parts: Sequence[Floats]) -> Totals:
    """Sums over games, NaN left out."""
    every = np.concatenate(parts, axis=-1)
    return Totals(np.nansum(every, axis=-1), (~np.isnan(every)).sum(axis=-1).astype(float))


def contrast(drawn: Drawn, a: int, b: int) -> Totals:
    """What the games of two models say of their difference, by deal."""
    place = {game: number for number, game in enumerate(drawn.design.schedule)}
    first, second = drawn.first, drawn.second
    parts = []
    for (one, other), number in place.items():
        gap = first[..., [number]] - second[..., [number]]
        if {one, other} == {a, b}:
            parts.append(gap if one == a else -gap)
        elif one == a and (b, other) in place:
            parts.append(first[..., [number]] - first[..., [place[b, other]]])
        elif other == a and (one, b) in place:
            parts.append(second[..., [number]] - second[..., [place[one, b]]])
    return _sum(parts)


def row(drawn: Drawn, competitor: int, *, won: bool = False) -> Totals:
    """What one player's games came to, by deal; or which were won."""
    parts = []
    for number, (one, other) in enumerate(drawn.design.schedule):
        for side, mine in ((drawn.first, one), (drawn.second, other)):
            if mine == competitor:
                value = side[..., [number]]
                parts.append(np.where(np.isnan(value), value, value == 1.0) if won else value)
    return _sum(parts)


def measure(
    design: Design,
    repeats: int,
    *,
    truth_deals: int = TRUTH_DEALS,
    rated_deals: int = RATED_DEALS,
) -> dict[str, Share]:
    """Return what is wrong how often in one design; an entry per column that applies.

    Args:
        design: what is played.
        repeats: how often.
        truth_deals: from how many deals the true means are taken.
        rated_deals: from how many of these the true ratings.
    """
    rng = np.random.default_rng(zlib.crc32(design.name.encode()))
    if design.three:
        return _three(design, rng, repeats, truth_deals)
    return _two(design, rng, repeats, truth_deals, rated_deals)


def _two(
    design: Design, rng: np.random.Generator, repeats: int, truth_deals: int, rated_deals: int
) -> dict[str, Share]:
    drawn = draw(design, rng, repeats)
    large = draw(design, rng, 1, truth_deals)
    kinds = drawn.kind if design.kinds else None
    worth = Measure.RETURN if design.pots else Measure.SCORE
    pairs = list(combinations(range(design.models), 2))
    totals = {pair: contrast(drawn, *pair) for pair in pairs}
    found = _errors([list(totals[pair].each(kinds)) for pair in pairs], design)
    truth = 0.0 if design.equal else contrast(large, 0, 1).mean()
    found["difference"] = _covered(
        (mean_of_sums(s, c, worth, difference=True) for s, c in totals[0, 1].each(kinds)), truth
    )
    if design.kinds:
        return found
    mine = row(drawn, 0)
    found["mean"] = _covered(
        (mean_of_sums(s, c, worth) for s, c in mine.each()), row(large, 0).mean()
    )
    if not design.pots:
        truth = row(large, 0, won=True).mean()
        found["win"] = _covered(map_bounded(row(drawn, 0, won=True)), truth)
        if design.opponents == 1:
            other = design.models
            found["opponent"] = _covered(map_bounded(row(drawn, other)), row(large, other).mean())
    if not (design.lacking or design.dropped):
        found |= _ratings(drawn, large, min(repeats, max(200, repeats // 4)), rated_deals)
    return found


def map_bounded(totals: Totals) -> Iterator[Estimate]:
    """The interval of a rate, of every repetition."""
    return (bounded_mean(sums, counts) for sums, counts in totals.each())


def _three(
    design: Design, rng: np.random.Generator, repeats: int, truth_deals: int
) -> dict[str, Share]:
    scores = draw_three(design, rng, repeats)
    large = draw_three(design, rng, 1, truth_deals)
    totals = _sum([scores[:, :, 0] - scores[:, :, 1]])
    found = _errors([list(totals.each())], design)
    gaps = (mean_of_sums(s, c, Measure.SCORE, difference=True) for s, c in totals.each())
    found["difference"] = _covered(gaps, 0.0)
    found["mean"] = found["win"] = _covered(
        map_bounded(_sum([scores[:, :, 0]])), float(large[:, :, 0].mean())
    )
    return found


def _errors(pairs: list[list[tuple[Floats, Floats]]], design: Design) -> dict[str, Share]:
    """How often equal players are told apart: the first two, any two after Holm's correction."""
    if not design.equal:
        return {}
    chances = np.array([[sign_flip_test(sums) for sums, _ in pair] for pair in pairs])
    repeats = chances.shape[1]
    found = {"test": Share(int((chances[0] < 0.05).sum()), repeats)}
    if len(pairs) > 1:
        anything = sum(min(holm(chances[:, k])) < 0.05 for k in range(repeats))
        found["holm"] = Share(anything, repeats)
    return found


def _covered(intervals: Iterator[Estimate], truth: float) -> Share:
    """How often an interval holds the truth; where the data gave none it counts as holding it."""
    every = list(intervals)
    held = sum(
        one.low is None or one.high is None or one.low - 1e-9 <= truth <= one.high + 1e-9
        for one in every
    )
    return Share(held, len(every))


def _ratings(drawn: Drawn, large: Drawn, repeats: int, deals: int) -> dict[str, Share]:
    true = _rated(large, 0, deals)
    single, gaps = [], []
    for repeat in range(repeats):
        fit = _rated(drawn, repeat)
        for kept, estimate, of in (
            (single, fit.ratings["0"], true.ratings["0"].value),
            (gaps, fit.difference("0", "1"), true.difference("0", "1").value),
        ):
            assert estimate.low is not None
            assert estimate.high is not None
            assert of is not None
            kept.append(estimate.low <= of <= estimate.high)
    return {
        "rating": Share(sum(single), repeats),
        "rating_difference": Share(sum(gaps), repeats),
    }


def _rated(drawn: Drawn, repeat: int, most: int | None = None) -> Ratings:
    scores = drawn.scores[repeat, :most]
    deals = len(scores)
    one, other = np.array(drawn.design.schedule).astype(str).T
    deal = np.repeat(np.arange(deals), len(one))
    (fit,) = rate(Games(np.tile(one, deals), np.tile(other, deals), scores.ravel(), deal))
    return fit


def as_markdown(results: dict[str, dict[str, Share]]) -> str:
    """The table of docs/statistics.md."""
    lines = [
        "| design | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |",
        "|---|" + "--:|" * len(COLUMNS),
    ]
    for name, found in results.items():
        cells = [str(found.get(key, "")) for key, _, _ in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def wrong(results: dict[str, dict[str, Share]], errors: float = 2.0) -> list[str]:
    """What is beyond its bounds, 6 % for a test, 93 for cover, by so many standard errors."""
    found = []
    for name, shares in results.items():
        for key, _, test in COLUMNS:
            if (share := shares.get(key)) is None:
                continue
            slack = errors * share.error
            if test and share.value > 0.06 + slack:
                found.append(f"{name}: {key} errs in {share} %")
            if not test and share.value < 0.93 - slack:
                found.append(f"{name}: {key} covers {share} %")
    return found


def main() -> int:
    """Run the battery; 1 where something is wrong more often than it may be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=4000)
    parser.add_argument("--only", default="", help="designs whose name holds this")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    results = {}
    for design in DESIGNS:
        if options.only in design.name:
            results[design.name] = measure(design, options.repeats)
            told = ", ".join(f"{key} {share}" for key, share in results[design.name].items())
            print(f"{design.name}: {told}", flush=True)
    table = as_markdown(results)
    print(table)
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    problems = wrong(results)
    print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
