"""What models write before they answer: how much, and in what words, by rules anyone can read.

The rules are word patterns, no judgement of whether a justification is sound. A category is
present when its pattern occurs at least once, case ignored, whole words only. What is looked at is
the provider's reasoning text where there is one, else the answer without its final line; of answers
to prompts, which declare no move, all of it. English only: in other languages the lengths hold and
the categories do not.

For judgements of content plug in a judge: any asynchronous callable from a text to labels, such as
:class:`ModelJudge`, which asks a model through the same backends that players use. `arena compare
--reasoning FILE --judge MODEL` does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import orjson
import pandas as pd

from game_reasoning_arena.analysis.statistics.standings import PROMPTS, Standings, of_prompts
from game_reasoning_arena.analysis.tables.forms import Column, Table
from game_reasoning_arena.recording.frames import LoadedRuns
from game_reasoning_arena.records import Asker, CallKey, Message, Model, Request, Sampling

#: Category: what it stands for, and its pattern.
RULES: Final[dict[str, tuple[str, str]]] = {
    "threat": (
        "a danger or an opportunity one move away is named",
        r"threat(?:s|en(?:s|ed|ing)?)?|about to win|could win|can win|winning move|in check"
        r"|checkmate|two in a row|three in a row|danger(?:ous)?|attack(?:s|ed|ing)?",
    ),
    "block": (
        "the move is meant to stop the opponent",
        r"block(?:s|ed|ing)?|prevent(?:s|ed|ing)?|stop(?:s|ped|ping)? (?:the|my|your|his|their)"
        r"|defen[ds](?:s|e|ed|ing|ive)?|den(?:y|ies|ied|ying)",
    ),
    "centre": (
        "control of the middle is a reason",
        r"cent(?:er|re|ral)(?:s|ly)?|middle",
    ),
    "opponent": (
        "what the other side wants, holds or will do is considered",
        r"(?:the|my) opponents?(?:'s)?|they (?:will|would|might|may|could|are likely)"
        r"|(?:he|she|player [0-9xo]) (?:will|would|might|may|could)|bluff(?:s|ed|ing)?",
    ),
    "rule": (
        "rules are recalled, or legality is checked",
        r"(?:il)?legal(?:ly)?|rules?|allowed|not permitted|valid|according to the|the game ends"
        r"|goal (?:of the game )?is|must (?:play|move|choose)",
    ),
    "lookahead": (
        "a line of play beyond the own move is followed",
        r"next (?:move|turn)|if (?:i|they|the opponent|x|o)\b.{0,60}\bthen"
        r"|then (?:i|they|my opponent)|in (?:two|three|\d+) moves|after that",
    ),
    "chance": (
        "probabilities or expectations are weighed",
        r"probabilit(?:y|ies)|likel(?:y|ihood)|chances?|odds|expected value|\d+ ?%",
    ),
}

_COMPILED: Final = {
    name: re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE | re.DOTALL)
    for name, (_, pattern) in RULES.items()
}
_WORD: Final = re.compile(r"\w+(?:['’]\w+)?")


def passage(
    text: str | None, reasoning: str | None, *, whole: bool = False
) -> tuple[str, str] | None:
    """Return the text to examine and its place (``reasoning`` or ``text``); None without any.

    Args:
        text: the answer.
        reasoning: as the provider gave it.
        whole: the answer ends with no declaration of a move: it answers a prompt.
    """
    if reasoning is not None and reasoning.strip():
        return reasoning, "reasoning"
    if text is None:
        return None
    if whole:
        return text, "text"
    before, _, last = text.rstrip().rpartition("\n")
    # A lone line is the answer itself unless it is longer than a declaration would be.
    return (before, "text") if before or len(last) <= 80 else (last, "text")


def features(text: str) -> dict[str, Any]:
    """Return the length in characters and words, and each category as a bool."""
    return dict(zip(_FEATURES, _features(text), strict=True))


_FEATURES: Final = ("chars", "words", *RULES)


@lru_cache(maxsize=256)  # some players repeat themselves
def _features(text: str) -> tuple[int | bool, ...]:
    words = len(_WORD.findall(text))
    return (len(text), words, *(bool(pattern.search(text)) for pattern in _COMPILED.values()))


class Passages:
    """What was written before each answer, with who wrote it, where, and how it ended."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        kept = (standings.table[name] for name in ("run", "episode", "seat", "game", "loss"))
        self._ended = {
            (run, episode, seat): (game, result)
            for run, episode, seat, game, result in zip(*kept, strict=True)
        }

    def of(self, run: int, line: Mapping[str, Any]) -> tuple[dict[str, Any], str] | None:
        """Return the keys and the text of a line of responses; None where nothing was written."""
        game, result = self._ended.get((run, line["episode"], line["seat"]), (None, None))
        asked = str(game).partition("(")[0] == PROMPTS
        found = passage(line.get("text"), line.get("reasoning"), whole=asked)
        player = str(line.get("player"))
        if found is None or (run, player) not in self._standings.competitors:
            return None
        text, source = found
        keys = {key: line.get(key) for key in ("episode", "seat", "turn", "attempt", "sample")}
        return (
            {
                "run": run,
                **keys,
                "competitor": self._standings.label(run, player),
                "game": game,
                "outcome": line.get("outcome"),
                "result": result,
                "source": source,
            },
            text,
        )


def passages(loaded: LoadedRuns, standings: Standings) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield keys (competitor, place, end) and text of every answer, read one at a time."""
    every = Passages(standings)
    for run, line in loaded.iter_responses():
        if (found := every.of(run, line)) is not None:
            yield found


def reasoning_row(keys: Mapping[str, Any], text: str) -> tuple[Any, ...]:
    """Return a passage as a row of :func:`reasoning_table`."""
    return (*_key_values(keys), *_features(text))


def reasoning_table(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """Return a row per passage: competitor, place, ends of answer and game, length, categories."""
    return pd.DataFrame(list(rows), columns=[*_KEYS, *_FEATURES])


_KEYS: Final = (
    "run", "episode", "seat", "turn", "attempt", "sample", "competitor", "game", "outcome",
    "result",
    "source",
)  # fmt: skip
_key_values: Final = itemgetter(*_KEYS)


def reasoning_summary(table: pd.DataFrame) -> Table:
    """Return median length and share of each category by competitor, game and result."""
    summary = Table(
        "reasoning",
        "Reasoning: median words, % of answers in which a category occurs",
        [
            Column("competitor", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("result", "game ended", names_row=True),
            Column("answers", "answers", "count"),
            Column("words", "words", "number"),
            *(Column(name, name, "percent") for name in RULES),
        ],
    )
    filled = table.assign(
        result=table["result"].fillna("undecided").mask(of_prompts(table["game"]), ""),
        game=table["game"].fillna("?"),
    )
    for (competitor, game, result), part in filled.groupby(
        ["competitor", "game", "result"], sort=False
    ):
        row: dict[str, Any] = {
            "competitor": str(competitor),
            "game": str(game),
            "result": str(result) or None,
            "answers": len(part),
            "words": float(part["words"].median()),
        }
        row.update({name: float(part[name].mean()) for name in RULES})
        summary.rows.append(row)
    if summary.rows:
        summary.notes.append(
            "Word patterns, not judgements; they are listed in game_reasoning_arena.analysis."
            "statistics.reasoning.RULES."
        )
    return summary


#: From a passage to labels, such as {"sound": true}; a label that is not known is None.
Judge = Callable[[str], Awaitable[Mapping[str, Any]]]


async def judged(
    items: Sequence[tuple[dict[str, Any], str]], judge: Judge, *, concurrency: int = 16
) -> pd.DataFrame:
    """Return labels of a judge beside the keys of each passage, many asked at once.

    A label called like a key does not replace it.
    """
    gate = asyncio.Semaphore(concurrency)

    async def one(keys: dict[str, Any], text: str) -> dict[str, Any]:
        async with gate:
            return {**keys, **dict(await judge(text)), **keys}

    return pd.DataFrame(await asyncio.gather(*(one(keys, text) for keys, text in items)))


RUBRIC: Final = """You judge a player's reasoning in a board or card game; you do not play. Answer \
with one JSON object and nothing else: {"sound": true or false, "category": "threat" | "block" | \
"centre" | "opponent" | "rule" | "other"}, where sound says whether the reasons given support the \
move chosen."""


@dataclass(frozen=True, kw_only=True)
class ModelJudge:
    """A model as judge: asks ``asker`` with ``rubric`` and reads the last JSON object it answers.

    An answer without one gives ``{"judge_error": ...}``; outages are raised as they are.
    """

    asker: Asker
    model: Model
    rubric: str = RUBRIC
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0, max_tokens=1000))

    async def __call__(self, text: str) -> Mapping[str, Any]:
        """Judge one passage."""
        messages: tuple[Message, ...] = (
            {"role": "system", "content": self.rubric},
            {"role": "user", "content": f"The player's reasoning, quoted:\n\n{text}"},
        )
        reply = await self.asker.complete(
            Request(model=self.model, messages=messages, sampling=self.sampling, key=CallKey())
        )
        for found in reversed(re.findall(r"\{[^{}]*\}", reply.text)):
            try:
                labels: dict[str, Any] = orjson.loads(found)
            except orjson.JSONDecodeError:
                continue
            if labels:
                return labels
        return {"judge_error": "no JSON object in the answer"}
