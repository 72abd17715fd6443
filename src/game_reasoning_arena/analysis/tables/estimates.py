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

    def negated(self) -> Estimate:
        """Return the estimate of the difference the other way round."""
        if self.value is None:
            return self
        low = None if self.high is None else -self.high
        high = None if self.low is None else -self.low
        return Estimate(-self.value, low, high, self.n)


UNKNOWN = Estimate(None)
