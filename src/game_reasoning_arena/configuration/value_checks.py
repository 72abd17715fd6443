"""The parts of a configuration that can be checked by their values alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from game_reasoning_arena.catalog.sampling import parse_sampling
from game_reasoning_arena.configuration.explain import wanted_value
from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from, near
from game_reasoning_arena.process.paths import user_conf
from game_reasoning_arena.records import Sampling
from game_reasoning_arena.schema import ArenaConf, FailurePolicy, ProviderConf

T = TypeVar("T")

#: Records and tables hold whole numbers in 64 bits.
LARGEST = 2**63 - 1


class Problems:
    """Collects problems in order, each once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        """Note one problem."""
        if text not in self.found:
            self.found.append(text)

    def add_all(self, texts: Iterable[str]) -> None:
        """Note several problems."""
        for text in texts:
            self.add(text)

    def raise_found(self) -> None:
        """Raise ConfigProblems if anything was noted."""
        if self.found:
            raise ConfigProblems(self.found)

    def replace(self, beginning: str, text: str) -> None:
        """Replace the problem that begins so by ``text``."""
        self.found = [text if problem.startswith(beginning) else problem for problem in self.found]

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Return the result, or None after noting the user errors that it raised."""
        try:
            return make()
        except ConfigProblems as error:
            self.add_all(error.problems)
        except UserError as error:
            self.add(str(error))
        except OmegaConfBaseException as error:
            self.add(explain_value(error))
        return None


def explain_value(error: OmegaConfBaseException, key: str | None = None) -> str:
    """Explain an OmegaConf error about one value in one sentence with its key."""
    message = str(error.msg or error).splitlines()[0]
    key = error.full_key or "" if key is None else key
    if (wanted := wanted_value(message)) is not None:
        value, wish = wanted
        return f"{key}={value}: {wish}" if key else f"{value}: {wish}"
    return f"{key}: {message}" if key else message


#: Groups whose settings depend on what is chosen, so that the schema gives them no type.
_GROUPS = ("agents", "backend", "simulation")


def check_completeness(config: Mapping[str, Any]) -> None:
    """Check that a main configuration of the user's own has all keys that a run needs.

    Raises:
        ConfigProblems: a key is missing, or a group of settings is none.
    """
    missing = [field.name for field in fields(ArenaConf) if field.name not in config]
    if missing:
        own = user_conf()
        where = (
            f"{own / 'config.yaml'} replaces the shipped main configuration and"
            if own and (own / "config.yaml").is_file()
            else "The main configuration"
        )
        raise ConfigProblems(
            [
                f"{where} does not set {', '.join(missing)}. Rename it if it belongs to another "
                "program, or begin it with `defaults: [/schema/arena@_global_, ...]`."
            ]
        )
    wrong = [key for key in _GROUPS if not isinstance(config[key], Mapping)]
    if wrong:
        raise ConfigProblems(
            [f"{key}={config[key]}: {key} is a group of settings, not one value." for key in wrong]
        )


def check_names(cfg: DictConfig, problems: Problems) -> None:
    """Report keys beside the known ones (``+temperature=0``), which would change nothing.

    One that another setting refers to (``agents.player_0.model=${mine}``) is allowed.
    """
    unknown = unknown_names(cfg)
    if not unknown:
        return
    known = [field.name for field in fields(ArenaConf)]
    text = written(cfg)
    homes = {
        name: f"{group}.{name}"
        for group in known
        if isinstance(node := cfg.get(group), DictConfig)
        for name in map(str, node)
    }
    for key in unknown:
        if refers_to(text, key):
            continue
        meant = near(key, known) or [homes[name] for name in near(key, homes, n=1)]
        problems.add(
            f"{key} is no setting and would change nothing. "
            + (f"Did you mean {meant[0]}?" if meant else choose_from(key, known, limit=30))
        )


def unknown_names(cfg: DictConfig) -> list[str]:
    """Return the keys of a configuration that no setting has."""
    known = {field.name for field in fields(ArenaConf)} | {"hydra"}
    return [str(key) for key in cfg if key not in known]


def written(cfg: DictConfig) -> str:
    """Return a configuration as text, with its references as they were written."""
    return repr(OmegaConf.to_container(cfg, resolve=False))


def refers_to(text: str, key: str) -> bool:
    """Return whether a reference (``${key}``, ``${..key.below}``, ``${oc.select:key}``) names the
    key.
    """
    return re.search(rf"\$\{{[^}}]*\b{re.escape(key)}\b", text) is not None


#: Episodes of one run; each takes some memory and a line.
MOST_EPISODES = 10_000_000


def check_ranges(config: Mapping[str, Any], problems: Problems) -> None:
    """Report numbers that are out of range, or no numbers."""
    jobs = config["sweep"]["parallel_jobs"]
    whole = {"episodes": config["episodes"], "concurrency": config["concurrency"]}
    for key, value in {**whole, "sweep.parallel_jobs": jobs}.items():
        if not _at_least(1, value):
            problems.add(f"{key}={value}: give a whole number of at least 1.")
    if _at_least(MOST_EPISODES + 1, config["episodes"]):
        problems.add(
            f"episodes={config['episodes']}: more than {MOST_EPISODES:,} are none that a run can "
            "hold. Give fewer, or several runs other seeds."
        )
    if not _at_least(0, config["seed"]):
        problems.add(f"seed={config['seed']}: give a whole number from 0 to {LARGEST}.")
    for where, number in _whole_numbers(config):
        if abs(number) > LARGEST:
            problems.add(f"{where}={number}: the largest number is {LARGEST}.")
    failure = config["on_failure"]
    policies = [policy.value for policy in FailurePolicy]
    if failure["policy"] not in policies:
        problems.add(
            f"on_failure.policy={failure['policy']} is unknown. "
            + choose_from(str(failure["policy"]), policies)
        )
    if not _at_least(0, failure["rethinks"]):
        problems.add(f"on_failure.rethinks={failure['rethinks']}: give 0 or more.")
    budgets = {"budget": config["budget"], "sweep.budget": config["sweep"]["budget"]}
    for where, limits in budgets.items():
        for key, limit in limits.items():
            if limit is not None and not (isinstance(limit, int | float) and limit > 0):
                problems.add(f"{where}.{key}={limit}: give more than 0, or null for no limit.")


def _at_least(least: int, value: object) -> bool:
    """Return whether a value is a whole number; other versions' files may hold anything."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _whole_numbers(node: object, where: str = "") -> Iterator[tuple[str, int]]:
    """Yield each whole number of a configuration, with its key."""
    if isinstance(node, Mapping):
        for key, below in node.items():
            yield from _whole_numbers(below, f"{where}.{key}" if where else str(key))
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from _whole_numbers(below, f"{where}[{index}]")
    elif isinstance(node, int):
        yield where, node


def check_sampling(values: Mapping[str, Any], where: str, problems: Problems) -> Sampling:
    """Return sampling parameters, those that are right."""
    sampling, wrong = parse_sampling(values, where)
    problems.add_all(wrong)
    return sampling


def against_schema(
    kind: type, values: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], list[str]]:
    """Return ``values`` in the form of a schema, defaults in place of what is missing or wrong.

    Returns:
        The values, and the problems with the given ones, each with its key.
    """
    node = OmegaConf.structured(kind)
    wrong = _merge_each(node, values, where)
    filled = OmegaConf.to_container(node, resolve=True, enum_to_str=True)
    assert isinstance(filled, dict)
    return {str(key): value for key, value in filled.items()}, wrong


def with_types(config: Mapping[str, Any]) -> DictConfig:
    """Return a configuration that was read from a file of a run, in the types of the schema.

    Raises:
        ConfigProblems: values of other types.
    """
    typed = OmegaConf.structured(ArenaConf)
    OmegaConf.set_struct(typed, False)  # settings of another version are not this check's concern
    try:
        merged = OmegaConf.merge(typed, dict(config))
    except OmegaConfBaseException as error:
        groups = [
            f.name for f in fields(ArenaConf) if is_dataclass(OmegaConf.get_type(typed, f.name))
        ]
        wrong = [key for key in groups if not isinstance(config.get(key, {}), Mapping)]
        raise ConfigProblems(
            [f"{key}={config[key]}: {key} is a group of settings, not one value." for key in wrong]
            or [explain_value(error)]
        ) from error
    assert isinstance(merged, DictConfig)
    return merged


def _merge_each(node: DictConfig, values: Mapping[Any, Any], where: str) -> list[str]:
    """Put values into a typed node one by one, so that each wrong one is reported."""
    known = [str(key) for key in node]
    wrong: list[str] = []
    for key, value in values.items():
        below = node.get(key) if key in known else None
        typed = isinstance(below, DictConfig) and is_dataclass(OmegaConf.get_type(below))
        if key not in known:
            groups = [name for name in known if isinstance(node.get(name), DictConfig)]
            inside = [f"{name}.{key}" for name in groups if key in node[name]]
            hint = f"Did you mean {where}.{inside[0]}?" if inside else choose_from(str(key), known)
            wrong.append(f"{where}.{key} is no known setting. {hint}")
        elif isinstance(below, DictConfig) and typed and isinstance(value, Mapping):
            wrong += _merge_each(below, value, f"{where}.{key}")
        else:
            try:
                OmegaConf.update(node, str(key), value, merge=False)
            except OmegaConfBaseException as error:
                wrong.append(explain_value(error, f"{where}.{key}"))
    return wrong


def check_providers(node: Any, problems: Problems) -> dict[str, dict[str, Any]]:
    """Return the ``provider`` node, without what its entries do not set or set wrongly."""
    if not isinstance(node, Mapping):
        problems.add(f"provider={node!r}: give +provider.NAME.api_base=... and the like.")
        return {}
    checked = {}
    for name, values in node.items():
        if not isinstance(values, Mapping):
            problems.add(f"provider.{name}={values!r}: give provider.{name}.api_base=... instead.")
            continue
        if "api_key" in values:
            problems.add(
                f"provider.{name}.api_key: keys do not belong into a configuration. Put the key "
                f"into an environment variable and name it: provider.{name}.api_key_env=MY_KEY"
            )
            continue
        filled, wrong = against_schema(ProviderConf, values, f"provider.{name}")
        problems.add_all(wrong)
        checked[str(name)] = {k: v for k, v in filled.items() if v is not None and v != {}}
    return checked
