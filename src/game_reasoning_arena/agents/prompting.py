"""Prompt templates: Jinja2 files that declare their form of answer.

A template sets ``{% set answer_form = "line" %}`` (or ``"json"``) and has the blocks ``system``,
``user`` and ``feedback``; it may extend a shipped one (``{% extends "line.j2" %}``) and replace
any block. :data:`VARIABLES` lists the variables; any other is an error before the run. It may
include and import shipped templates and files beside it whose names end in ``.j2``. Templates run
in
Jinja2's sandbox with bounded time, output and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from jinja2 import DictLoader, TemplateError, meta, nodes
from jinja2.runtime import Context

from game_reasoning_arena.agents.template_limits import BoundedEnvironment
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.process.profiling import part

#: The variables of templates, by name.
VARIABLES: dict[str, str] = {
    "game": "the game's short name",
    "rules": "the rules as text, or none",
    "system_prompt": "agents.player_N.system_prompt, or none",
    "seat": "the seat that is asked, from 0",
    "seats": "how many seats there are",
    "turn": "decisions before this one in the episode",
    "history": "the moves that this seat knows of, oldest first; with memory only the new ones",
    "state": "what this seat may see, as text",
    "legal_moves": "the names of the legal moves",
    "show_legal_moves": "agents.player_N.show_legal_moves",
    "memory": "agents.player_N.memory",
    "failure": "in feedback: what was wrong, one of the outcomes",
    "answer": "in feedback: the declared answer as written, shortened where it is long, or none",
    "fits": "in feedback: the legal moves that an answer which is not plain names",
}
BLOCKS = ("system", "user", "feedback")

#: The most rendered texts that a template keeps.
KEPT = 2048
_FAILURES = ("illegal", "unparsable", "truncated", "empty", "refused")
#: Values with which a template is tried.
_TRIAL: dict[str, Any] = {
    "game": "a_game",
    "rules": "The rules.",
    "system_prompt": None,
    "seat": 0,
    "seats": 2,
    "turn": 2,
    "history": ["player 0: a1", "player 1: a2"],
    "state": "a b",
    "legal_moves": ["a3", "b1"],
    "show_legal_moves": True,
    "memory": False,
    "failure": None,
    "answer": None,
    "fits": [],
}
#: The largest template file in bytes.
MOST_TEMPLATE = 1 << 20
SHIPPED = Path(__file__).resolve().parent / "templates"

AnswerForm = Literal["line", "json"]


def shipped_templates() -> list[str]:
    """Return the names of shipped templates, for ``agents.player_N.template``."""
    return sorted(path.stem for path in SHIPPED.glob("*.j2"))


#: Templates whose files are missing here, by their paths; see :func:`recorded_templates`.
_recorded: dict[str, Mapping[str, str]] = {}


class Template:
    """A prompt template, compiled.

    Args:
        template: a shipped template's name, or the path of a Jinja2 file (``~`` is expanded; paths
            are relative to the working directory).
        sources: its text and those of the templates that it extends, by file name, its own first;
            None reads them from their files.

    Raises:
        UserError: there is no such template, its syntax is wrong, it uses an unknown variable, or
            it lacks a block or the answer form.
    """

    def __init__(self, template: str, sources: Mapping[str, str] | None = None) -> None:
        self.name = template
        #: The texts of the template and of those it names, by file name.
        self.sources: dict[str, str] = {}
        folder = None
        if sources:
            first = next(iter(sources))
        else:
            path = _path(template)
            folder, first = path.parent, path.name
        self._found = _Sources(template, first, folder, sources or {})
        env = BoundedEnvironment(DictLoader(self.sources), bounded=is_file(template))
        try:
            #: By name, a template's own block before the one that it extends.
            self._blocks: dict[str, list[Callable[..., Iterator[str]]]] = {}
            self._trees: dict[str, nodes.Block] = {}
            self._rendered: dict[tuple[Any, ...], str] = {}
            self._env = env
            self._globals = env.make_globals(None)
            answer_form = self._load(first, env)
            #: The variables that a block may use, by block.
            self.uses = {block: self._used(block) for block in BLOCKS if block in self._trees}
        except UserError:
            raise
        except Exception as error:  # Jinja2 compiles to Python, which may fail in any way
            line = getattr(error, "lineno", None)
            where = f"{template}, line {line}" if line else template
            raise UserError(f"The prompt template {where}: {_in_words(error)}") from error
        missing = [block for block in BLOCKS if block not in self._blocks]
        if missing:
            raise UserError(
                f"The prompt template {template} has no block {missing[0]!r}. It needs the blocks "
                f'{", ".join(BLOCKS)}, or `{{% extends "line.j2" %}}`.'
            )
        if answer_form is None:
            raise UserError(
                f"The prompt template {template} does not say how to answer. Begin it with "
                '`{% set answer_form = "line" %}` or `{% set answer_form = "json" %}`.'
            )
        self.answer_form: AnswerForm = answer_form
        self._try_out()

    def _load(self, name: str, env: BoundedEnvironment) -> AnswerForm | None:
        answer_form: AnswerForm | None = None
        following: str | None = name
        visited: set[str] = set()
        reached = set(BLOCKS)  # and blocks inside these, or called by them
        while following is not None:
            if following in visited:
                raise UserError(f"The prompt template {self.name} extends itself.")
            visited.add(following)
            self.sources[following] = self._found(following)
            tree = env.parse(self.sources[following])
            self._take_parts(tree, env)
            unknown = sorted(meta.find_undeclared_variables(tree) - VARIABLES.keys() - {"self"})
            if unknown:
                raise UserError(
                    f"The prompt template {self.name} uses an unknown variable "
                    f"{' and '.join(map(repr, unknown))}. "
                    + choose_from(unknown[0], VARIABLES, limit=len(VARIABLES))
                )
            code_of_file = env.compile(tree, following)  # get_template would parse it again
            compiled = env.template_class.from_code(env, code_of_file, self._globals)
            for block, code in compiled.blocks.items():
                self._blocks.setdefault(block, []).append(code)
            for node in tree.find_all(nodes.Block):
                self._trees.setdefault(node.name, node)
                reached |= {inner.name for inner in node.find_all(nodes.Block)}
            reached |= {node.attr for node in tree.find_all(nodes.Getattr)}  # self.block()
            answer_form = answer_form or self._declared(tree)
            following = self._parent(tree)
        for block in self._trees:
            if block not in reached:
                raise UserError(
                    f"The prompt template {self.name} has a block {block!r} that nothing shows. "
                    + choose_from(block, BLOCKS)
                )
        return answer_form

    def _take_parts(self, tree: nodes.Template, env: BoundedEnvironment) -> None:
        """Read the files that a template includes or imports by fixed names, and theirs."""
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport)):
            names = getattr(getattr(node, "template", None), "value", None)
            for name in names if isinstance(names, list | tuple) else [names]:
                if not isinstance(name, str):
                    raise UserError(
                        f"The prompt template {self.name}, line {node.lineno}, must include or "
                        "import a fixed name."
                    )
                if name not in self.sources:
                    self.sources[name] = self._found(name)
                    self._take_parts(env.parse(self.sources[name]), env)

    def _try_out(self) -> None:
        """Render every block once, so that errors appear before a run."""
        for rules in ("The rules.", None):
            self.render("system", _TRIAL | {"rules": rules})
        for shown in (True, False):
            self.render("user", _TRIAL | {"show_legal_moves": shown})
        for failure in _FAILURES:
            for answer in ("b2", None):
                for fits in ([], ["a3"], ["a3", "b1"]) if answer else ([],):
                    values = {"failure": failure, "answer": answer, "fits": fits}
                    self.render("feedback", _TRIAL | values)

    def _used(self, block: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return the variables of a block, of the blocks inside it, and of those that it calls."""
        tree = self._trees[block]
        names = [name.name for name in tree.find_all(nodes.Name)]
        called = [
            node.attr
            for node in tree.find_all(nodes.Getattr)
            if isinstance(node.node, nodes.Name) and node.node.name == "self"
        ]
        if (
            "super" in names
            or names.count("self") > len(called)
            or not (self._trees.keys() >= set(called))
        ):
            return frozenset(VARIABLES)
        inner = {node.name for node in tree.find_all(nodes.Block)} | set(called)
        inner -= seen | {block}
        used = frozenset(VARIABLES.keys() & set(names))
        return used.union(*(self._used(name, seen | inner | {block}) for name in inner))

    def _declared(self, tree: nodes.Template) -> AnswerForm | None:
        for assignment in tree.find_all(nodes.Assign):
            target, value = assignment.target, assignment.node
            if isinstance(target, nodes.Name) and target.name == "answer_form":
                form = value.value if isinstance(value, nodes.Const) else None
                if form not in ("line", "json"):
                    raise UserError(
                        f"The prompt template {self.name} sets answer_form to {form!r}. "
                        "Possible: json, line."
                    )
                return cast(AnswerForm, form)
        return None

    def _parent(self, tree: nodes.Template) -> str | None:
        for extends in tree.find_all(nodes.Extends):
            if not isinstance(extends.template, nodes.Const):
                raise UserError(f"The prompt template {self.name} must extend a fixed name.")
            return str(extends.template.value)
        return None

    def render(self, block: str, values: Mapping[str, Any]) -> str:
        """Return one block as text; rendered once for equal values of the variables it uses.

        System prompts are the same throughout a run, and many episodes begin alike.

        Raises:
            UserError: the template fails on these values.
        """
        with part("prompt"):
            used = [values[name] for name in self.uses[block]]
            key = (block, *(tuple(value) if isinstance(value, list) else value for value in used))
            text = self._rendered.get(key)
            if text is None:
                if len(self._rendered) >= KEPT:
                    self._rendered.clear()
                text = self._rendered[key] = self._render(block, values)
        return text

    def _render(self, block: str, values: Mapping[str, Any]) -> str:
        try:
            context = Context(self._env, {**self._globals, **values}, self.name, {})
            context.blocks = self._blocks
            pieces = self._blocks[block][0](context)
            if self._env.bounded:
                self._env.begin()
                pieces = self._env.counted_pieces(pieces)
            return "".join(pieces).strip()
        except Exception as error:  # a template may fail in any way that Python can
            raise UserError(
                f"The prompt template {self.name} failed in its block {block!r}: {_in_words(error)}"
            ) from error


class _Sources:
    """The texts that a template may name: shipped ones, and files ending in .j2 beside it."""

    def __init__(
        self, template: str, own: str, folder: Path | None, given: Mapping[str, str]
    ) -> None:
        self._template = template
        self._folder = folder
        self._given = given
        self._own = own

    def __call__(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            UserError: the template may not read this file, or it cannot be read.
        """
        if name in self._given:
            return self._given[name]
        parts = Path(name).parts
        fit = name.endswith(".j2") and not any(part.startswith((".", "/")) for part in parts)
        if not fit and name != self._own:
            raise UserError(
                f"The prompt template {self._template} names the file {name!r}. It may extend, "
                "include and import shipped templates and files beside it whose names end in .j2."
            )
        for folder in (self._folder, SHIPPED):
            if folder is None:
                continue
            path = folder / name
            try:
                return read_file(path, most=MOST_TEMPLATE).decode()
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "is no text in UTF-8"
                raise UserError(f"The prompt template {path} cannot be read: {why}.") from error
        raise UserError(f"The prompt template {self._template} names {name!r}, which is not there.")


def _in_words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep, or calls itself"
    text = " ".join(str(error).split())
    return text if isinstance(error, TemplateError) else f"{type(error).__name__}: {text}"


def load_template(template: str) -> Template:
    """Return a template by name or path; shipped ones are compiled once, files are read anew."""
    if not is_file(template):
        return _shipped(template)
    there = Path(template).expanduser().is_file()
    return Template(template, None if there else _recorded.get(template))


@contextmanager
def recorded_templates(sources: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
    """Use the recorded text of a template whose file is missing.

    Args:
        sources: the texts of templates (:attr:`Template.sources`), by their paths.
    """
    _recorded.update(sources)
    try:
        yield
    finally:
        _recorded.clear()


@lru_cache
def _shipped(template: str) -> Template:
    return Template(template)


def is_file(template: str) -> bool:
    """Return whether a template is given by its path."""
    return "/" in template or template.endswith(".j2")


def _path(template: str) -> Path:
    if not is_file(template):
        path = SHIPPED / f"{template}.j2"
        if not path.is_file():
            raise UserError(
                f"There is no prompt template {template!r}. "
                + choose_from(template, shipped_templates())
                + " Or give the path of a .j2 file."
            )
        return path
    path = Path(template).expanduser()
    if not path.is_file():
        raise UserError(f"There is no prompt template file {template!r}.")
    return path.resolve()
