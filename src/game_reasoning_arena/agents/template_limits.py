"""A Jinja2 environment for untrusted templates: bounded time, output and memory.

Everything that a template produces is counted: texts and lists by length, loops by rounds. Large
results are refused before they are made.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, TemplateError, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

#: The most characters of one text, or entries of one list; a million tokens are about 4 million.
MOST_LENGTH = 16_000_000
#: The most characters, entries and rounds (25 each) of one rendering together.
MOST_WORK = 50_000_000
#: The most processor seconds of this thread for one rendering.
MOST_S = 2.0

_ROUND = 25
_WIDTH = re.compile(r"\d{5,}")
_FILTER, _METER = "_bounded", "_metered"
#: Methods and filters with a numeric argument that sets the length of their result.
_WIDE = frozenset(
    {
        *("batch", "center", "expandtabs", "indent", "ljust", "rjust", "slice", "to_bytes"),
        *("wordwrap", "zfill"),
    }
)
#: Filters that go through a text or a list in Python, where nothing can stop them.
_SLOW = frozenset(
    {"pprint", "striptags", "title", "tojson", "urlencode", "urlize", "wordcount", "wordwrap"}
)


class TooMuch(TemplateError):
    """A template produces more than any prompt needs."""


class _Opaque(Namespace):
    """A namespace that shows nothing of what it holds, which may be one thing many times."""

    def __repr__(self) -> str:
        return "<namespace>"


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Renders templates and counts their work; :meth:`begin` resets the count."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, loader: BaseLoader, *, bounded: bool) -> None:
        super().__init__(
            loader=loader,
            undefined=StrictUndefined,
            keep_trailing_newline=False,
            autoescape=False,
        )
        self.bounded = bounded
        if not bounded:
            return
        self.globals.pop("lipsum", None)
        self.globals["namespace"] = _Opaque
        self.filters = {name: self._paid(name, made) for name, made in self.filters.items()}
        self.filters[_FILTER] = self._pay
        self.filters[_METER] = self._rounds
        self.begin()

    def begin(self) -> None:
        """Start a rendering."""
        self._work = 0
        self._until = time.thread_time() + MOST_S

    def spend(self, work: int) -> None:
        """Count work.

        Raises:
            TooMuch: a rendering did too much of it.
        """
        self._work += work
        if self._work > MOST_WORK or time.thread_time() > self._until:
            raise TooMuch("it makes too much: its loops or texts are too long")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse a template so that loops, joined texts and written lists are counted."""
        tree = super()._parse(source, name, filename)
        if not self.bounded:
            return tree
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, _METER, [], [], None, None, lineno=loop.lineno)
        return _counting_made(tree)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate unless the result would be too large."""
        if not self.bounded:
            return super().call_binop(context, operator, left, right)
        if operator == "*":
            for some, times in ((left, right), (right, left)):
                if isinstance(some, str | list | tuple | bytes) and isinstance(times, int):
                    self._fits(len(some) * times)
        elif operator == "**":
            if isinstance(left, int) and isinstance(right, int):
                self._fits(left.bit_length() * max(right, 0))
        elif operator == "%" and isinstance(left, str | bytes):
            self._narrow(left, right)
        elif operator == "+" and isinstance(left, str | list | tuple):
            self._fits(len(left) + (len(right) if isinstance(right, str | list | tuple) else 0))
        return self._pay(super().call_binop(context, operator, left, right))

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function or method unless its result would be too large."""
        owner = getattr(obj, "__self__", None)
        if self.bounded and isinstance(owner, str | bytes | list | tuple | int):
            self._check(getattr(obj, "__name__", ""), owner, args, kwargs)
        made = super().call(context, obj, *args, **kwargs)
        return self._pay(made) if self.bounded else made

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return a text's ``format`` with counting; None for anything else."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None or not self.bounded:
            return wrapped
        form = value.__self__

        def paid(*args: Any, **kwargs: Any) -> str:
            self._narrow(form, (*args, *kwargs.values()))
            made: str = self._pay(wrapped(*args, **kwargs))
            return made

        return paid

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item or a slice, counted."""
        found = super().getitem(obj, argument)
        return self._pay(found) if self.bounded and isinstance(argument, slice) else found

    def _paid(self, name: str, made: Callable[..., Any]) -> Callable[..., Any]:
        """Return a filter that counts its results."""
        passed = getattr(made, "jinja_pass_arg", None)

        def paid(*args: Any, **kwargs: Any) -> Any:
            own = args[1:] if passed is not None else args
            self._check(name, own[0] if own else "", own[1:], kwargs)
            return self._pay(made(*args, **kwargs))

        if passed is not None:
            paid.jinja_pass_arg = passed  # type: ignore[attr-defined]
        return paid

    def _check(
        self, name: str, value: Any, args: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        """Raise for a result that would be too large, before it is made."""
        given = (*args, *named.values())
        if name in _SLOW and isinstance(value, str | list | tuple | dict):
            self.spend(_ROUND * len(value))
        if name in _WIDE:
            for number in given:
                if isinstance(number, int):
                    self._fits(number * (str(value).count("\n") + 1 if name == "indent" else 1))
        elif name in ("replace", "translate") and len(given) > 1:
            self._fits(len(str(value)) * (1 + len(str(given[1]))))
        elif name == "join":
            parts = given[0] if isinstance(value, str) and given else value
            glue = value if isinstance(value, str) else (given[0] if given else "")
            if isinstance(parts, list | tuple):
                self._fits(sum(len(str(p)) + len(str(glue)) for p in parts))
        elif name in ("format", "format_map"):
            self._narrow(value, given)
        elif name == "sum" and any(isinstance(start, list | tuple) for start in given):
            raise TooMuch("sum adds up numbers, not lists")

    def _narrow(self, form: Any, values: Any) -> None:
        """Raise for a width of five digits in a format, or given to one."""
        if isinstance(form, bytes) or _WIDTH.search(str(form)):
            raise TooMuch("a format is too wide")
        for value in values if isinstance(values, tuple) else (values,):
            if isinstance(value, int) and ("*" in str(form) or "{" in str(form)):
                self._fits(value)

    def _fits(self, length: int) -> None:
        if length > MOST_LENGTH:
            raise TooMuch("it makes a text or a list that is too long")
        self.spend(0)

    def _pay(self, made: Any) -> Any:
        if isinstance(made, list | tuple | dict):
            self._fits(len(made))
            self._weigh(made)
        elif isinstance(made, str | bytes):
            self._fits(len(made))
            self.spend(len(made))
        else:
            self.spend(1)
        return made

    def _weigh(self, made: Any) -> None:
        """Count all that a list holds, as often as it holds it.

        A list of twice the same list, 60 times over, is small; but Python writes, compares and
        sorts it as if it were large, and nothing can stop that.
        """
        waiting = [made]
        while waiting:
            holder = waiting.pop()
            self.spend(_ROUND + len(holder))
            items = holder.values() if isinstance(holder, dict) else holder
            waiting += [item for item in items if isinstance(item, list | tuple | dict)]

    def counted_pieces(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield a template's output and count it.

        Raises:
            TooMuch: it is too much.
        """
        length = 0
        for piece in pieces:
            length += len(piece)
            self._fits(length)
            yield piece

    def _rounds(self, items: Iterable[Any]) -> Any:
        if isinstance(items, str | list | tuple | dict):
            self.spend(_ROUND * len(items))
            return items
        return self._counted(items)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.spend(_ROUND)
            yield item


def _counting_made(tree: nodes.Template) -> nodes.Template:
    """Count texts joined by ``~``, and written lists, tuples and dictionaries."""
    from jinja2.visitor import NodeTransformer

    class Counting(NodeTransformer):
        def visit_Concat(self, node: nodes.Expr) -> nodes.Node:
            self.generic_visit(node)
            if getattr(node, "ctx", "load") != "load":  # the names that a loop or set assigns
                return node
            return nodes.Filter(node, _FILTER, [], [], None, None, lineno=node.lineno)

        visit_List = visit_Tuple = visit_Dict = visit_Concat

    counted: nodes.Template = Counting().visit(tree)
    return counted
