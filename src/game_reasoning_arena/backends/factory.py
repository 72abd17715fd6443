"""From a backend's configuration to the backend: the one place where ``_target_`` is followed.

    litellm = make_backend("litellm", {"_target_": "...LiteLLMBackend", "timeout_s": 60})

A configuration can come from anywhere, and ``_target_`` names code to be run. So only classes of
this package are made, unless the user names others in ``trusted_targets``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from
from game_reasoning_arena.process.faults import describe_fault
from game_reasoning_arena.process.paths import conf_dirs

_PACKAGE = "game_reasoning_arena"
_SPECIAL = ("_target_", "_args_", "_partial_", "_recursive_", "_convert_")


def make_backend(
    prefix: str, conf: Mapping[str, Any], *, trusted_targets: Sequence[str] = ()
) -> BaseLLMBackend:
    """Make the backend of a prefix.

    Args:
        prefix: its key in the ``backend`` config node.
        conf: ``_target_`` and the keyword arguments of that class, as plain values.
        trusted_targets: dotted prefixes outside this package that the user allows.

    Raises:
        UserError: a target that is not trusted or no backend, or an argument it does not take.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    where = f"backend.{prefix}"
    target = conf.get("_target_")
    if not isinstance(target, str):
        raise UserError(
            f"{where}._target_ is {target!r}; it must name the backend's class, such as "
            "'game_reasoning_arena.backends.scripted_backend.ScriptedBackend'."
        )
    check_target(target, (_PACKAGE, *trusted_targets), where=f"{where}._target_")
    settings = {str(key): value for key, value in conf.items() if key != "_target_"}
    for path, special, value in _special_keys(settings, where):
        if special != "_target_":
            raise UserError(f"{path} is not allowed in a backend's configuration; remove it.")
        check_target(value, trusted_targets, where=path)
    cls = _backend_class(target, where)
    _check_keywords(cls, settings, where)
    try:
        backend = instantiate({"_target_": target, **settings}, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError):
            raise UserError(f"{where}: {cls.__name__} refused: {cause}.") from error
        raise UserError(
            f"{where}: {cls.__name__} cannot be made: {describe_fault(cause or error)}."
        ) from error
    assert isinstance(backend, BaseLLMBackend)
    if not hasattr(backend, "_lanes"):
        raise UserError(
            f"{where}: {cls.__name__}.__init__ must call super().__init__(...), which keeps limits "
            "and retries."
        )
    return backend


def check_target(
    target: object, trusted_targets: Sequence[str], *, where: str = "_target_"
) -> None:
    """Refuse a target that is not below a trusted dotted prefix.

    Raises:
        UserError: names the target and how to trust it.
    """
    if not isinstance(target, str):
        raise UserError(f"{where} is {target!r}; it must be a dotted name.")
    trusted = [prefix.rstrip(".") for prefix in trusted_targets if prefix.strip(".")]
    well_formed = "." in target and all(part.isidentifier() for part in target.split("."))
    if not well_formed or not any(f"{target}.".startswith(f"{p}.") for p in trusted):
        module = target.rpartition(".")[0] or target
        raise UserError(
            f"{where} is {target!r}, which no trusted name covers, so it is not run. If you wrote "
            f"or trust that code, say so with 'trusted_targets=[{module}]'."
        )


def default_backend_confs() -> dict[str, dict[str, Any]]:
    """The settings of every backend file in the configuration directories, by prefix.

    For use without Hydra: a file of the user's replaces the shipped one of its name.

    Raises:
        ConfigProblems: files that cannot be read as a mapping.
    """
    import yaml

    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for folder in conf_dirs():
        for path in sorted((folder / "backend").glob("*.yaml")):
            try:
                data = yaml.safe_load(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError) as error:
                problems.append(f"{path}: cannot be read: {' '.join(str(error).split())}.")
                continue
            if not isinstance(data, dict):
                problems.append(f"{path}: a backend file holds `_target_` and its settings.")
                continue
            data.pop("defaults", None)
            found[path.stem] = data
    if problems:
        raise ConfigProblems(problems)
    return found


def _special_keys(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Every key that ``instantiate`` gives a meaning to, however deep: path, key and value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            here = f"{path}.{key}"
            if key in _SPECIAL:
                yield here, key, item
            yield from _special_keys(item, here)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _special_keys(item, f"{path}[{index}]")


def _backend_class(target: str, where: str) -> type[BaseLLMBackend]:
    module_name, _, class_name = target.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(missing + "."):
            raise UserError(
                f"{where}._target_ is {target!r}, but there is no module {missing!r}."
            ) from error
        raise UserError(
            f"{where} needs the package {missing!r}, which is not installed."
        ) from error
    except Exception as error:
        raise UserError(
            f"{where}._target_ is {target!r}, which cannot be imported: {describe_fault(error)}."
        ) from error
    found = getattr(module, class_name, None)
    if found is None:
        raise UserError(
            f"{where}._target_ is {target!r}, but {module_name!r} has no {class_name!r}. "
            + choose_from(class_name, _backends_in(module))
        )
    # A trusted name may be an alias of something else; only what it leads to counts.
    if not (isinstance(found, type) and issubclass(found, BaseLLMBackend)):
        raise UserError(
            f"{where}._target_ is {target!r}, which is no backend; it must be a subclass of "
            "game_reasoning_arena.backends.BaseLLMBackend."
        )
    return found


def _backends_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseLLMBackend)
    ]


def _check_keywords(cls: type[BaseLLMBackend], settings: Mapping[str, Any], where: str) -> None:
    taken, closed = _parameters(cls)
    problems = [
        f"{where}.{key} is no setting of {cls.__name__}. {choose_from(key, taken, limit=30)}"
        for key in settings
        if closed and key not in taken
    ]
    problems += [
        f"{where}.{name} is missing: {cls.__name__} needs it."
        for name, parameter in taken.items()
        if parameter.default is inspect.Parameter.empty and name not in settings
    ]
    problems += [
        f"{where}.{key} is {settings[key]!r}; it must be {_wanted(parameter.annotation)}."
        for key, parameter in taken.items()
        if key in settings and not _fits(settings[key], parameter.annotation)
    ]
    if problems:
        raise ConfigProblems(problems)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is of an annotated type; types that are not plain fit anything."""
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (bool, str, NoneType) else True


def _wanted(hint: Any) -> str:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    return " or ".join(words.get(option, "null") for option in options)


def _parameters(cls: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """What a class takes by name, with what ``**`` passes on to its bases; whether that is all."""
    taken: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(_signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)
        for parameter in parameters:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                taken.setdefault(parameter.name, parameter)
        if not passes_on:
            return taken, True
    return taken, False


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except NameError:  # an annotation that only type checkers can see
        return inspect.signature(function)
