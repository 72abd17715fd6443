"""Templates that turn a row's question into a message, in sandboxed Jinja.

A template is a shipped one, the path of a ``.j2`` file, or Jinja itself. Shipped are ``plain`` (the
question as it stands), ``line`` (with its choices and the request to end with ``Final Answer: X``)
and ``json``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.process.files import read_text

SHIPPED = Path(__file__).resolve().parent / "templates"

#: Variables of a question's template.
VARIABLES = {
    "prompt": "the question",
    "choices": "the choices, each with `label` and `text`; empty where there are none",
    "row": "all columns of the row but the one with the answer",
    "id": "the row's id",
    "group": "the row's group; none where there is none",
}
#: Variables of the template of an example's answer.
ANSWER_VARIABLES = {**VARIABLES, "row": "all columns of the row", "expected": "the right answer"}


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False, trim_blocks=False
    )


class RowTemplate:
    """A compiled template.

    Args:
        text: a shipped name, a path of a ``.j2`` file, or Jinja itself.
        where: the setting, for errors.
        variables: the variables that it may use.

    Raises:
        UserError: there is no such template, or it is wrong.
    """

    def __init__(self, text: str, where: str, variables: dict[str, str] | None = None) -> None:
        known = VARIABLES if variables is None else variables
        self._where = where
        self.name = text
        self.source = _source(text, where)
        try:
            env = _environment()
            unknown = sorted(meta.find_undeclared_variables(env.parse(self.source)) - known.keys())
            if unknown:
                raise UserError(
                    f"{where} uses an unknown variable {' and '.join(map(repr, unknown))}. "
                    + choose_from(unknown[0], known)
                )
            self._template: Template = env.from_string(self.source)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise UserError(f"{where}{f', line {line}' if line else ''}: {error}") from error

    def __call__(self, **values: Any) -> str:
        """Render the template.

        Raises:
            UserError: the template fails on these values.
        """
        try:
            return self._template.render(**values).strip()
        except Exception as error:  # a user's template may raise anything
            raise UserError(f"{self._where} fails: {error}") from error


def value_template(text: str, where: str) -> Callable[..., str]:
    """Return a template over ``row`` alone, for columns that are given by one.

    Raises:
        UserError: the template is wrong.
    """
    return RowTemplate(text, where, {"row": "all columns of the row"})


def shipped() -> list[str]:
    """Return the names of the shipped templates."""
    return sorted(path.stem for path in SHIPPED.glob("*.j2"))


def _source(text: str, where: str) -> str:
    if "{{" in text or "{%" in text:
        return text
    path = SHIPPED / f"{text}.j2"
    if "/" in text or text.endswith(".j2"):
        path = Path(text).expanduser()
    try:
        return read_text(path)
    except FileNotFoundError:
        raise UserError(
            f"{where}={text!r}: there is no such template. {choose_from(text, shipped())} Or give "
            "the path of a .j2 file, or Jinja itself: '{{ prompt }}'."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{where}={text!r} cannot be read: {error}.") from error
