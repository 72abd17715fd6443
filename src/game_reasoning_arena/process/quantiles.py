"""Quantiles of a stream in bounded memory."""

from __future__ import annotations

#: Latencies kept per row for quantiles; beyond it every k-th is kept, deterministically.
KEPT_LATENCIES = 4096


class Quantiles:
    """Quantiles of a stream in bounded memory: every k-th value, k doubling when full."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._step = 1
        self._seen = 0

    def add(self, value: float) -> None:
        """Add one value."""
        if self._seen % self._step == 0:
            self._values.append(value)
            if len(self._values) >= KEPT_LATENCIES:
                self._values = self._values[::2]
                self._step *= 2
        self._seen += 1

    def at(self, share: float) -> float | None:
        """Return the value below which ``share`` of the values lie; None without values."""
        if not self._values:
            return None
        ordered = sorted(self._values)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
