"""Deterministic stand-ins for a language model, to try the harness without a key.

They read the prompt that a language model would get and answer in the requested form. No language
model is involved, and every answer states this:

- ``scripted_random``  any legal move, each equally likely
- ``scripted_first``   the first legal move listed
- ``scripted_sloppy``  like random, but some answers are illegal, unparsable, truncated or empty

All randomness comes from the request's seed.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Sequence
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import BadRequestError, choose_from
from game_reasoning_arena.records import Message, Model, Reply, Request

#: The stand-ins, with the description that each gives of itself.
STAND_INS = {
    "random": "I pick any legal move, each equally likely.",
    "first": "I pick the first legal move listed.",
    "sloppy": "I pick any legal move, and now and then I fail on purpose.",
}

#: The illegal move of ``scripted_sloppy``; no game has a move of this name.
ILLEGAL_MOVE = "no-such-move"

_LABEL = "I am a scripted stand-in, no language model."
_ASKS_FOR_LINE = re.compile(r"final answer\s*:", re.IGNORECASE)
_CHOICE = re.compile(r"(\w{1,8})\. ")
_ASKS_FOR_JSON = re.compile(r"[\"'`]action[\"'`]")


class ScriptedBackend(BaseLLMBackend):
    """Answers by fixed rules in place of a language model.

    Args:
        latency_s: seconds that every answer takes.
        illegal, unparsable, truncated, empty: shares, 0 to 1, of the answers of
            ``scripted_sloppy`` that fail in this way; together at most 1.
        policy: the limits that every backend has, see :class:`BaseLLMBackend`.
    """

    free = True
    repeats = "stand-ins, no language model; they repeat exactly."

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        illegal: float = 0.1,
        unparsable: float = 0.1,
        truncated: float = 0.05,
        empty: float = 0.05,
        **policy: Any,
    ) -> None:
        super().__init__(**policy)
        rates = {
            "illegal": illegal,
            "unparsable": unparsable,
            "truncated": truncated,
            "empty": empty,
        }
        if min(rates.values()) < 0 or sum(rates.values()) > 1:
            raise ValueError(f"rates of failure must be 0 or more and sum to at most 1: {rates}")
        self._latency_s = latency_s
        self._rates = rates

    def check(self, models: Sequence[Model]) -> list[str]:
        """Return the models that are no stand-in."""
        return [
            f"There is no scripted model {model.name!r}. "
            + choose_from(model.name, [f"{model.backend}_{name}" for name in STAND_INS])
            for model in models
            if model.model_id not in STAND_INS
        ]

    async def generate(self, request: Request) -> Reply:
        """Answer at once, or after ``latency_s``.

        Token counts are unknown, since there is no tokenizer; the cost is 0.
        """
        if request.model.model_id not in STAND_INS:
            raise BadRequestError(self.check([request.model])[0])
        if self._latency_s > 0:
            await asyncio.sleep(self._latency_s)
        text, finish_reason = self._answer(request)
        return Reply(
            text=text,
            finish_reason=finish_reason,
            cost_usd=0.0,
            served_model=request.model.name,
            sent={
                "model": request.model.model_id,
                "seed": request.seed,
                **request.sampling.as_dict(),
            },
        )

    def _answer(self, request: Request) -> tuple[str, str]:
        stand_in = request.model.model_id
        rng = random.Random(request.seed if request.seed is not None else 0)
        if request.constraint is not None and request.constraint.choices:
            return _pick(stand_in, request.constraint.choices, rng), "stop"
        moves = legal_moves(request.messages) or listed_choices(request.messages)
        if not moves:
            if any(_answer_form(message["content"]) for message in request.messages):
                return f"{_LABEL} I can only choose from moves that are listed.", "stop"
            return f"{_LABEL} I have no answer of my own to give.", "stop"
        move = _pick(stand_in, moves, rng)
        introduction = f"{_LABEL} {STAND_INS[stand_in]}"
        if stand_in == "sloppy":
            failure = self._failure(rng)
            if failure == "empty":
                return "", "stop"
            if failure == "truncated":
                return f"{introduction} Let me think about {move} and what the oth", "length"
            if failure == "unparsable":
                return f"{introduction} Perhaps {move}, perhaps not.", "stop"
            if failure == "illegal":
                move = ILLEGAL_MOVE
        if _asked_form(request.messages) == "json":
            return json.dumps({"reasoning": introduction, "action": move}), "stop"
        return f"{introduction}\nFinal Answer: {move}", "stop"

    def _failure(self, rng: random.Random) -> str | None:
        drawn = rng.random()
        for kind, rate in self._rates.items():
            if drawn < rate:
                return kind
            drawn -= rate
        return None


def listed_choices(messages: Sequence[Message]) -> list[str]:
    """Return the labels under the line ``Choices:`` of the last message: ``A. one``, ``B. two``."""
    _, found, listed = (
        messages[-1]["content"].rpartition("Choices:\n") if messages else ("", "", "")
    )
    labels: list[str] = []
    for line in listed.splitlines() if found else ():
        match = _CHOICE.match(line)
        if match is None:
            break
        labels.append(match[1])
    return labels


def legal_moves(messages: Sequence[Message]) -> list[str]:
    """Return the moves of the last section ``Legal moves`` in the messages; empty if there is none.

    A section is a line that starts with ``Legal moves`` and the ``- move`` lines under it.
    """
    for message in reversed(messages):
        if message["role"] == "assistant":
            continue
        lines = iter(message["content"].splitlines())
        moves: list[str] = []
        for line in lines:
            if not line.strip().lower().startswith("legal moves"):
                continue
            moves = []
            for listed in lines:
                if listed.startswith("- "):
                    moves.append(listed[2:].rstrip())
                elif listed.strip() or moves:
                    break
        if moves:
            return moves
    return []


def _pick(stand_in: str, options: Sequence[str], rng: random.Random) -> str:
    return options[0] if stand_in == "first" else options[int(rng.random() * len(options))]


def _answer_form(text: str) -> str | None:
    if _ASKS_FOR_LINE.search(text):
        return "line"
    return "json" if _ASKS_FOR_JSON.search(text) else None


def _asked_form(messages: Sequence[Message]) -> str:
    """Return ``line`` or ``json``: the form that the last message with such a request asks for."""
    for message in reversed(messages):
        if message["role"] != "assistant" and (form := _answer_form(message["content"])):
            return form
    return "line"
