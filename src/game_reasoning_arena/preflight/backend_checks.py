"""Check that backends can serve their models here and now: keys, engines, running servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import ArenaError
from game_reasoning_arena.process.faults import describe_fault
from game_reasoning_arena.records import Model


class Serving:
    """Checks each distinct backend and set of models once, as most jobs of a sweep share them."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def problems(
        self, prefix: str, conf: Mapping[str, Any], backend: BaseLLMBackend, models: Sequence[Model]
    ) -> list[str]:
        """Return the reasons why a backend cannot serve models.

        Args:
            prefix: the backend's key in the ``backend`` config node.
            conf: its settings.
            backend: made from them.
            models: the models to serve.
        """
        # The whole model is part of the key: one name can mean another address in another job.
        key = (backend_key(prefix, conf), tuple(map(repr, models)))
        if key not in self._told:
            self._told[key] = _checked(backend, models)
        return self._told[key]


def backend_key(prefix: str, conf: Mapping[str, Any]) -> str:
    """Return a key that is equal for backends that can be one object."""
    return prefix + orjson.dumps(conf, option=orjson.OPT_SORT_KEYS).decode()


def _checked(backend: BaseLLMBackend, models: Sequence[Model]) -> list[str]:
    try:
        return backend.check(models)
    except ArenaError as error:
        return [str(error)]
    except Exception as error:
        return [f"{type(backend).__name__} cannot check its models: {describe_fault(error)}."]
