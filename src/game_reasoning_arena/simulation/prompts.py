"""Prompts without a game: each answered by every agent, side by side.

A file is JSONL (objects with ``prompt``, or plain strings), CSV (a column
``prompt``) or TXT (one prompt per line; blank lines are skipped). JSONL and CSV may hold an ``id``
for each prompt, which its episodes' records repeat; other columns are not read. An episode is one
prompt in one repeat, with every agent asked at once.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from game_reasoning_arena.agents.base_agent import Agent, PlayerSpec
from game_reasoning_arena.errors import (
    BackendError,
    BudgetReached,
    ConfigProblems,
    UserError,
    problems_of,
)
from game_reasoning_arena.process.text import in_unicode
from game_reasoning_arena.records import EpisodePlan, EpisodeRecord, Status
from game_reasoning_arena.simulation.base import Simulation
from game_reasoning_arena.simulation.seating import seeds

#: The prompts that ship, under the name that ``simulation.file`` takes.
SHIPPED = Path(__file__).resolve().parent / "data"
_KINDS = (".jsonl", ".csv", ".txt")
#: Where a reader puts cells of a row that no column is named for.
_BEYOND = "beyond the header"


class PromptTurn:
    """A prompt as an agent sees it; nothing is legal or illegal."""

    def __init__(self, prompt: str, seat: int) -> None:
        self.game = "prompts"
        self.seat = seat
        self.turn = 0
        self.legal_actions: Sequence[int] = ()
        self._prompt = prompt

    def action_text(self, action: int) -> str:
        """There are no actions."""
        raise LookupError(f"prompts have no action {action}")

    def state_text(self) -> str:
        """The prompt."""
        return self._prompt

    def history(self) -> Sequence[str]:
        """Nothing happened before."""
        return ()

    def other_notation(self, text: str) -> Collection[int]:
        """There are no actions."""
        return ()


class PromptsSimulation(Simulation):
    """A list of prompts, each answered ``repeats`` times by every agent.

    Args:
        prompts: the texts, by what they are called in records.
        repeats: how often each is asked.
        limit: only the first so many prompts; None for all.

    Raises:
        UserError: no prompts, or ``repeats`` or ``limit`` below 1.
    """

    open_ended = True

    def __init__(
        self, prompts: Mapping[int | str, str], *, repeats: int = 1, limit: int | None = None
    ) -> None:
        if not prompts:
            raise UserError("simulation.file holds no prompts.")
        if wrong := _number_problems(repeats, limit):
            raise ConfigProblems(wrong)
        self.name = "prompts"
        self.names = tuple(prompts)[:limit]
        self.prompts = tuple(prompts.values())[:limit]
        self.repeats = repeats

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> PromptsSimulation:
        """From a plain dict in the form of ``schema.PromptsConf``."""
        file, repeats, limit = conf.get("file"), int(conf.get("repeats", 1)), conf.get("limit")
        try:
            if not isinstance(file, str) or not file or file == "???":
                raise UserError("simulation.file is not set. It takes a .jsonl, .csv or .txt file.")
            return cls(read_prompts(file), repeats=repeats, limit=limit)
        except UserError as error:
            found = [*problems_of(error), *_number_problems(repeats, limit)]
            raise ConfigProblems(list(dict.fromkeys(found))) from error

    def check(self, players: Sequence[PlayerSpec], *, everybody: bool = True) -> list[str]:
        """Only language models answer prompts, and without the options that moves need."""
        found = (
            []
            if players or not everybody
            else ["agents: nobody is configured to answer the prompts."]
        )
        for spec in players:
            where = f"agents.{spec.name}"
            if spec.type != "llm":
                found.append(
                    f"{where}.type={spec.type} cannot answer prompts; only llm can. Try agents=llm."
                )
            if spec.options.get("constrain_to_legal"):
                found.append(f"{where}.constrain_to_legal: prompts have no legal moves.")
            if spec.options.get("template", "line") != "line":
                found.append(
                    f"{where}.template: prompts are sent as they stand, after the system_prompt if "
                    "there is one; a template has nothing to do."
                )
            if spec.options.get("votes", 1) != 1:
                found.append(f"{where}.votes: prompts have no moves to vote on; use repeats.")
        return found

    def plan(
        self, *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
    ) -> list[EpisodePlan]:
        """Prompts times repeats, whatever ``episodes`` and ``rotate`` say."""
        n = len(self.prompts) * self.repeats
        return [
            EpisodePlan(episode=episode, seed=drawn, seats=tuple(players))
            for episode, drawn in enumerate(seeds(seed, n))
        ]

    async def play(
        self, plan: EpisodePlan, agents: Mapping[str, Agent], run_id: str
    ) -> EpisodeRecord:
        """Ask every agent at once."""
        started = perf_counter()
        number = plan.episode // self.repeats
        prompt = self.prompts[number]
        actors = [agents[name].sit(plan, seat) for seat, name in enumerate(plan.seats)]
        results = await asyncio.gather(
            *(actor.act(PromptTurn(prompt, seat)) for seat, actor in enumerate(actors)),
            return_exceptions=True,
        )
        status, error = Status.COMPLETED, None
        for result in results:
            if isinstance(result, BackendError):
                status, error = Status.ERROR, f"{result.kind}: {result.message}"
            elif isinstance(result, BudgetReached) and error is None:
                status, error = Status.BUDGET, str(result)
            elif isinstance(result, BaseException) and not isinstance(result, BudgetReached):
                raise result
        return EpisodeRecord(
            run_id=run_id,
            episode=plan.episode,
            seed=plan.seed,
            game=self.name,
            seats=plan.seats,
            status=status,
            winner=None,
            returns=None,
            forfeit=None,
            move_limit=False,
            turns=1,
            moves=(),
            duration_s=perf_counter() - started,
            error=error,
            prompt=self.names[number],
        )


def _number_problems(repeats: int, limit: int | None) -> list[str]:
    numbers = {"repeats": repeats, "limit": limit}
    return [
        f"simulation.{name}={number} must be at least 1."
        for name, number in numbers.items()
        if number is not None and number < 1
    ]


def words_for_games(overrides: Sequence[str], simulations: Sequence[Simulation]) -> list[str]:
    """What is wrong with words that count or seat games where every run is of prompts.

    Args:
        overrides: the words as Hydra got them.
        simulations: of all runs that the words make.
    """
    if not simulations or not all(isinstance(one, PromptsSimulation) for one in simulations):
        return []
    words = {word.partition("=")[0].lstrip("+~"): word for word in overrides}
    found = []
    if "episodes" in words:
        found.append(
            f"{words['episodes']}: prompts are asked simulation.repeats times each, whatever "
            "episodes says. For the first so many prompts of the file: simulation.limit=N"
        )
    if "seats" in words:
        found.append(f"{words['seats']}: prompts have no seats; every agent answers each.")
    return found


def read_prompts(file: str) -> dict[int | str, str]:
    """The prompts of a file by their ids, where it has no such by their numbers from 0.

    A name without a folder is looked for here, then among the shipped.

    Raises:
        UserError: the file cannot be read or a line of it is wrong; the line is named.
    """
    path = Path(file).expanduser()
    if not path.exists() and path.parent == Path() and (SHIPPED / path).is_file():
        path = SHIPPED / path
    if path.suffix.lower() not in _KINDS:
        raise UserError(
            f"simulation.file={file!r} has an unknown ending. Possible: {', '.join(_KINDS)}."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"simulation.file={file!r} cannot be read: {reason}.") from error
    readers = {".jsonl": _jsonl, ".csv": _csv, ".txt": _txt}
    rows = list(readers[path.suffix.lower()](text, file))
    if not rows:
        raise UserError(f"simulation.file={file!r} holds no prompts.")
    return _named(rows, file)


@dataclass(frozen=True, slots=True)
class _Row:
    """A prompt of a file; ``name`` is its ``id``, None where it has none."""

    line: int
    prompt: str
    name: object = None


def _named(rows: Sequence[_Row], file: str) -> dict[int | str, str]:
    if all(row.name is None for row in rows):
        return {number: row.prompt for number, row in enumerate(rows)}
    first: dict[int | str, int] = {}
    for row in rows:
        where = f"simulation.file={file!r}, line {row.line}"
        name = row.name
        if isinstance(name, bool) or not isinstance(name, int | str) or name == "":
            wrong = "has no id" if name in (None, "") else f"has the id {name!r}"
            raise UserError(
                f"{where} {wrong}. An id is a text or a whole number; either every prompt has one "
                "or none."
            )
        if name in first:
            raise UserError(f"{where} has the id {name!r} of line {first[name]}; ids must differ.")
        first[name] = row.line
    return {name: row.prompt for name, row in zip(first, rows, strict=True)}


def _txt(text: str, file: str) -> Iterator[_Row]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _Row(number, line.strip())


def _csv(text: str, file: str) -> Iterator[_Row]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a prompt may hold a whole book
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey=_BEYOND)
    columns = rows.fieldnames or []
    if "prompt" not in columns:
        raise UserError(
            f"simulation.file={file!r} has no column 'prompt'; its columns are "
            f"{', '.join(columns) or 'none'}."
        )
    for row in rows:
        if beyond := row.get(_BEYOND):
            raise UserError(
                f"simulation.file={file!r}, line {rows.line_num} has {len(row) - 1 + len(beyond)} "
                f"cells, but the header names {len(columns)}. A cell that holds a comma stands in "
                f'quotes: "Yes, or no?"'
            )
        yield _Row(rows.line_num, _usable(row.get("prompt"), file, rows.line_num), row.get("id"))


def _jsonl(text: str, file: str) -> Iterator[_Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_int=_whole)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "too deeply nested"
            raise UserError(
                f"simulation.file={file!r}, line {number} is not JSON: {reason}."
            ) from error
        given = value if isinstance(value, dict) else {"prompt": value}
        yield _Row(number, _usable(given.get("prompt"), file, number), given.get("id"))


def _whole(digits: str) -> int | float:
    """A number of thousands of digits is an error for ``int``, and no prompt's matter."""
    return int(digits) if len(digits) < 1000 else float(digits)


def _usable(prompt: object, file: str, line: int) -> str:
    if not isinstance(prompt, str) or not prompt.strip():
        raise UserError(
            f"simulation.file={file!r}, line {line} has no text under 'prompt' "
            '(JSONL: {"prompt": "..."}).'
        )
    if in_unicode(prompt) != prompt:
        raise UserError(
            f"simulation.file={file!r}, line {line} has half a character under 'prompt': "
            "of \\ud800 to \\udfff only pairs can be sent."
        )
    return prompt
