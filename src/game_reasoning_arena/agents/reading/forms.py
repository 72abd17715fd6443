"""Names of everything that is forgiven in an answer, as recorded in ``parse_form``."""

from __future__ import annotations

#: The meaning of each part of a ``parse_form``.
FORMS: dict[str, str] = {
    "line": "the declared line, `Final Answer: X`",
    "json": 'the declared object, `{"action": "X"}`',
    "emphasis": "Markdown emphasis, `**X**`, also around the words `Final Answer`",
    "code": "backticks, `X` in them",
    "fenced": "a code fence around the answer",
    "next_line": "the answer alone on the line below `Final Answer:`",
    "heading": "a heading, quotation or list mark, or a number, before `Final Answer`",
    "lead": "words before `Final Answer` on its line",
    "separator": "`is`, a dash, `=`, some words or nothing where the colon belongs",
    "bullet": "a list mark or a number before the answer",
    "boxed": "TeX around or in it: `\\boxed{X}`, `\\text{X}`, `\\textbf{X}`, dollar signs",
    "escape": "backslashes before punctuation, `x\\(1,1\\)`",
    "quotes": "quotation marks",
    "brackets": "brackets around the whole answer",
    "tag": "markup or a leaked stop token: `<move>X</move>`, `X</s>`",
    "symbols": "emoji and other symbols before or behind it",
    "full_stop": "a full stop behind it",
    "punctuation": "an exclamation mark, a comma or the like behind it",
    "lead_in": "words before the move: `I play X`, `player 0: X`",
    "remark": "a remark behind the move that names no other legal move",
    "case": "other letter case, where only one legal move fits",
    "spacing": "other white space, where only one legal move fits",
    "width": "full-width letters, other dashes and the like, where only one legal move fits",
    "notation": "another notation of the game (chess: UCI, long or short SAN, figurines, words), "
    "where only one legal move fits",
    "repaired": "JSON with line breaks in texts, wrong escapes, a trailing comma, single quotes or "
    "bare keys",
    "wrapped": "the declared object alone inside another one",
}


def joined(*forms: str) -> str:
    """Return a ``parse_form``: the forms in order, each once, joined by ``+``."""
    return "+".join(dict.fromkeys(forms))
