"""Make the prompts of a run from ``simulation`` in a configuration; report all problems at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from, problems_of
from game_reasoning_arena.simulation.prompts.columns import USUAL, Columns
from game_reasoning_arena.simulation.prompts.files import Rows, data_files
from game_reasoning_arena.simulation.prompts.questions import Bank, Examples, Questionnaire
from game_reasoning_arena.simulation.prompts.scorers import NONE, make_scorer, scorer_conf
from game_reasoning_arena.simulation.prompts.scorers.base import Scorer
from game_reasoning_arena.simulation.prompts.selection import ORDERS, Selection
from game_reasoning_arena.simulation.prompts.simulation import PromptsSimulation
from game_reasoning_arena.simulation.prompts.templates import ANSWER_VARIABLES, RowTemplate

_LEAST = {"repeats": 1, "limit": 1, "sample": 1, "shots": 0}


def simulation_of(conf: Mapping[str, Any]) -> PromptsSimulation:
    """Return the simulation of a configuration.

    Raises:
        UserError: the file, a column, a template, the scorer or a row is wrong.
    """
    found = _wrong_numbers(conf)
    try:
        questions = _questions(conf)
    except UserError as error:
        found = [*problems_of(error), *found]
    if found:
        raise ConfigProblems(list(dict.fromkeys(found)))
    return PromptsSimulation(
        questions, selection=_selection(conf), repeats=int(conf.get("repeats", 1))
    )


def _selection(conf: Mapping[str, Any]) -> Selection:
    return Selection(conf.get("order") or "file", conf.get("sample"), conf.get("limit"))


def _wrong_numbers(conf: Mapping[str, Any]) -> list[str]:
    found = []
    for name, least in _LEAST.items():
        number = conf.get(name)
        if number is not None and number < least:
            found.append(f"simulation.{name}={number} must be at least {least}.")
    order = conf.get("order") or "file"
    if order not in ORDERS:
        found.append(f"simulation.order={order} is unknown. {choose_from(str(order), ORDERS)}")
    return found


def _questions(conf: Mapping[str, Any]) -> Questionnaire:
    file = conf.get("file")
    if not isinstance(file, str) or not file or file == "???":
        raise UserError(
            "simulation.file is not set. It takes a .jsonl, .csv, .tsv, .json, .parquet or .txt "
            "file, or a directory of such."
        )
    bank = _bank(conf, file, "simulation.file")
    shots = int(conf.get("shots") or 0)
    examples = _examples(conf, shots, bank, file) if shots > 0 else None
    selection = _selection(conf)
    first = None
    if selection.first_only and not shots and selection.limit is not None:
        first = max(1, selection.limit)
    questions = Questionnaire(bank, first=first, examples=examples)
    if examples is not None:
        _enough(examples, questions, conf)
    return questions


def _bank(conf: Mapping[str, Any], file: str, key: str) -> Bank:
    """Return the rows of a file, with columns, template and scorer."""
    header = [str(name) for name in conf.get("header") or ()]
    rows = Rows(data_files(file, key=key), header=header, key=key)
    next(rows.scan(), None)  # reads the columns from the first row
    where = f"{key}={file!r}"
    if not rows.columns:
        raise UserError(f"{where} holds no prompts.")
    columns = Columns(_columns(conf.get("columns")), rows.columns, where)
    chosen, scorer = _scorer(conf, columns, where)
    return Bank(rows, columns, _template(conf, columns, scorer), scorer, chosen, where)


def _columns(given: Any) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UserError(
            f"simulation.columns={given!r}: give simulation.columns.prompt=NAME and the like."
        )
    if unknown := [str(key) for key in given if key not in USUAL]:
        raise UserError(
            f"simulation.columns.{unknown[0]} is no known setting. "
            + choose_from(unknown[0], USUAL)
        )
    return given


def _scorer(conf: Mapping[str, Any], columns: Columns, where: str) -> tuple[Any, Scorer | None]:
    """Return the scorer's settings and the scorer; the rows' columns decide if none is set."""
    chosen = scorer_conf(conf.get("scorer"))
    if chosen is None:
        if not columns.labelled:
            return {"type": NONE}, None
        chosen = {"type": "exact" if columns.names["choices"] is None else "choice"}
    scorer = make_scorer(chosen)
    if scorer is not None and scorer.needs_answer and not columns.labelled and not columns.chats:
        raise UserError(
            f"simulation.scorer={scorer.name}: {where} has no column of right answers by a usual "
            f"name; its columns are {', '.join(columns.known)}. Name it: "
            "simulation.columns.answer=NAME"
        )
    return chosen, scorer


def _template(conf: Mapping[str, Any], columns: Columns, scorer: Scorer | None) -> RowTemplate:
    given = conf.get("template")
    if given is None:
        declared = {"line": "line", "last_number": "line", "json": "json"}
        given = "plain" if scorer is None else declared.get(scorer.read, "plain")
        if given == "plain" and columns.names["choices"] is not None:
            given = "choices"
    return RowTemplate(str(given), "simulation.template")


def _examples(conf: Mapping[str, Any], shots: int, bank: Bank, file: str) -> Examples:
    other = conf.get("shots_file")
    source = bank
    if other:
        source = _bank(conf, str(other), "simulation.shots_file")
        for _ in source.rows.scan():
            pass
    if not source.columns.labelled and not source.columns.chats:
        raise UserError(
            f"simulation.shots={shots}: {source.file} has no column of answers that examples could "
            "show. Name it: simulation.columns.answer=NAME"
        )
    given = conf.get("shots_template")
    answer = None
    if given is not None:
        answer = RowTemplate(str(given), "simulation.shots_template", ANSWER_VARIABLES)
    return Examples(shots, source, answer, same_file=not other)


def _enough(examples: Examples, questions: Questionnaire, conf: Mapping[str, Any]) -> None:
    """Check that there are enough rows and each can be shown; tried with one draw."""
    rows = len(examples.bank.rows)
    needed = examples.shots + examples.same_file
    if rows < needed:
        raise UserError(
            f"simulation.shots={examples.shots}: {examples.bank.file} has {rows} rows, and "
            f"{needed} are needed, since the asked one is never shown."
        )
    examples.draw(0)
    questions.question(0)
