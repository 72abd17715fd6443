"""From the words of a sweep to its jobs, each composed and checked; all problems at once.

The grammar is that of Hydra's basic sweeper: ``a,b``, ``choice()``, ``range()`` and ``glob()``, and
``hydra.sweeper.params`` of a preset. ``shard=all/8`` stands for ``shard=0/8,1/8,...,7/8``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.command_line import as_typed
from game_reasoning_arena.errors import ConfigProblems
from game_reasoning_arena.experiment import Experiment
from game_reasoning_arena.explain import explain_composition
from game_reasoning_arena.preflight import prepare
from game_reasoning_arena.sweeping.composing import Compose, Composer

_BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
_ALL_SHARDS = re.compile(r"(\+{0,2}shard=)all/(\d{1,4})")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A job as the words describe it: overrides for Hydra, and its values of the swept keys."""

    overrides: list[str]
    values: dict[str, str]
    experiment: Experiment


@dataclass(kw_only=True)
class _Words:
    """Words sorted by what they are about."""

    hydra: list[str]
    task: list[str]


@dataclass
class _Problems:
    """What is wrong, each once, with the jobs that have it."""

    found: dict[str, list[int]] = field(default_factory=dict)

    def add(self, job: int, problems: Sequence[str]) -> None:
        for problem in problems:
            jobs = self.found.setdefault(problem, [])
            if job not in jobs:
                jobs.append(job)

    def told(self, values: Sequence[Mapping[str, str]]) -> list[str]:
        return [text + _where(jobs, values) for text, jobs in self.found.items()]


def master_config(
    compose: Compose, words: Sequence[str]
) -> tuple[DictConfig, list[str], list[str]]:
    """The configuration of the sweep itself: its directory, its launcher, its sweeper.

    Returns:
        The configuration; the words without those about Hydra that do not compose; and what is
        wrong with these. Other words that do not compose are told of job by job.
    """
    parts = _sorted(words)
    kept, wrong = list(words), list[str]()
    try:
        cfg = compose([*parts.hydra, *parts.task], RunMode.MULTIRUN)
    except ConfigProblems:
        for word in list(parts.hydra):
            try:
                compose([word], RunMode.MULTIRUN)
            except ConfigProblems as error:
                parts.hydra.remove(word)
                kept.remove(word)
                wrong += error.problems
        cfg = compose(parts.hydra, RunMode.MULTIRUN)
    sweeper = cfg.hydra.sweeper.get("_target_")
    if sweeper != _BASIC:
        wrong.append(
            f"hydra/sweeper={cfg.hydra.runtime.choices.get('hydra/sweeper')} is not supported: "
            "a sweep is a grid (hydra/sweeper=basic)."
        )
    return cfg, kept, wrong


def expand(
    compose: Compose, words: list[str], cfg: DictConfig, *, check_backends: bool
) -> list[Candidate]:
    """All jobs, in the order of Hydra's basic sweeper: the last key varies fastest.

    Args:
        compose: makes configurations.
        words: overrides for Hydra, sweeps included.
        cfg: from :func:`master_config`.
        check_backends: ask the backends whether they could serve, here and now.

    Raises:
        ConfigProblems: everything that is wrong with any job, each once, with the jobs it is in.
    """
    parts = _sorted(words)
    presets = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.get("params") or {}).items()]
    axes, given = _choices([*presets, *parts.task])
    swept = [key for key, values in axes.items() if len(values) > 1 or key in given]
    combinations = [list(c) for c in itertools.product(*axes.values())]
    overrides = [[f"{k}={v}" for k, v in zip(axes, c, strict=True)] for c in combinations]
    values = [
        {_plain(k): v for k, v in zip(axes, c, strict=True) if k in swept} for c in combinations
    ]
    problems = _Problems()
    candidates = []
    backends = _Checks()
    composer = Composer(compose, parts.hydra)
    wrong: dict[str, str] = {}  # words that do not compose, told once and left out from then on
    for number, job in enumerate(overrides):
        problems.add(number, [wrong[word] for word in job if word in wrong])
        try:
            job_cfg = composer([word for word in job if word not in wrong])
            experiment = prepare(job_cfg, check_backends=False)
        except ConfigProblems as error:
            problems.add(number, error.problems)
            told = [(w, f"{as_typed(w)}: ") for w in job]
            wrong |= {
                w: text for w, head in told for text in error.problems if text.startswith(head)
            }
            continue
        if check_backends and not experiment.estimate:
            problems.add(number, backends.of(experiment))
            if "replay" in experiment.backends:
                from game_reasoning_arena.backends.replay_checks import recording_problems

                problems.add(number, recording_problems(experiment))
        experiment.config["sweep"]["resume"] = None
        candidates.append(Candidate(overrides=job, values=values[number], experiment=experiment))
    if problems.found:
        raise ConfigProblems(problems.told(values))
    return candidates


def backend_key(prefix: str, experiment: Experiment) -> str:
    """Backends with the same key can be one object."""
    conf = experiment.config["backend"][prefix]
    return prefix + orjson.dumps(conf, option=orjson.OPT_SORT_KEYS).decode()


class _Checks:
    """Asks each distinct backend about each distinct set of models once."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def of(self, experiment: Experiment) -> list[str]:
        found: list[str] = []
        for prefix, backend in experiment.backends.items():
            models = [model for model in experiment.models if model.backend == prefix]
            # All of a model counts: the same name can mean another address in another job.
            key = (backend_key(prefix, experiment), tuple(map(repr, models)))
            if key not in self._asked:
                self._asked[key] = backend.check(models)
            found += self._asked[key]
        return found


def share_backends(experiments: Sequence[Experiment]) -> list[Experiment]:
    """The experiments with one backend object for each distinct backend configuration."""
    shared: dict[str, BaseLLMBackend] = {}
    return [
        replace(
            experiment,
            backends={
                prefix: shared.setdefault(backend_key(prefix, experiment), backend)
                for prefix, backend in experiment.backends.items()
            },
        )
        for experiment in experiments
    ]


def _sorted(words: Sequence[str]) -> _Words:
    parts = _Words(hydra=[], task=[])
    for word in words:
        about_hydra = re.match(r"[+~]*hydra[./=]", word)
        (parts.hydra if about_hydra else parts.task).append(word)
    return parts


def _choices(words: list[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Each key with its values, later words winning; and the keys that were given as a sweep."""
    from hydra.core.global_hydra import GlobalHydra

    loader = GlobalHydra.instance().config_loader()
    parser = OverridesParser.create(config_loader=loader)
    axes: dict[str, list[str]] = {}
    swept: set[str] = set()
    problems = []
    for word in map(_all_shards, words):
        try:
            [override] = parser.parse_overrides([word])
            if override.is_sweep_override() and not override.is_discrete_sweep():
                problems.append(f"{word}: only lists, choice(), range() and glob() can be swept.")
                continue
            key = override.get_key_element()
            if override.is_sweep_override():
                axes[key] = list(override.sweep_string_iterator())
                swept.add(key)
                if not axes[key]:
                    problems.append(f"{word}: no value comes of it.")
                elif _plain(key).startswith("sweep."):
                    problems.append(f"{word}: how a sweep is carried out cannot itself be swept.")
            else:
                axes[key] = [override.get_value_element_as_str()]
                swept.discard(key)
        except HydraException as error:
            problems.append(explain_composition(error, word, None))
    if problems:
        raise ConfigProblems(problems)
    return axes, swept


def _all_shards(word: str) -> str:
    form = _ALL_SHARDS.fullmatch(word)
    if form is None:
        return word
    count = int(form.group(2))
    return form.group(1) + ",".join(f"{index}/{count}" for index in range(count))


def _plain(key: str) -> str:
    return key.lstrip("+")


def _where(jobs: list[int], values: Sequence[Mapping[str, str]]) -> str:
    """In which jobs: nothing when in all, the value that they share and no other has, or some."""
    if len(jobs) == len(values):
        return ""
    inside, outside = set(jobs), set(range(len(values))) - set(jobs)
    some = f"\n(in {len(jobs)} of {len(values)} jobs"
    for key in values[jobs[0]]:
        here = {values[j].get(key, "") for j in inside}
        if not here & {values[j].get(key, "") for j in outside}:
            return f"{some}: {key}={','.join(sorted(here))})"
    first = ", ".join(f"{k}={v}" for k, v in values[jobs[0]].items())
    return f"{some}, the first with {first})"
