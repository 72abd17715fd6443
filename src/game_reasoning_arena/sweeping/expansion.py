"""From the words of a sweep to its jobs, each composed and checked, with all problems at once.

The grammar is that of Hydra's basic sweeper: ``a,b``, ``choice()``, ``range()`` and ``glob()``, and
``hydra.sweeper.params`` of a preset. ``shard=all/8`` stands for ``shard=0/8,1/8,...,7/8``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.command_line import as_typed
from game_reasoning_arena.configuration.explain import explain_composition
from game_reasoning_arena.configuration.hydra_internals import BASIC_SWEEPER
from game_reasoning_arena.errors import ConfigProblems
from game_reasoning_arena.preflight.backend_checks import Serving, backend_key
from game_reasoning_arena.preflight.composing import Compose, Composer
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.preflight.preparation import prepare

_ALL_SHARDS = re.compile(r"(\+{0,2}shard=)all/(\d{1,4})")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A job as the words describe it: overrides for Hydra, and its values of the swept keys."""

    overrides: list[str]
    values: dict[str, str]
    experiment: Experiment


@dataclass(kw_only=True)
class _Words:
    """Words sorted by their kind."""

    hydra: list[str]
    task: list[str]


@dataclass
class _Problems:
    """Problems, each once, with the jobs that have it."""

    found: dict[str, list[int]] = field(default_factory=dict)

    def add(self, job: int, problems: Sequence[str]) -> None:
        for problem in problems:
            jobs = self.found.setdefault(problem, [])
            if job not in jobs:
                jobs.append(job)

    def lines(self, values: Sequence[Mapping[str, str]]) -> list[str]:
        return [text + _where(jobs, values) for text, jobs in self.found.items()]


def master_config(
    compose: Compose, words: Sequence[str]
) -> tuple[DictConfig, list[str], list[str]]:
    """Return the configuration of the sweep itself: its directory, its launcher, its sweeper.

    Returns:
        The configuration; the words without those about Hydra that do not compose; and the problems
        with these. Other words that do not compose are reported job by job.
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
    if sweeper != BASIC_SWEEPER:
        wrong.append(
            f"hydra/sweeper={cfg.hydra.runtime.choices.get('hydra/sweeper')} is not supported: "
            "a sweep is a grid (hydra/sweeper=basic)."
        )
    return cfg, kept, wrong


def expand(
    compose: Compose,
    words: list[str],
    cfg: DictConfig,
    *,
    check_backends: bool,
    catalog: Catalog | None = None,
) -> list[Candidate]:
    """Return all jobs in the order of Hydra's basic sweeper: the last key varies fastest.

    Args:
        compose: makes configurations.
        words: overrides for Hydra, sweeps included.
        cfg: from :func:`master_config`.
        check_backends: whether to ask the backends if they can serve here and now.
        catalog: a catalog already read.

    Raises:
        ConfigProblems: all problems, each once, with the jobs that have it.
    """
    parts = _sorted(words)
    presets = [f"{key}={value}" for key, value in (cfg.hydra.sweeper.get("params") or {}).items()]
    axes, given, unreadable = _choices([*presets, *parts.task])
    swept = [key for key, values in axes.items() if len(values) > 1 or key in given]
    combinations = [list(c) for c in itertools.product(*axes.values())]
    overrides = [[f"{k}={v}" for k, v in zip(axes, c, strict=True)] for c in combinations]
    values = [
        {_plain(k): v for k, v in zip(axes, c, strict=True) if k in swept} for c in combinations
    ]
    problems = _Problems()
    candidates = []
    serving = Serving()
    composer = Composer(compose, parts.hydra)
    wrong: dict[str, str] = {}  # words that do not compose; reported once, then left out
    for number, job in enumerate(overrides):
        problems.add(number, [wrong[word] for word in job if word in wrong])
        try:
            job_cfg = composer([word for word in job if word not in wrong])
        except ConfigProblems as error:
            problems.add(number, error.problems)
            heads = [(w, f"{as_typed(w)}: ") for w in job]
            wrong |= {
                w: text for w, head in heads for text in error.problems if text.startswith(head)
            }
            continue
        try:
            experiment = prepare(
                job_cfg, check_backends=check_backends, serving=serving, catalog=catalog
            )
        except ConfigProblems as error:
            problems.add(number, error.problems)
            continue
        experiment.config["sweep"]["resume"] = None
        candidates.append(Candidate(overrides=job, values=values[number], experiment=experiment))
    if unreadable or problems.found:
        raise ConfigProblems([*unreadable, *problems.lines(values)])
    return candidates


def share_backends(experiments: Sequence[Experiment]) -> list[Experiment]:
    """Return the experiments with one backend object per distinct backend configuration."""
    shared: dict[str, BaseLLMBackend] = {}
    return [
        replace(
            experiment,
            backends={
                prefix: shared.setdefault(
                    backend_key(prefix, experiment.config["backend"][prefix]), backend
                )
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


def _choices(words: list[str]) -> tuple[dict[str, list[str]], set[str], list[str]]:
    """Return each key with its values, later words winning; the keys given as a sweep; and the
    problems with words that are left out.
    """
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
                values = list(override.sweep_string_iterator())
                if not values:
                    problems.append(f"{word}: no value comes of it.")
                elif _plain(key).startswith("sweep."):
                    problems.append(f"{word}: how a sweep is carried out cannot itself be swept.")
                else:
                    axes[key] = values
                    swept.add(key)
            else:
                axes[key] = [override.get_value_element_as_str()]
                swept.discard(key)
        except HydraException as error:
            problems.append(explain_composition(error, word, None))
    return axes, swept, problems


def _all_shards(word: str) -> str:
    form = _ALL_SHARDS.fullmatch(word)
    if form is None:
        return word
    count = int(form.group(2))
    return form.group(1) + ",".join(f"{index}/{count}" for index in range(count))


def _plain(key: str) -> str:
    return key.lstrip("+")


def _where(jobs: list[int], values: Sequence[Mapping[str, str]]) -> str:
    """Return the jobs of a problem: nothing for all, a value that exactly they share, or some."""
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
