"""What the loopback server answers: settings, faults and the text of answers.

Pure functions and small objects without any network, used by ``server.py``.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

#: Everything that can be set at start and at run time, with what holds until it is.
DEFAULTS: Json = {
    # Seconds, or {"kind": "lognormal", "median": 0.2, "sigma": 0.3}.
    "latency": 0.0,
    # "play" | "echo" | {"text": "..."} | {"sequence": ["...", ...]}
    "answer": "play",
    # None answers without usage; else numbers that replace the counted ones: prompt_tokens,
    # completion_tokens, cached_tokens, reasoning_tokens.
    "usage": {},
    # None, or {"field": "reasoning_content" | "reasoning" | "think", "text": "..."}
    "reasoning": None,
    "served_model": None,
    # Streaming: number of pieces, and the seconds that the first and each later piece waits.
    "chunks": 5,
    "chunk_s": 0.0,
    # None takes any request; else the only accepted bearer token.
    "key": None,
    # A list of faults, see Fault.
    "faults": [],
    # None, or a body to send as it is in the place of any answer, see ``Recorded``.
    "recorded": None,
    # "full" keeps headers and bodies, "times" only times, "off" only counts.
    "log": "full",
}

MESSAGES = {
    400: "Invalid value for parameter.",
    401: "Incorrect API key provided.",
    402: "Insufficient balance.",
    403: "You are not allowed to use this model.",
    404: "The model does not exist.",
    408: "Request timed out.",
    413: "Request too large.",
    422: "Unprocessable parameter.",
    429: "Rate limit reached, slow down.",
    500: "The server had an error.",
    502: "Bad gateway.",
    503: "Service unavailable.",
    529: "Overloaded.",
}
CONTEXT_MESSAGE = (
    "This model's maximum context length is 4096 tokens. However, your messages resulted in "
    "5000 tokens. Please reduce the length of the messages."
)
QUOTA_MESSAGE = "You exceeded your current quota, please check your plan and billing details."


@dataclass
class Fault:
    """One way to fail, for some requests.

    ``kind``: status (with ``status``, ``message``, ``code``, ``retry_after`` in seconds or
    ``retry_after_date``), context, quota, drop_before, drop_mid, drip, stall, not_json,
    no_choices, null_content, length, content_filter, refusal, empty, body (with ``body`` and
    ``content_type``, sent as a ``Recorded`` is). ``{authorization}`` in a message is replaced by
    the header that the request carried.
    """

    kind: str = "status"
    status: int = 500
    message: str | None = None
    code: str | None = None
    retry_after: float | None = None
    retry_after_date: str | None = None
    drip_s: float = 0.05
    body: str = ""
    content_type: str = "application/json"
    count: int | None = None  # how often; None is for ever
    rate: float = 1.0  # share of the requests that would be hit
    model: str | None = None  # only this model
    skip: int = 0  # requests let through first
    seen: int = field(default=0)
    used: int = field(default=0)

    def hits(self, model: str, rng: random.Random) -> bool:
        """Whether this request fails; counts it if so."""
        if self.model is not None and self.model != model:
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.count is not None and self.used >= self.count):
            return False
        if self.rate < 1.0 and rng.random() >= self.rate:
            return False
        self.used += 1
        return True


@dataclass
class Recorded:
    """A response that a provider once gave, or could give: sent as it is, in pieces.

    ``body`` is text of which each character is a byte (Latin-1), so that any bytes can be said.
    ``pieces`` are the sizes of the pieces, over and over; ``framing`` is chunked, length (of the
    whole body), close (the end of the connection is the body's) or cut (a length that never comes).
    """

    body: str
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[int] = field(default_factory=lambda: [10**9])
    framing: str = "chunked"

    def split(self) -> list[bytes]:
        """The body in its pieces."""
        parts: list[bytes] = []
        data, at = self.body.encode("latin-1"), 0
        while at < len(data):
            size = self.pieces[len(parts) % len(self.pieces)]
            parts.append(data[at : at + size])
            at += size
        return parts


class Behaviour:
    """The settings in force, and what they make of a request."""

    def __init__(self, settings: Json | None = None) -> None:
        self.settings = dict(DEFAULTS)
        self.faults: list[Fault] = []
        self.recorded: Recorded | None = None
        self.rng = random.Random(0)
        self.answered = 0
        self.update(settings or {})

    def update(self, settings: Json) -> None:
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"unknown settings {sorted(unknown)}, known {sorted(DEFAULTS)}")
        self.settings.update(settings)
        if "faults" in settings:
            self.faults = [Fault(**fault) for fault in settings["faults"]]
        if "answer" in settings:
            self.answered = 0
        if "recorded" in settings:
            given = settings["recorded"]
            self.recorded = None if given is None else Recorded(**given)

    def fault(self, model: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.hits(model, self.rng)), None)

    def latency(self) -> float:
        latency = self.settings["latency"]
        if isinstance(latency, dict):
            return float(latency["median"]) * self.rng.lognormvariate(0.0, latency["sigma"])
        return float(latency)

    def answer(self, body: Json) -> str:
        """The text of the answer to a request body."""
        self.answered += 1
        how = self.settings["answer"]
        if constrained := _constrained(body):
            return constrained
        if isinstance(how, dict) and "text" in how:
            return str(how["text"])
        if isinstance(how, dict) and "sequence" in how:
            texts = how["sequence"]
            return str(texts[(self.answered - 1) % len(texts)])
        if how == "echo":
            return str(body["messages"][-1]["content"])
        return _play(body)

    def usage(self, body: Json, text: str) -> Json | None:
        """The usage object: words counted as tokens, unless numbers are set."""
        numbers = self.settings["usage"]
        if numbers is None:
            return None
        words = sum(len(str(m.get("content", "")).split()) for m in body.get("messages", []))
        prompt = numbers.get("prompt_tokens", words)
        completion = numbers.get("completion_tokens", max(1, len(text.split())))
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        if "cached_tokens" in numbers:
            usage["prompt_tokens_details"] = {"cached_tokens": numbers["cached_tokens"]}
        if "reasoning_tokens" in numbers:
            usage["completion_tokens_details"] = {"reasoning_tokens": numbers["reasoning_tokens"]}
        return usage

    def message(self, body: Json, fault: Fault | None) -> tuple[Json, str]:
        """The assistant's message and the finish reason."""
        kind = fault.kind if fault else ""
        message: Json = {"role": "assistant", "content": None}
        if kind == "null_content":
            return message, "stop"
        if kind == "empty":
            return {**message, "content": ""}, "stop"
        if kind == "refusal":
            return {**message, "refusal": "I cannot help with that."}, "stop"
        if kind == "content_filter":
            return {**message, "content": ""}, "content_filter"
        text = self.answer(body)
        if kind == "length":
            return {**message, "content": text[: len(text) // 2]}, "length"
        message["content"] = text
        if reasoning := self.settings["reasoning"]:
            if reasoning["field"] == "think":
                message["content"] = f"<think>{reasoning['text']}</think>\n{text}"
            else:
                message[reasoning["field"]] = reasoning["text"]
        return message, "stop"


def error_body(fault: Fault, authorization: str) -> Json:
    """The JSON of an error answer."""
    message, code, status = fault.message, fault.code, fault.status
    if fault.kind == "context":
        message, code = message or CONTEXT_MESSAGE, code or "context_length_exceeded"
    elif fault.kind == "quota":
        message, code = message or QUOTA_MESSAGE, code or "insufficient_quota"
    message = message or MESSAGES.get(status, "Something failed.")
    message = message.replace("{authorization}", authorization)
    return {"error": {"message": message, "type": "error", "param": None, "code": code}}


def error_status(fault: Fault) -> int:
    return {"context": 400, "quota": 429}.get(fault.kind, fault.status)


def _rng(body: Json) -> random.Random:
    seed = body.get("seed")
    if seed is None:
        seed = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
    return random.Random(str(seed))


def _play(body: Json) -> str:
    """A legal move out of the prompt, decided by the request's seed, else by its messages."""
    for message in reversed(body["messages"]):
        section = re.search(
            r"^\s*legal moves[^\n]*\n\s*((?:- [^\n]*\n?)+)", str(message["content"]), re.I | re.M
        )
        if message["role"] != "assistant" and section:
            moves = [line[2:].rstrip() for line in section[1].splitlines() if line]
            move = _rng(body).choice(moves)
            break
    else:
        return "Hello from the loopback server."
    texts = " ".join(str(m["content"]) for m in body["messages"] if m["role"] != "assistant")
    if "final answer:" not in texts.lower() and re.search(r"[\"'`]action[\"'`]", texts):
        return json.dumps({"reasoning": "The loopback server plays.", "action": move})
    return f"The loopback server plays.\nFinal Answer: {move}"


def _constrained(body: Json) -> str | None:
    choices = (body.get("structured_outputs") or {}).get("choice")
    if choices:
        return str(_rng(body).choice(choices))
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(_instance(wanted["json_schema"]["schema"], _rng(body)))
    return None


def _instance(schema: Json, rng: random.Random) -> Any:
    """Some value that a (simple) JSON schema allows."""
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "string")
    if kind == "object":
        return {key: _instance(sub, rng) for key, sub in schema.get("properties", {}).items()}
    if kind == "array":
        return [_instance(schema.get("items", {}), rng)]
    return {"integer": 1, "number": 1.0, "boolean": True, "null": None}.get(kind, "because")
