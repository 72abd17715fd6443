"""LaTeX and Markdown of a paper's tables: what they hold, and that a real LaTeX sets them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from game_reasoning_arena.analysis.tables.forms import (
    MARKDOWN_WIDTH,
    Column,
    Table,
    Value,
    to_markdown,
)
from game_reasoning_arena.analysis.tables.latex import escaped, to_latex
from tests.analysis.make_runs import Player, make_run
from tests.arena import Arena

_NASTY = (
    "a_b%$#&~^\\{}", "日本語モデル", "rocket 🚀 λ", "Ünïcodé — naïve “x”", "-a--b, <b> |x| `q`",
    "*star [bracket]", "meta/Llama-405B-Instruct-Turbo-FP8-with-a-very-long-name-of-many-parts",
)  # fmt: skip

_DOCUMENT = r"""\documentclass{article}
\usepackage[margin=1in]{geometry}
\usepackage{booktabs,longtable,array}
\begin{document}
%s
\end{document}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models with nasty names at two games that are measured differently."""
    base = tmp_path_factory.mktemp("runs")
    for number, name in enumerate(_NASTY):
        for game in ("tic_tac_toe", "kuhn_poker"):
            players = {
                "player_0": Player(f"direct_lab/{number}", fail=0.1 * number, rethink=0.1),
                "player_1": Player(),
            }
            path = make_run(base / f"{game}-{number}", players, game=game, episodes=20)
            file = path / "config.yaml"
            text = file.read_text(encoding="utf-8")
            quoted = "'" + name + "'"
            text = text.replace("    type: llm\n", f"    type: llm\n    display_name: {quoted}\n")
            file.write_text(text, encoding="utf-8")
    return base


def _compile(source: str, directory: Path) -> str:
    """Return the log of pdfLaTeX, which sets the source without an error."""
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here")
    (directory / "paper.tex").write_text(_DOCUMENT % source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    ran = subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )
    log = ran.stdout.decode(errors="replace")
    assert ran.returncode == 0, log[-3000:]
    assert (directory / "paper.pdf").stat().st_size > 10_000
    return log


@pytest.mark.parametrize("more", [(), ("--all",)], ids=["paper", "all"])
def test_a_real_latex_sets_the_tables(
    runs: Path, tmp_path: Path, arena: Arena, more: tuple[str, ...]
) -> None:
    file = tmp_path / "tables.tex"
    assert arena("compare", str(runs), "--latex", str(file), *more).code == 0
    source = file.read_text(encoding="utf-8")
    assert source.isascii()
    assert source.count(r"\toprule") >= source.count(r"\bottomrule") > 2
    log = _compile(source, tmp_path)
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert not [points for points in wide if points > 12]


def test_a_paper_has_the_answer_the_pairs_and_the_failures(runs: Path, arena: Arena) -> None:
    words = ("compare", str(runs), "--latex", "t.tex", "--markdown", "t.md")
    assert arena(*words).code == 0
    source = Path("t.tex").read_text(encoding="utf-8")
    labels = re.findall(r"\\label\{tab:([\w-]+)\}", source)
    assert labels == ["leaderboard", "overall", "pairs", "failures"]
    assert r"a\_b\%\$\#\&\textasciitilde{}\textasciicircum{}\textbackslash{}\{\}" in source
    assert source.count(r"\begin{longtable}") == 1  # 42 pairs
    assert r"\emph{kuhn\_poker (mean return)}" in source
    text = Path("t.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Leaderboard",
        "## Over all games",
        "## Differences",
        "## Failed answers, % of all answers",
    ]


def test_what_no_font_has_is_named_and_nothing_is_read_as_a_command(tmp_path: Path) -> None:
    texts = [chr(code) for code in (*range(32, 127), *range(0xA1, 0x180), 0x3B1, 0x1F680)]
    texts += ["*", "[x]", "--", ",,", "?`", "``", "''", "<<", "fi", "e\u0301", "n" * 3]
    table = Table("t", "Marks & more", [Column("a", "a"), Column("b", "b_c", "count")])
    table.rows = [{"a": text, "b": text} for text in texts]
    log = _compile(to_latex([table]), tmp_path)
    assert "Missing character" not in log
    assert escaped("--") == "-{}-"
    assert escaped("é") == r"\'{e}"
    assert escaped("🚀") == r"\arenachar{1F680}"


def test_wide_tables_come_in_pieces_that_name_their_rows() -> None:
    columns = [Column("competitor", "competitor", names_row=True)]
    columns += [Column(f"c{i}", f"column {i}", "percent") for i in range(30)]
    row: dict[str, Value] = {column.key: 0.5 for column in columns[1:]}
    rows: list[dict[str, Value]] = [
        {**row, "competitor": f"model {n}", "c3": 0.1 * n} for n in range(4)
    ]
    table = Table("wide", "Wide", [*columns, Column("same", "same")], rows)
    for number in range(30):
        rows[0][f"c{number}"] = 0.25
    text = to_markdown([table])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert max(map(len, lines)) < 1.5 * MARKDOWN_WIDTH
    assert sum("| competitor" in line for line in lines) > 1
    assert all(sum(f" column {i} " in line for line in lines) == 1 for i in range(30))
    assert to_latex([table]).count(r"\begin{tabular}{@{}l") > 1


def test_brackets_in_a_folded_heading_are_shown(tmp_path: Path) -> None:
    columns = [Column("a", "a"), Column("b", "mean score % [95 %]")]
    source = to_latex([Table("t", "T", columns, [{"a": "x", "b": "58.3 [49.7, 66.3]"}])])
    assert r"mean score \%\\{[95 \%]}" in source
    _compile(source, tmp_path)


def test_rows_that_fold_go_on_over_pages() -> None:
    columns = [Column("a", "a"), Column("b", "b"), *(Column(f"n{i}", "n", "count") for i in "123")]
    rows: list[dict[str, Value]] = [
        {"a": "word " * 10 + str(n), "b": "word " * 10, "n1": n, "n2": n, "n3": n}
        for n in range(30)
    ]
    assert r"\begin{longtable}" in to_latex([Table("t", "T", columns, rows)])
    assert r"\begin{longtable}" not in to_latex([Table("t", "T", columns, rows[:10])])
