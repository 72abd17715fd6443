"""How many files and connections this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress

#: Kept for what a run opens beside its connections: its files, modules, engines, the terminal.
RESERVED = 96
#: Where the system sets no limit.
_MANY = 1 << 20


def raise_limit() -> None:
    """Have as many open files as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_possible() -> int:
    """Return how many connections may be open at once, with room for everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MANY if soft == resource.RLIM_INFINITY else soft
    return max(1, most - RESERVED)
