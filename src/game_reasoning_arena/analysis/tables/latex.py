r"""Tables as LaTeX that goes into a paper as it is.

Every table is ``\small`` with booktabs rules and no wider than a page's text: one that has too many
columns comes in pieces, long texts are folded in their cells, and one with many rows goes on over
pages. What is written is ASCII and compiles with pdfLaTeX, LuaLaTeX and XeLaTeX alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from game_reasoning_arena.analysis.tables.forms import (
    LONGEST_TEXT,
    NARROW_TEXT,
    Column,
    Table,
)

#: Characters of \small in the 345 points of text that the article class has.
WIDTH: Final = 82

#: Tables with more lines go on over pages.
LONGEST: Final = 40

#: Points that a character of \small takes.
_POINTS: Final = 4.3

HEAD: Final = r"""% Tables by arena compare. In the preamble: \usepackage{booktabs,longtable,array}
% Each is called tab:NAME. table* spans both columns of a paper that has two, and is a table in one
% that has one; a longtable needs a part with one column (\onecolumn). A character that neither
% ASCII nor an accent makes is set by LuaLaTeX and XeLaTeX where the font has it, else as U+CODE.
\ifdefined\arenachar\else
\protected\def\arenachar#1{\ifdefined\Umathcode\iffontchar\font"#1 \char"#1 \else\texttt{U+#1}\fi
  \else\texttt{U+#1}\fi\allowbreak}
\fi
"""


def to_latex(tables: Sequence[Table]) -> str:
    """Return the tables; those without rows are left out."""
    parts = [HEAD]
    for whole in (table.by_value() for table in tables):
        if not whole.rows:
            continue
        rest = [column for column in whole.columns if column.key != whole.group_by]
        table = replace(whole, columns=rest)
        pieces = list(table.pieces(WIDTH))
        notes = [*filter(None, [table.said_once(WIDTH)]), *table.notes]
        for number, columns in enumerate(pieces, 1):
            part = f" ({number} of {len(pieces)})" if len(pieces) > 1 else ""
            label = f"tab:{table.key}" + (f"-{number}" if number > 1 else "")
            caption = rf"\caption{{{escaped(table.title + part)}}}\label{{{label}}}"
            mine = notes if number == len(pieces) else []
            draw = _long if _lines(table, columns) > LONGEST else _short
            parts.append("\n".join(draw(table, columns, caption, mine)) + "\n")
    return "\n".join(parts)


def _short(
    table: Table, columns: Sequence[Column], caption: str, notes: Sequence[str]
) -> Iterator[str]:
    yield r"\begin{table*}"
    yield r"  \centering\small\setlength{\tabcolsep}{4pt}"
    yield f"  {caption}"
    yield rf"  \begin{{tabular}}{{{_shape(table, columns)}}}"
    yield r"    \toprule"
    yield f"    {_headings(table, columns)}"
    yield r"    \midrule"
    yield from _rows(table, columns)
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    if notes:
        yield r"  \par\smallskip\begin{minipage}{\linewidth}\footnotesize"
        yield f"  {escaped(' '.join(notes))}"
        yield r"  \end{minipage}"
    yield r"\end{table*}"


def _long(
    table: Table, columns: Sequence[Column], caption: str, notes: Sequence[str]
) -> Iterator[str]:
    head = _headings(table, columns)
    yield r"\begingroup\small\setlength{\tabcolsep}{4pt}"
    yield rf"\begin{{longtable}}{{{_shape(table, columns)}}}"
    yield rf"  {caption}\\"
    yield rf"  \toprule {head} \midrule \endfirsthead"
    yield rf"  \toprule {head} \midrule \endhead"
    yield r"  \midrule \endfoot"
    yield r"  \bottomrule \endlastfoot"
    yield from _rows(table, columns)
    yield r"\end{longtable}"
    if notes:
        yield r"\noindent{\footnotesize"
        yield rf"{escaped(' '.join(notes))}\par}}"
    yield r"\endgroup"


def _shape(table: Table, columns: Sequence[Column]) -> str:
    """The columns' kinds: numbers to the right, long texts in cells of a width."""
    folded = _folded_widths(table, columns)
    kinds = []
    for column in columns:
        if column.key in folded:
            width = folded[column.key] * _POINTS
            kinds.append(rf">{{\raggedright\arraybackslash}}p{{{width:.0f}pt}}")
        else:
            kinds.append("l" if column.kind == "text" else "r")
    return "@{}" + "".join(kinds) + "@{}"


def _folded_widths(table: Table, columns: Sequence[Column]) -> dict[str, int]:
    """The characters on a line of each column whose texts are folded."""
    widths = {column.key: table.width_of(column) for column in columns}
    texts = [column.key for column in columns if column.kind == "text"]
    whole = {key: widths[key] for key in texts}
    while sum(widths.values()) > WIDTH and (wide := [t for t in texts if widths[t] > NARROW_TEXT]):
        widths[max(wide, key=lambda key: widths[key])] -= 1
    return {t: widths[t] - 2 for t in texts if widths[t] < whole[t] or widths[t] > LONGEST_TEXT}


def _lines(table: Table, columns: Sequence[Column]) -> int:
    """How many lines the rows take on paper: folded texts and the names of groups count."""
    folded = _folded_widths(table, columns)
    shown = [column for column in columns if column.key in folded]
    groups = {str(row[table.group_by]) for row in table.rows if table.group_by in row}
    return len(groups) + sum(
        max((len(_folded(c.show(row.get(c.key)), folded[c.key])) for c in shown), default=1)
        for row in table.rows
    )


def _headings(table: Table, columns: Sequence[Column]) -> str:
    cells = []
    for column in columns:
        lines = _folded(column.heading, max(8, table.width_of(column) - 2))
        text = r"\\".join(_after_a_line(escaped(line)) for line in lines)
        side = "l" if column.kind == "text" else "r"
        cells.append(
            rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{text}\end{{tabular}}"
            if len(lines) > 1
            else text
        )
    return " & ".join(cells) + r" \\"


def _folded(text: str, width: int) -> list[str]:
    """A text in lines of about a width, broken between words but not inside brackets."""
    lines = [""]
    for word in re.findall(r"(?:\[[^\]]*\]|\S)+", text):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _rows(table: Table, columns: Sequence[Column]) -> Iterator[str]:
    """The rows, each group of them below its name."""
    before: object = None
    for number, row in enumerate(table.rows):
        group = None if table.group_by is None else row.get(table.group_by)
        if group is not None and group != before:
            if number:
                yield r"    \addlinespace"
            name = rf"\emph{{{escaped(str(group))}}}"
            yield rf"    \multicolumn{{{len(columns)}}}{{@{{}}l@{{}}}}{{{name}}} \\*"
        before = group
        cells = [_cell(column, column.show(row.get(column.key))) for column in columns]
        yield "    " + " & ".join([_after_a_line(cells[0]), *cells[1:]]) + r" \\"


def _after_a_line(text: str) -> str:
    r"""A text that may follow ``\\``, which would take a star or a bracket for its own."""
    return "{" + text + "}" if text.startswith(("[", "*")) else text


def _cell(column: Column, text: str) -> str:
    if column.kind != "text":
        return re.sub(r"(?<![\w.])-(?=\d)", "$-$", escaped(text))
    parts = re.split(r"(?<=[/_:-])(?=\w)", text) if len(text) > NARROW_TEXT else [text]
    return r"\allowbreak{}".join(map(escaped, parts))


_ESCAPES: Final[Mapping[str, str]] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "`": r"\char96{}", "'": r"\char39{}",
    "\n": " ", "\t": " ", "\u00a0": "~", "–": "--", "—": "---", "…": r"\ldots{}",
    "‘": "`", "’": "'", "“": "``", "”": "''", "±": r"$\pm$", "×": r"$\times$", "−": "$-$",
    "→": r"$\to$", "≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$", "·": r"$\cdot$", "°": r"$^\circ$",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}",
    "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "µ": r"$\mu$",
}  # fmt: skip

#: Accents as Unicode combines them, and as LaTeX writes them.
_ACCENTS: Final[Mapping[str, str]] = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip

#: Greek letters that LaTeX has under their names.
_GREEK: Final = re.compile(
    r"GREEK SMALL LETTER (ALPHA|BETA|GAMMA|DELTA|EPSILON|ZETA|ETA|THETA|IOTA|KAPPA|LAMDA|MU|NU|XI|"
    r"PI|RHO|SIGMA|TAU|UPSILON|PHI|CHI|PSI|OMEGA)$"
)


def escaped(text: str) -> str:
    """Return a text as LaTeX shows it, in ASCII."""
    # Hyphens and commas beside each other would become dashes and quotation marks.
    text = re.sub(r"([-,])(?=\1)", "\\1\u2060", text)
    return "".join(_character(c) for c in unicodedata.normalize("NFC", text))


def _character(character: str) -> str:
    if character == "\u2060":
        return "{}"
    if (known := _ESCAPES.get(character)) is not None:
        return known
    if character.isascii():
        return character if character.isprintable() else " "
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        base = {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0])
        return rf"\{_ACCENTS[parts[1]]}{{{base}}}"
    if found := _GREEK.match(unicodedata.name(character, "")):
        return rf"$\{found[1].lower().replace('lamda', 'lambda')}$"
    return rf"\arenachar{{{ord(character):04X}}}"
