"""Check that an answer is Python code that defines the requested function, without running it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.simulation.prompts.scorers.objects import fenced


def defines_entry_point(answer: str, expected: Any, row: Mapping[str, Any]) -> bool:
    """Return whether an answer, alone or as the rest of its prompt, defines ``row["entry_point"]``.

    The function must have a body that does something. Code in a fence is taken from it.
    """
    name, prompt = str(row.get("entry_point")), str(row.get("prompt", ""))
    blocks = fenced(answer)
    written = blocks[-1] if blocks else answer
    return any(_defines(text, name) for text in (written, prompt + written))


def _defines(text: str, name: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return any(not _is_idle(statement) for statement in node.body)
    return False


def _is_idle(statement: ast.stmt) -> bool:
    """Return whether a statement is a docstring, an ellipsis or ``pass``."""
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass)
