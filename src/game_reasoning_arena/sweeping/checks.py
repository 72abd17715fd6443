"""Checks of a sweep's jobs beside each other, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.sweeping.expansion import Candidate

if TYPE_CHECKING:
    from game_reasoning_arena.backends.base_backend import BaseLLMBackend
    from game_reasoning_arena.sweeping.launchers import Launcher


def not_elsewhere(candidates: Sequence[Candidate]) -> list[str]:
    """Return why jobs cannot run in other processes."""
    problems = []
    redact = Redactor().redact
    for candidate in candidates:
        config = str(candidate.experiment.config)
        if any(player.type == "human" for player in candidate.experiment.players):
            problems.append(
                "type=human needs this terminal, and hydra/launcher starts other processes."
            )
        if redact(config) != config:
            problems.append(
                "the configuration holds a secret, which would end in a file for the workers: name "
                "an environment variable instead (api_key_env), and set it where they run."
            )
    return list(dict.fromkeys(problems))


def on_the_same_gpus(candidates: Sequence[Candidate], launcher: Launcher) -> list[str]:
    """Return problems if separate processes would load more than a GPU holds."""
    sharing = launcher.sharing(len(candidates))
    if sharing is None:
        return []
    at_once, setting = sharing
    together: dict[type[BaseLLMBackend], dict[str, Any]] = {}
    for number, candidate in enumerate(candidates[:at_once]):
        models = candidate.experiment.models
        for prefix, backend in candidate.experiment.backends.items():
            loads = backend.loads([model for model in models if model.backend == prefix])
            # Another process loads the same once more.
            tagged = {f"{number} {key}": load for key, load in loads.items()}
            together.setdefault(type(backend), {}).update(tagged)
    problems = [why for kind, loads in together.items() for why in kind.no_room_for(loads)]
    return [
        f"{at_once} jobs at once see the same GPUs. Give each GPUs of its own: {setting}. Else: "
        + why
        for why in problems
    ]


def given_twice(candidates: Sequence[Candidate]) -> list[str]:
    """Return problems for jobs that would be played and paid more than once."""
    often = Counter(
        ", ".join(f"{key}={value}" for key, value in candidate.values.items())
        for candidate in candidates
    )
    return [
        f"{values or 'the job'} stands {count} times in the sweep, and would give the same run. "
        "Give each value once; repeats are other seeds (seed=0,1,2)."
        for values, count in often.items()
        if count > 1
    ]
