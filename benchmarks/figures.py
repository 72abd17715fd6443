"""What the benchmarks compare: a figure of ours beside its anchor, as a ratio with a goal.

Times differ between machines and hours; ratios measured side by side travel. So ratios are what is
written down, held against goals and compared with earlier ones.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: A ratio that moved by less is called the same: medians of few rounds on a shared machine.
NOISE = 0.15


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """``value`` is ours divided by the anchor's, the median over rounds.

    ``goal`` is the least (``more`` is better) or the most that is aimed at; None where none is set.
    ``low`` and ``high`` are the rounds' extremes; ``said`` gives both sides in their own units.
    """

    name: str
    value: float
    goal: float | None
    more: bool = False
    low: float | None = None
    high: float | None = None
    said: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.more else self.value <= self.goal


def ratio(
    name: str,
    pairs: Iterable[tuple[float, float]],
    *,
    goal: float | None,
    unit: str,
    more: bool = False,
) -> Ratio:
    """From (ours, anchor) of each round, measured one after the other."""
    rounds = list(pairs)
    values = [ours / anchor for ours, anchor in rounds]
    ours, anchor = (statistics.median(side) for side in zip(*rounds, strict=True))
    return Ratio(
        name=name,
        value=statistics.median(values),
        goal=goal,
        more=more,
        low=min(values),
        high=max(values),
        said=f"{ours:.4g} {unit} : {anchor:.4g} {unit}",
    )


def change(now: Ratio, before: Mapping[str, Any] | None) -> str:
    """What became of a ratio since an earlier measurement."""
    if before is None:
        return "new"
    if not before["value"] or not now.value:
        return "?"
    factor = now.value / before["value"]
    if abs(math.log(factor)) < math.log1p(NOISE):
        return "same"
    better = (factor > 1) == now.more
    return f"{'better' if better else 'worse'} ({before['value']:.2f})"


def table(ratios: Sequence[Ratio], earlier: Mapping[str, Mapping[str, Any]]) -> str:
    """All ratios with goals, both sides, and what changed."""
    rows = [("", "ratio", "rounds", "goal", "", "ours : anchor", "since")]
    for one in ratios:
        goal = "" if one.goal is None else f"{'>=' if one.more else '<='} {one.goal:g}"
        met = {None: "", True: "met", False: "NOT MET"}[one.met]
        spread = "" if one.low is None else f"{one.low:.2f}-{one.high:.2f}"
        since = change(one, earlier.get(one.name)) if earlier else ""
        rows.append((one.name, f"{one.value:.3f}", spread, goal, met, one.said, since))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def load(path: Path) -> dict[str, dict[str, Any]]:
    """The ratios of an earlier measurement by name; empty where there is none."""
    if not path.exists():
        return {}
    return {one["name"]: one for one in json.loads(path.read_text())["ratios"]}


def options(description: str | None, **more: Any) -> argparse.Namespace:
    """The options that all parts have, and the part's own: name=default."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write ratios and medians there")
    for name, default in more.items():
        kind = type(default[0]) if isinstance(default, list) else type(default)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=default,
            nargs="+" if isinstance(default, list) else None,
        )
    return parser.parse_args()


def finish(ratios: Sequence[Ratio], detail: Any, path: Path | None) -> None:
    """Show a part's ratios and write them with its other figures."""
    print(table(ratios, {}))
    if path is not None:
        content = {"ratios": [asdict(one) for one in ratios], "detail": detail}
        path.write_text(json.dumps(content, indent=1) + "\n")
