"""Records as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def plain_data(value: Any) -> Any:
    """Return what encoders do not know by themselves: read-only mappings."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"cannot be recorded: {type(value).__name__}")


#: A record as JSON, without a line's end.
encode = msgspec.json.Encoder(enc_hook=plain_data).encode
