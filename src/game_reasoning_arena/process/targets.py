"""Classes named in a configuration by ``_target_``: the one place that imports them.

parrot = follow({"_target_": "my_backends.Parrot", "word": "hello"}, BaseLLMBackend, ...)()

A configuration can come from anywhere, and ``_target_`` names code to run. So only classes of this
package are used, unless the user names others in ``trusted_targets``; this is checked before any
import.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from, near
from game_reasoning_arena.process.faults import describe_fault
from game_reasoning_arena.process.paths import standing

T = TypeVar("T")

PACKAGE = "game_reasoning_arena"
#: How the user can trust a name with the present command.
HOW_TO_TRUST: ContextVar[str] = ContextVar("how_to_trust", default="'trusted_targets=[{}]'")
_SPECIAL = ("_target_", "_args_", "_partial_", "_recursive_", "_convert_")


@dataclass(frozen=True)
class Constructor(Generic[T]):
    """A class from a configuration with its checked settings; call it to make the object."""

    target: str
    cls: type[T]
    settings: Mapping[str, Any]
    where: str

    def __call__(self, *args: Any, **given: Any) -> T:
        """Return a new object.

        Args:
            args: positional arguments, before the settings.
            given: further arguments that are not the user's; only those that the class takes are
                passed.

        Raises:
            UserError: the class refuses its settings, or fails.
        """
        from hydra.errors import InstantiationException
        from hydra.utils import instantiate

        conf = {"_target_": self.target, **self.settings}
        wanted = {name: value for name, value in given.items() if name in self.parameters}
        try:
            # Partial, so that Hydra converts the settings to plain values and leaves ``given``
            # alone.
            made: T = instantiate(conf, _convert_="all", _partial_=True)(*args, **wanted)
        except UserError:
            raise
        except Exception as error:
            cause = error.__cause__ if isinstance(error, InstantiationException) else error
            if isinstance(cause, UserError):
                raise cause from None
            if isinstance(cause, TypeError | ValueError):
                raise UserError(f"{self.where}: {self.cls.__name__} refused: {cause}.") from error
            raise UserError(
                f"{self.where}: {self.cls.__name__} cannot be made: "
                f"{describe_fault(cause or error)}."
            ) from error
        return made

    @cached_property
    def parameters(self) -> Collection[str]:
        """The names of the class's constructor parameters."""
        return parameters_of(self.cls)

    @property
    def source(self) -> Path | None:
        """The file of the class; None if there is none."""
        try:
            file = inspect.getsourcefile(self.cls)
        except TypeError:
            return None
        return Path(file) if file else None


def follow(
    conf: Mapping[str, Any],
    base: type[T],
    *,
    where: str,
    noun: str,
    trusted_targets: Sequence[str] = (),
    first: int = 0,
    given: Collection[str] = (),
    beside: Callable[[type[T]], Collection[str]] = lambda cls: (),
) -> Constructor[T]:
    """Import the class that a configuration names and check its settings.

    Args:
        conf: ``_target_`` and the keyword arguments of that class, as plain values.
        base: the required base class.
        where: the configuration's key, such as ``backend.parrot``.
        noun: the kind of class, such as ``backend``, for errors.
        trusted_targets: dotted prefixes outside this package that the user allows.
        first: the number of constructor parameters that are filled by position.
        given: further parameters that are not the user's to set.
        beside: returns the keys of the configuration that belong to the caller, not to the class.

    Raises:
        UserError: a target that is not trusted, is absent or is no such class.
        ConfigProblems: settings that the class does not take, lacks, or that have another type.
    """
    target = conf.get("_target_")
    if not isinstance(target, str):
        raise UserError(
            f"{where}._target_ is {target!r}; it must name the {noun}'s class, MODULE.CLASS."
        )
    if target.isidentifier() and target in trusted_targets:
        _load_class(f"{target}.", base, where, noun)  # raises, and lists the module's classes
    check_target(target, (PACKAGE, *trusted_targets), where=f"{where}._target_")
    settings = {str(key): value for key, value in conf.items() if key != "_target_"}
    for path, special, value in _special_keys(settings, where):
        if special != "_target_":
            raise UserError(f"{path} is not allowed in a {noun}'s configuration; remove it.")
        check_target(value, trusted_targets, where=path)
    cls = _load_class(target, base, where, noun)
    not_its_own = beside(cls)
    settings = {key: value for key, value in settings.items() if key not in not_its_own}
    _check_settings(cls, settings, where, first, given, not_its_own)
    return Constructor(target, cls, settings, where)


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
    if target.isidentifier():
        raise UserError(f"{where} is {target!r}, where a name is missing: write {target}.NAME.")
    if not well_formed or not any(f"{target}.".startswith(f"{p}.") for p in trusted):
        module = target.rpartition(".")[0] or target
        raise UserError(
            f"{where} is {target!r}, which no trusted name covers, so it is not run. If you wrote "
            f"or trust that code, allow it with {HOW_TO_TRUST.get().format(module)}."
        )


def parameters_of(cls: type) -> Collection[str]:
    """Return the names of a class's constructor parameters."""
    return _parameters(cls)[0].keys()


def look_in_working_directory(trusted_targets: Collection[str]) -> None:
    """Let trusted modules lie where the user called the command, as with ``python -m``.

    The working directory recorded in a run directory does not count: it may be somebody else's.
    """
    if trusted_targets and (here := str(standing())) not in sys.path:
        sys.path.append(here)


def _special_keys(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Yield path, key and value of every key, at any depth, that is special to ``instantiate``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            here = f"{path}.{key}"
            if key in _SPECIAL:
                yield here, key, item
            yield from _special_keys(item, here)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _special_keys(item, f"{path}[{index}]")


def _load_class(target: str, base: type[T], where: str, noun: str) -> type[T]:
    def fitting(value: object) -> bool:
        return isinstance(value, type) and issubclass(value, base) and value is not base

    found = import_named(target, where=f"{where}._target_", fitting=fitting)
    # A trusted name may be an alias of something else; the real name counts.
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(
            f"{where}._target_ is {target!r}, which is no {noun}; it must be a subclass of "
            f"{_public_name(base)}."
        )
    return found


def import_named(target: str, *, where: str, fitting: Callable[[object], bool] = callable) -> Any:
    """Import the object of a dotted name; the caller has called :func:`check_target` before.

    Args:
        target: ``MODULE.NAME`` or ``MODULE:NAME``.
        where: the setting that holds it.
        fitting: whether an object of the module is worth suggesting instead.

    Raises:
        UserError: there is no such module or name, or the module cannot be imported.
    """
    module_name, _, name = target.replace(":", ".").rpartition(".")
    what = f"{where} is {target.rstrip('.')!r}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(missing + "."):
            close = near(missing, (found.name for found in pkgutil.iter_modules([str(Path.cwd())])))
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise UserError(f"{what}, but there is no module {missing!r}.{hint}") from error
        raise UserError(
            f"{where} needs the package {missing!r}, which is not installed."
        ) from error
    except Exception as error:
        raise UserError(f"{what}, which cannot be imported: {describe_fault(error)}.") from error
    if not hasattr(module, name):
        others = [other for other, value in vars(module).items() if fitting(value)]
        own = [other for other in others if not other.startswith("_")]
        if not name:
            here = [n for n in own if getattr(module, n).__module__ == module_name]
            names = " or ".join(f"{module_name}.{other}" for other in here)
            raise UserError(f"{what}, a module. Name the class: {names or f'{module_name}.CLASS'}")
        raise UserError(f"{what}, but {module_name!r} has no {name!r}. {choose_from(name, own)}")
    found = getattr(module, name)
    home = str(getattr(found, "__module__", None))
    if f"{module_name}.".startswith(f"{PACKAGE}.") and not f"{home}.".startswith(f"{PACKAGE}."):
        raise UserError(f"{what}, which is no part of this package, only imported there.")
    return found


def _public_name(base: type) -> str:
    """Return the shortest dotted name that imports a class of this package."""
    package = base.__module__.rpartition(".")[0]
    face = sys.modules.get(package)
    home = package if getattr(face, base.__name__, None) is base else base.__module__
    return f"{home}.{base.__name__}"


def _check_settings(
    cls: type,
    settings: Mapping[str, Any],
    where: str,
    first: int,
    given: Collection[str],
    others: Collection[str],
) -> None:
    """Check settings against the constructor; ``others`` are settings checked elsewhere."""
    taken, closed = _parameters(cls)
    by_position = list(taken)[:first]
    taken = {n: p for n, p in taken.items() if n not in by_position and n not in given}
    problems = [
        f"{where}.{key} is no setting of {cls.__name__}. {_choices(key, [*taken, *others])}"
        for key in settings
        if key in by_position or key in given or (closed and key not in taken)
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


def _choices(key: str, taken: Iterable[str]) -> str:
    names = list(taken)
    return choose_from(key, names, limit=30) if names else "It has none."


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a plain value fits an annotated type; types that are not plain fit any."""
    import msgspec

    if not _is_plain(hint):
        return True
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    except TypeError:  # a union that msgspec cannot tell apart
        return True
    return True


#: Types of a configuration's values, and of the collections of them. YAML has lists alone, so that
#: one fits a tuple or a set.
_PLAIN = (bool, int, float, str, NoneType)
_COLLECTIONS = (list, tuple, set, frozenset, dict, Sequence, Collection, Mapping)


def _is_plain(hint: Any) -> bool:
    """Return whether an annotation is made of plain types alone."""
    origin = get_origin(hint)
    if origin is None or origin is Literal:
        return origin is Literal or hint is Any or hint in (*_PLAIN, *_COLLECTIONS)
    inner = (argument for argument in get_args(hint) if argument is not Ellipsis)
    return origin in (Union, UnionType, *_COLLECTIONS) and all(map(_is_plain, inner))


def _wanted(hint: Any) -> str:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return " or ".join(_in_words(option) for option in options)


def _in_words(hint: Any) -> str:
    origin = get_origin(hint) or hint
    if origin is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if origin in _COLLECTIONS:
        shape = "{a:x,b:y}" if origin in (dict, Mapping) else "[a,b]"
        return f"{inspect.formatannotation(hint)}, written {shape}"
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    return words.get(hint, "null")


def _parameters(cls: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return a class's named parameters with those that ``**`` passes to its bases, and if all are
    known.
    """
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
    except NameError:  # an annotation that exists for type checkers only
        return inspect.signature(function)
