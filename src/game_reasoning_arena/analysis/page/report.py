"""One self-contained HTML page: summary, plots, and every game to be replayed.

The page asks nothing of the network. It carries a content security policy that runs its own script
only, by hash; texts of models reach it as packed data and are shown as text nodes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from game_reasoning_arena import __version__
from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.page.episodes import EpisodeStore
from game_reasoning_arena.analysis.page.markup import answer, markup, visible
from game_reasoning_arena.analysis.statistics.differences import prompt_diffs
from game_reasoning_arena.analysis.statistics.reasoning import (
    Passages,
    reasoning_row,
    reasoning_summary,
    reasoning_table,
)
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import replacing
from game_reasoning_arena.process.text import plain

_PAGE: Final = Path(__file__).parent
_SCRIPTS: Final = ("text.js", "chess.js", "boards.js", "judgements.js", "answers.js", "app.js")
_DATA: Final = "<!-- data -->"

#: Tables that the head of the page shows, game by game.
_IN_HEAD: Final = ("leaderboard", "overall")

#: Tables above the plots; the rest is below.
_FIRST: Final = ("results", "accuracy", "accuracy_pairs", "pairs")


def write_report(comparison: Comparison, output: Path, *, title: str) -> int:
    """Write the page; what it weighs in bytes.

    Episodes are written chunk by chunk, so memory does not grow with their texts.

    Args:
        comparison: runs loaded with ``moves=True``.
        output: the file; its directory is made.
        title: heading of the page.

    Raises:
        UserError: the file cannot be written.
    """
    passages = Passages(comparison.standings)
    written: list[tuple[Any, ...]] = []

    def heed(run: int, line: dict[str, Any]) -> None:
        if (found := passages.of(run, line)) is not None:
            written.append(reasoning_row(*found))

    store = EpisodeStore(comparison, heed)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=output.parent) as data, replacing(output, durable=False) as page:
            for element in _data(store):  # what stands before it covers all answers
                data.write(element.encode())
            reasoning = reasoning_summary(reasoning_table(written))
            head, tail = _frame(comparison, title, reasoning).split(_DATA)
            page.write(head.encode())
            data.seek(0)
            copyfileobj(data, page, 1 << 20)
            page.write(tail.encode())
        return output.stat().st_size
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror or error}.") from error


def _data(store: EpisodeStore) -> Iterator[str]:
    for number, chunk in enumerate(store.chunks()):
        yield f'<script type="text/plain" id="chunk-{number}">{chunk}</script>\n'
    yield f'<script type="text/plain" id="index">{store.index()}</script>\n'


def _frame(comparison: Comparison, title: str, reasoning: Table) -> str:
    """The page around its data."""
    from game_reasoning_arena.analysis.plots.figures import svg_texts

    script = "\n".join((_PAGE / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    script = script.replace('"use strict";', "")
    script = f'"use strict";\n{script}'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    tables = [
        table
        for table in [*comparison.tables, reasoning]
        if (table.rows or table.notes) and table.key not in _IN_HEAD
    ]
    template = Environment(autoescape=True).from_string(
        (_PAGE / "page.html").read_text(encoding="utf-8")
    )
    runs = len(comparison.loaded.readers)
    episodes = len(comparison.standings.table[["run", "episode"]].drop_duplicates())
    return template.render(
        title=title,
        subtitle=f"{runs} run{'s' if runs > 1 else ''}, {episodes:,} episodes",
        version=__version__,
        script_hash=_own(f"sha256-{digest}"),
        style=_own((_PAGE / "style.css").read_text(encoding="utf-8")),
        script=_own(script),
        answers=Markup("\n").join(answer(section) for section in comparison.sections),
        caveats=_caveats(comparison.caveats),
        contents=[(t.key, re.split("[(:,]", plain(t.title))[0].strip()) for t in tables],
        tables_first=_tables([t for t in tables if t.key in _FIRST]),
        tables_rest=_tables([t for t in tables if t.key not in _FIRST]),
        plots=Markup("").join(
            Markup('<figure role="img" aria-label="{}">{}</figure>').format(name, _own(svg))
            for name, svg in svg_texts(comparison).items()
        ),
        notices=_notices([*comparison.loaded.notices], prompt_diffs(comparison.loaded)),
        data=_own(_DATA),
    )


def _own(text: str) -> Markup:
    """Text of this package's making, and matplotlib's SVG, which escapes what it is given."""
    return Markup(text)  # noqa: S704 (nothing from a run reaches it unescaped)


def _caveats(sentences: Sequence[str]) -> Markup:
    return Markup("\n").join(
        Markup('<p class="caveat{}">{}</p>').format(
            " loud" if sentence.startswith("CONFOUNDED") else "", visible(sentence)
        )
        for sentence in sentences
    )


def _notices(notices: Sequence[str], diffs: Sequence[str]) -> Markup:
    parts = [Markup('<p class="caveat">{}</p>').format(visible(notice)) for notice in notices]
    parts += [Markup("<pre>{}</pre>").format(visible(diff)) for diff in diffs]
    if not parts:
        return Markup("")
    return Markup("<h2>Notes on the data</h2>\n") + Markup("\n").join(parts)


def _tables(tables: Sequence[Table]) -> Markup:
    return Markup("\n").join(markup(table) for table in tables)
