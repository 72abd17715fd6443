"""Limits on the open files and connections of this process."""

from __future__ import annotations

import resource
from contextlib import suppress

#: Reserved for everything but connections: files, modules, engines, the terminal.
RESERVED = 96
#: Assumed where the system sets no limit.
_MANY = 1 << 20


def raise_limit() -> None:
    """Raise the limit of open files as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_possible() -> int:
    """Return how many connections may be open at once, with room for everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MANY if soft == resource.RLIM_INFINITY else soft
    return max(1, most - RESERVED)
