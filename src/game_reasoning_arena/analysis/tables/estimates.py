"""A number and how sure it is: what tables show, apart from how it is computed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval; the bounds are None where the data cannot give any."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return self.value is not None


UNKNOWN = Estimate(None)
