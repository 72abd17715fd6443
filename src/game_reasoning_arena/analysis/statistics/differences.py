"""What else differed between runs: configuration, versions, prompts, parameters, served models.

A comparison is confounded when something that can change results differs besides who played. Keys
that say who played, where output goes, or only how fast it went are no confounders.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from msgspec import to_builtins

from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.tables.forms import UNKNOWN_TEXT, Column, Table
from game_reasoning_arena.recording.config_text import flatten, is_below
from game_reasoning_arena.recording.frames import LoadedRuns
from game_reasoning_arena.recording.versions import CHOICES_THAT_MATTER, MATTERS

#: Parts of the configuration that are settings of who is compared, or do not touch results.
_NOT_CONFOUNDING = (
    "agents.", "model.", "sampling.", "hydra.", "concurrency", "budget.", "probe", "estimate",
    "profile", "catalog.", "provider", "episodes", "trusted_targets", "seed",
    "shard", "sweep.", "simulation.template", "simulation.shots", "simulation.scorer",
)  # fmt: skip

#: Where the settings of players stand.
PLAYER_SETTINGS = ("agents.", "model.", "sampling.", "simulation.shots")

#: Lines of a prompt's diff that are shown.
DIFF_LINES = 12

Cells = list[str | None]


def differences_table(loaded: LoadedRuns, standings: Standings) -> Table:
    """Return what is not equal across the runs, and whether it confounds the comparison."""
    names = run_names(loaded)
    table = Table(
        "differences",
        "What differs between the runs",
        [
            Column("what", "what", names_row=True),
            Column("confounds", "confounds", names_row=True),
            *(Column(f"run{i}", name) for i, name in enumerate(names)),
        ],
        per_run=True,
    )
    if len(names) < 2:
        table.title = "What differs"
        table.columns = table.columns[:2]
        table.notes.append("One run: nothing to differ from.")
        return table
    found: list[tuple[str, bool, Cells]] = []
    found += _config(loaded, entangled(standings))
    found += _environment(loaded)
    found += _engines(loaded)
    found += _prompts(loaded, standings)
    found += _sent(loaded)
    for what, suspect, cells in found:
        confounds = suspect and _within_a_game(cells, standings)
        row: dict[str, Any] = {"what": what, "confounds": "yes" if confounds else ""}
        row.update({f"run{i}": _clip(cell) for i, cell in enumerate(cells)})
        table.rows.append(row)
    if not table.rows:
        table.notes.append("Nothing that is recorded differs.")
    return table


def unexpected(table: Table, loaded: LoadedRuns) -> Table:
    """Return the differences that no sweep was to make.

    What was swept is left out and named in a note. Where all runs are of one sweep, so is what
    follows from it, the same in all runs with the same swept values, unless it confounds.
    """
    axes = loaded.axes
    if not axes:
        return table
    flat = [flatten(reader.config) for reader in loaded.readers]
    values = {
        axis: [
            orjson.dumps({k: v for k, v in mine.items() if is_below(k, axis)}, default=str)
            for mine in flat
        ]
        for axis in axes
    }
    swept = {axis: len(set(found)) for axis, found in values.items() if len(set(found)) > 1}
    one_sweep = len({reader.path.parent for reader in loaded.readers}) == 1
    mixes = list(zip(*(values[axis] for axis in swept), strict=True))
    kept = []
    for row in table.rows:
        what = str(row["what"])
        if any(is_below(what.removeprefix("config "), axis) for axis in swept):
            continue
        cells = [row[f"run{i}"] for i in range(len(flat))]
        follows = len(set(zip(mixes, cells, strict=False))) == len(set(mixes))
        chosen = what.startswith(_CHOSEN) and not row["confounds"]
        if not (one_sweep and swept and chosen and follows):
            kept.append(row)
    notes = list(table.notes)
    if swept:
        named = ", ".join(f"{axis} ({count} values)" for axis, count in swept.items())
        left_out = len(table.rows) - len(kept)
        notes.append(
            f"Swept, so not listed: {named}, in all {left_out} rows with what follows from them, "
            "which --json has."
        )
    return Table(table.key, table.title, table.columns, kept, notes, per_run=table.per_run)


#: Differences that the words of a command make; others come from where and when it ran.
_CHOSEN = ("config ", "system prompt ", "first question ", "parameters sent", "model served")


def prompt_diffs(loaded: LoadedRuns) -> list[str]:
    """Return unified diffs of system messages, and of first questions to the same deal."""
    names = run_names(loaded)
    texts = []
    for title, by_run in _prompt_texts(loaded):
        (first, base), *others = sorted(by_run.items())
        for run, text in others:
            if text != base:
                diff = difflib.unified_diff(
                    base.splitlines(), text.splitlines(), names[first], names[run], lineterm="", n=1
                )
                lines = list(diff)
                more = len(lines) - DIFF_LINES
                tail = [f"... {more} more lines"] if more > 0 else []
                texts.append("\n".join([f"{title}:", *lines[:DIFF_LINES], *tail]))
                break
    return texts


def entangled(standings: Standings) -> list[str]:
    """Return settings that differ between models but never within one.

    With a temperature or a prompt of each model's own, the cause of a difference may be either.
    """
    by_model: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for competitor in standings.competitors.values():
        if competitor.asked:
            by_model[str(competitor.settings.get("model"))].append(competitor.settings)
    keys = {key for group in by_model.values() for own in group for key in own}

    def values(group: Sequence[Mapping[str, Any]], key: str) -> set[str | None]:
        return {_text(own.get(key)) for own in group}

    return [
        key
        for key in sorted(keys - {"model", "type"})
        if all(len(values(group, key)) == 1 for group in by_model.values())
        and len(set().union(*(values(group, key) for group in by_model.values()))) > 1
    ]


def _config(loaded: LoadedRuns, mixed: Sequence[str]) -> Iterator[tuple[str, bool, Cells]]:
    flat = [
        # A group with nothing in it is the same as one that is not there.
        {key: value for key, value in flatten(reader.config).items() if value != {}}
        for reader in loaded.readers
    ]
    known = [i for i, values in enumerate(flat) if values]
    # A backend that only some runs' models need is a part of who played, not of how.
    used = {
        section: [i for i in known if any(key.startswith(f"{section}.") for key in flat[i])]
        for section in sorted({_section(key) for values in flat for key in values} - {""})
    }
    used = {section: users for section, users in used.items() if len(users) < len(known)}
    for section, users in used.items():
        yield (
            f"config {section}",
            False,
            ["used" if i in users else None for i in range(len(flat))],
        )
    for key in sorted({key for values in flat for key in values}):
        cells: Cells = [
            _text(values.get(key)) if i in known else None for i, values in enumerate(flat)
        ]
        of_no_matter = key.startswith("hydra.") or key.endswith("display_name")
        if len({cells[i] for i in known}) > 1 and not of_no_matter:
            having = used.get(_section(key))
            if having and len({cells[i] for i in having}) == 1:
                continue  # shown by which runs use the backend at all
            own = key.startswith(PLAYER_SETTINGS) and key.rpartition(".")[2] in mixed
            yield f"config {key}", own or not key.startswith(_NOT_CONFOUNDING), cells


def _section(key: str) -> str:
    """``backend.litellm`` for a setting of that backend; else nothing."""
    group, _, rest = key.partition(".")
    return f"backend.{rest.partition('.')[0]}" if group == "backend" and "." in rest else ""


def _environment(loaded: LoadedRuns) -> Iterator[tuple[str, bool, Cells]]:
    for part, confounds in (("packages", True), ("git", False), ("platform", False)):
        flat = [flatten(to_builtins(getattr(reader.run, part) or {})) for reader in loaded.readers]
        known = [i for i, values in enumerate(flat) if values]
        for key in sorted({key for values in flat for key in values}):
            cells: Cells = [
                _text(values.get(key)) if i in known else None for i, values in enumerate(flat)
            ]
            if len({cells[i] for i in known}) > 1:
                ours = part == "packages" and key.replace("_", "-") in MATTERS
                # A package that only some runs needed, for their models, is a part of who played.
                versions = {cell for cell in cells if cell is not None}
                yield f"{part} {key}", confounds and ours and len(versions) > 1, cells


def _engines(loaded: LoadedRuns) -> Iterator[tuple[str, bool, Cells]]:
    """What a model's engine chose by itself, where runs know it and it is not the same."""
    engines = [reader.run.engines for reader in loaded.readers]
    for model in sorted({model for one in engines for model in one}):
        chosen = [one.get(model) or {} for one in engines]
        for name in sorted({name for one in chosen for name in one}):
            cells: Cells = [_text(one.get(name)) for one in chosen]
            if len({cell for cell in cells if cell is not None}) > 1:
                yield f"engine of {model}: {name}", name in CHOICES_THAT_MATTER, cells


def _within_a_game(cells: Cells, standings: Standings) -> bool:
    """Whether runs of the same game differ; between games nothing is compared."""
    for _, part in standings.table.groupby("game", sort=False):
        seen = {cells[run] for run in part["run"].unique()}
        if len(seen) > 1:
            return True
    return False


#: Settings of a player that are meant to change what it is sent.
_TELLING = (
    "system_prompt", "template", "memory", "show_legal_moves", "row_template", "shots",
    "shots_file", "shots_template", "scorer",
)  # fmt: skip


def _prompts(loaded: LoadedRuns, standings: Standings) -> Iterator[tuple[str, bool, Cells]]:
    asked = [c.settings for c in standings.competitors.values() if c.asked]
    mixed = entangled(standings)
    meant = any(
        len({_text(own.get(key)) for own in asked}) > 1 and key not in mixed for key in _TELLING
    )
    for title, by_run in _prompt_texts(loaded):
        if len(set(by_run.values())) > 1:
            yield (
                title,
                not meant,
                [
                    _hash(by_run[run]) if run in by_run else None
                    for run in range(len(loaded.readers))
                ],
            )


def _prompt_texts(loaded: LoadedRuns) -> Iterator[tuple[str, dict[int, str]]]:
    """(what, text by run) of what players of the same name were sent."""
    prompts = loaded.prompts
    games = [str(game) for game in loaded.runs["game"]]
    systems: dict[tuple[str, str], dict[int, frozenset[str]]] = defaultdict(dict)
    for run, player, _ in prompts.first:
        texts = prompts.systems.get((run, player), ())  # nothing where it had no system message
        systems[games[run], player][run] = frozenset(texts)
    for (game, player), sets in sorted(systems.items()):
        # A run that ended before every seat was asked was sent a part of the same.
        whole = {
            run: next((other for other in sets.values() if own and own < other), own)
            for run, own in sets.items()
        }
        yield (
            f"system prompt of {player} at {game}",
            {run: "\n---\n".join(sorted(texts)) for run, texts in whole.items()},
        )
    first: dict[tuple[str, str, int, int, int], dict[int, str]] = defaultdict(dict)
    for (run, player, seat), sample in prompts.first.items():
        asked = [m.get("content") for m in sample.messages if m.get("role") != "system"]
        text = "\n---\n".join(str(content) for content in asked)
        if sample.at[1] == 0:  # later turns depend on what was played before
            first[games[run], player, seat, sample.seed, sample.at[0]][run] = text
    for (game, player, seat, _, _), by_run in sorted(first.items()):
        if len(by_run) > 1:
            yield f"first question to {player} at seat {seat} at {game}", by_run


def _sent(loaded: LoadedRuns) -> Iterator[tuple[str, bool, Cells]]:
    """Parameters sent, parameters dropped and models served, per player of the same name."""
    table = loaded.responses
    for column, what, confounds in (
        ("sent", "parameters sent", False),
        ("dropped", "parameters dropped", True),
        ("constrained", "answers constrained to legal moves", True),
        ("served_model", "model served", False),
    ):
        values: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        known = table.loc[table[column].notna(), ["run", "player", column]].drop_duplicates()
        for run, player, value in zip(*(known[name] for name in known), strict=True):
            values[str(player)][int(run)].append(str(value))
        for player, found in sorted(values.items()):
            by_run = {run: ", ".join(sorted(mine)) for run, mine in found.items()}
            if len(set(by_run.values())) > 1:
                cells: Cells = [by_run.get(run) for run in range(len(loaded.readers))]
                yield f"{what}: {player}", confounds, cells
    yield from _unsteady(loaded)


def _unsteady(loaded: LoadedRuns) -> Iterator[tuple[str, bool, Cells]]:
    """A model name that was served by several models, in one run or over several."""
    table = loaded.responses[["run", "model", "served_model"]].dropna().drop_duplicates()
    for model, part in table.groupby("model", observed=True):
        if part["served_model"].nunique() > 1:
            cells: Cells = [
                ", ".join(sorted(part.loc[part["run"] == run, "served_model"].astype(str))) or None
                for run in range(len(loaded.readers))
            ]
            yield f"{model} was served by", True, cells


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _hash(text: str) -> str:
    return "sha256 " + hashlib.sha256(text.encode()).hexdigest()[:10] if text else "none"


def _clip(cell: str | None, width: int = 60) -> str | None:
    if cell is None or len(cell) <= width:
        return cell
    return f"{cell[: width - 10]}… {_hash(cell)[7:13]}"


def shown_value(value: Any) -> str:
    """Return a setting's value in a few characters."""
    return _clip(_text(value), 40) or UNKNOWN_TEXT
