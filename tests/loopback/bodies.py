"""Bodies that providers send and their meanings: one table for all readers of answers.

Each case is a whole answer; :func:`as_stream` makes the same answer in pieces. What cannot be said
in one of the two ways is left out there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

Json = dict[str, Any]

#: As a provider would report them, and as a reply holds them.
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


@dataclass(frozen=True)
class Case:
    """An answer and its meaning.

    ``reply`` holds fields of the reply that it is, ``error`` the kind of the failure that it is;
    ``says`` must stand in the failure's message.
    """

    name: str
    body: Any
    reply: Json = field(default_factory=dict)
    error: str | None = None
    says: str = ""
    status: int = 200
    events: list[Any] | None = None  # where the stream is not what as_stream makes of the body
    headers: dict[str, str] = field(default_factory=dict)


def said(
    message: Any = None,
    finish: Any = "stop",
    *,
    usage: Any = USAGE,
    choice: Any = None,
    **more: Any,
) -> Json:
    """A chat completion."""
    if message is None:
        message = {"role": "assistant", "content": "Final Answer: a"}
    made = {"index": 0, "message": message, "finish_reason": finish, **(choice or {})}
    body: Json = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m-1"}
    return {**body, "choices": [made], "usage": usage, **more}


def content(value: Any) -> Json:
    """A chat completion with such content."""
    return said({"role": "assistant", "content": value})


def as_stream(body: Any) -> list[Any] | None:
    """The events that say the same as a whole answer; None where none do."""
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        return [body]
    head = {k: v for k, v in body.items() if k not in ("choices", "usage", "error")}
    head["object"] = "chat.completion.chunk"
    events: list[Any] = []
    for choice in body["choices"][:1]:
        if not isinstance(choice, dict):
            events.append({**head, "choices": [choice]})
            continue
        rest = {k: v for k, v in choice.items() if k not in ("message", "finish_reason")}
        message = choice.get("message")
        for delta in _deltas(message):
            made = {"index": 0, "delta": delta, "finish_reason": None}
            events.append({**head, "choices": [made]})
        end = {**rest, "delta": {}, "finish_reason": choice.get("finish_reason")}
        events.append({**head, "choices": [end]})
    events.append({**head, "choices": [], "usage": body.get("usage")})
    if "error" in body:
        events.append({**head, "error": body["error"]})
    return events


def sse(events: list[Any], *, end: bytes = b"\n", done: bool = True) -> bytes:
    """Server-sent events of JSON values; bytes stand as they are."""
    lines = [event if isinstance(event, bytes) else _line(event) for event in events]
    lines += [b"data: [DONE]"] if done else []
    return b"".join(line + end + end for line in lines)


def _line(event: Any) -> bytes:
    return b"data: " + json.dumps(event).encode()


def _deltas(message: Any) -> list[Any]:
    if not isinstance(message, dict):
        return [message]
    deltas: list[Any] = [{"role": message.get("role", "assistant")}]
    for name, value in message.items():
        if name == "role":
            continue
        if isinstance(value, str) and len(value) > 1:
            middle = len(value) // 2
            deltas += [{name: value[:middle]}, {name: value[middle:]}]
        else:
            deltas.append({name: value})
    return deltas


#: What of a reply a case may leave unsaid.
PLAIN: Json = {
    "text": "Final Answer: a",
    "reasoning": None,
    "finish_reason": "stop",
    "refused": False,
    "prompt_tokens": 9,
    "completion_tokens": 4,
    "cached_tokens": None,
    "reasoning_tokens": None,
    "cost_usd": None,
    "served_model": "m-1",
    "details": {},
}
_NO_COUNTS = {"prompt_tokens": None, "completion_tokens": None}
_ERROR = {"message": "the node is on fire", "type": "server_error", "code": None}


def _thinks(text: str, thought: str, name: str) -> Case:
    return Case(f"thinking: {name}", content(text), {"reasoning": thought})


CASES: list[Case] = [
    Case("plain", said()),
    Case("created", said(), status=201),
    Case("accepted", said(), status=202),
    # A 200 is not yet a success.
    *(
        Case(f"finish: {word}", said(finish=word), error="transient", says=word)
        for word in ("error", "abort", "insufficient_system_resource", "cancelled")
    ),
    Case(
        "native error",
        said(choice={"native_finish_reason": "error"}),
        error="transient",
        says="error",
    ),
    Case("error beside the choices", said(error=_ERROR), error="transient", says="on fire"),
    Case("error in a choice", said(choice={"error": _ERROR}), error="transient", says="on fire"),
    Case("error alone", {"error": _ERROR}, error="transient", says="on fire"),
    Case("error as a text", {"error": "on fire"}, error="transient", says="on fire"),
    Case("error in a list", [{"error": _ERROR}], error="transient", says="on fire", events=[]),
    Case(
        "error without the key",
        {"object": "error", "message": "on fire", "code": 503},
        error="transient",
        says="on fire",
    ),
    Case("error as a detail", {"detail": "on fire"}, error="transient", says="on fire"),
    Case(
        "error with a status",
        {"error": {"message": "slow down", "code": 429}},
        error="rate_limited",
        says="slow down",
    ),
    Case(
        "error of a type",
        {"error": {"message": "no credit", "type": "insufficient_quota"}},
        error="quota",
        says="no credit",
    ),
    Case("no error", said(error=None), {}),
    Case("not JSON", "<html>", error="transient", says="answer", events=[b"data: <html>"]),
    Case("an empty object", {}, error="transient", events=[]),
    # No field is trusted.
    *(
        Case(f"usage: {usage!r}", said(usage=usage), _NO_COUNTS)
        for usage in (1.5, "many", [1, 2], True, None, {}, {"prompt_tokens": "9"})
    ),
    *(
        Case(
            f"counts: {value!r}",
            said(usage={"prompt_tokens": value, "completion_tokens": value}),
            _NO_COUNTS,
        )
        for value in (1.5, "9", [9], {"n": 9}, True, -1, 1e300)
    ),
    Case("counts: 9.0", said(usage={"prompt_tokens": 9.0, "completion_tokens": 4.0})),
    *(
        Case(
            f"details: {details!r}",
            said(
                usage={
                    **USAGE,
                    "prompt_tokens_details": details,
                    "completion_tokens_details": details,
                }
            ),
        )
        for details in ([1], "some", 3, None, {"cached_tokens": "x", "reasoning_tokens": [2]})
    ),
    Case(
        "thinking counted beside the completion",
        said(
            usage={
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 20,
                "completion_tokens_details": {"reasoning_tokens": 7},
            }
        ),
        {"completion_tokens": 11, "reasoning_tokens": 7},
    ),
    *(
        Case(
            f"cost: {cost!r}",
            said(usage={**USAGE, "cost": cost}),
            {"cost_usd": 0.00125, "details": {"reported_usd": 0.00125}},
        )
        for cost in cast("tuple[Any, ...]", (0.00125, {"total_cost": 0.00125, "currency": "USD"}))
    ),
    Case(
        "cost: none",
        said(usage={**USAGE, "cost": 0}),
        {"cost_usd": 0.0, "details": {"reported_usd": 0.0}},
    ),
    Case(
        "cost: with a key of one's own",
        said(
            usage={
                **USAGE,
                "cost": 0.25,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.5},
            }
        ),
        {"cost_usd": 0.75, "details": {"reported_usd": 0.75}},
    ),
    *(
        Case(f"cost: {cost!r}", said(usage={**USAGE, "cost": cost}))
        for cost in ("0.1", -1, True, None, [0.1], {}, {"total_cost": "1"}, 1e300)
    ),
    *(
        Case(f"no refusal: {value!r}", said({"content": "Final Answer: a", "refusal": value}))
        for value in cast("tuple[Any, ...]", (None, "", [], {}, False, 0))
    ),
    Case(
        "refusal in parts",
        said({"content": None, "refusal": [{"type": "text", "text": "I will not."}]}),
        {"text": "", "refused": True, "details": {"refusal": "I will not."}},
    ),
    Case(
        "refusal as an object",
        said({"content": None, "refusal": {"reason": "policy"}}),
        {"text": "", "refused": True, "details": {"refusal": '{"reason": "policy"}'}},
    ),
    Case("choices: [null]", {**said(), "choices": [None]}, error="empty"),
    Case("choices: null", {**said(), "choices": None}, error="transient", events=[]),
    Case("choices: []", {**said(), "choices": []}, error="empty"),
    Case("message: a text", said("Final Answer: a"), error="transient"),
    Case("message: a list", said(["Final Answer: a"]), error="transient"),
    Case("model: a number", said(model=4), {"served_model": None}),
    Case("finish: a number", said(finish=4), {"finish_reason": None}),
    # Content in parts.
    Case(
        "parts: text",
        content([{"type": "text", "text": "Final "}, {"type": "text", "text": "Answer: a"}]),
    ),
    Case("parts: plain strings", content(["Final ", "Answer: a"])),
    Case("parts: a null text", content([{"type": "text", "text": None}, "Final Answer: a", None])),
    Case("parts: an object", content({"type": "text", "text": "Final Answer: a"})),
    Case("parts: no type", content([{"text": "Final Answer: a"}])),
    Case(
        "parts: thinking in parts",
        content(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "Final Answer: a"},
            ]
        ),
        {"reasoning": "Hm."},
    ),
    Case(
        "parts: thinking",
        content(
            [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Final Answer: a"}]
        ),
        {"reasoning": "Hm."},
    ),
    Case(
        "parts: reasoning",
        content(
            [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
                {"type": "output_text", "text": "Final Answer: a"},
            ]
        ),
        {"reasoning": "Hm."},
    ),
    Case(
        "parts: an image",
        content(
            [
                {"type": "text", "text": "Final Answer: a"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ]
        ),
        {"details": {"parts": ["image_url"]}},
    ),
    Case("content: a number", content(7), {"text": "", "details": {"parts": ["number"]}}),
    Case("content: null", content(None), {"text": ""}),
    Case("half a pair", content("Final Answer: a \ud83d!"), {"text": "Final Answer: a \ufffd!"}),
    Case("a pair", content("Final Answer: \U0001f600"), {"text": "Final Answer: \U0001f600"}),
    Case(
        "thinking in a field of its own",
        said({"content": "Final Answer: a", "reasoning": "Hm."}),
        {"reasoning": "Hm."},
    ),
    Case(
        "thinking in details",
        said(
            {
                "content": "Final Answer: a",
                "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
            }
        ),
        {"reasoning": "Hm."},
    ),
    Case(
        "thinking that is no text",
        said({"content": "Final Answer: a", "reasoning_content": 5}),
    ),
    _thinks("<think>Hm.</think>\nFinal Answer: a", "Hm.", "think"),
    _thinks("[THINK]Final Answer: b[/THINK]Final Answer: a", "Final Answer: b", "Mistral"),
    _thinks("\u25c1think\u25b7Hm.\u25c1/think\u25b7Final Answer: a", "Hm.", "Kimi"),
    _thinks("<seed:think>Hm.</seed:think>Final Answer: a", "Hm.", "Seed"),
    _thinks("<thought>Hm.</thought>Final Answer: a", "Hm.", "thought"),
    _thinks("Hm.</think>Final Answer: a", "Hm.", "opened by the template"),
    _thinks(
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
        "Final Answer: a<|return|>",
        "Hm.",
        "gpt-oss",
    ),
    Case(
        "thinking: never closed",
        content("<think>Final Answer: b"),
        {"text": "", "reasoning": "Final Answer: b"},
    ),
    *(
        Case(f"token at the end: {token}", content(f"Final Answer: a{token}"))
        for token in ("<|im_end|>", "</s>", "<|eot_id|>\n", "<end_of_turn>")
    ),
    # Finish reasons by meaning.
    *(
        Case(
            f"finish: {word}",
            said(finish=word),
            {
                "finish_reason": "length",
                "details": {} if word == "length" else {"finish_reason": word},
            },
        )
        for word in ("length", "MAX_TOKENS", "max_tokens", "model_length")
    ),
    *(
        Case(
            f"finish: {word}",
            said(finish=word),
            {
                "finish_reason": "content_filter",
                "refused": True,
                "details": {} if word == "content_filter" else {"finish_reason": word},
            },
        )
        for word in ("refusal", "SAFETY", "content_filter", "RECITATION", "PROHIBITED_CONTENT")
    ),
    Case(
        "native refusal",
        said(choice={"native_finish_reason": "SAFETY"}),
        {
            "finish_reason": "content_filter",
            "refused": True,
            "details": {"finish_reason": "stop / SAFETY"},
        },
    ),
    Case(
        "a tool that nobody offered",
        said(
            {
                "content": None,
                "tool_calls": [
                    {
                        "id": "t",
                        "type": "function",
                        "function": {"name": "play", "arguments": "{}"},
                    }
                ],
            },
            finish="tool_calls",
        ),
        {"text": "", "finish_reason": "tool_calls", "details": {"parts": ["tool_calls"]}},
    ),
    Case("finish: a new word", said(finish="bored"), {"finish_reason": "bored"}),
    # Failures that say so, by their status.
    Case(
        "wait in words",
        {"error": {"message": "Please try again in 7m59.56s.", "type": "tokens"}},
        error="rate_limited",
        status=429,
        says="7m59.56s",
        events=[],
    ),
    Case(
        "a list of errors",
        [{"error": _ERROR}],
        error="transient",
        status=503,
        says="on fire",
        events=[],
    ),
]

#: Streams that say "Final Answer: a" in ways of their own.
_WORDS = as_stream(said())
assert _WORDS is not None
_DONE = b"data: [DONE]"
STREAMS: list[tuple[str, bytes]] = [
    ("line feeds", sse(_WORDS)),
    ("carriage returns", sse(_WORDS, end=b"\r")),
    ("both", sse(_WORDS, end=b"\r\n")),
    ("a byte order mark", b"\xef\xbb\xbf" + sse(_WORDS)),
    ("comments and retry", b": hello\n\nretry: 10\nid: 1\n\n" + sse(_WORDS)),
    ("event types", sse([b"event: message\n" + _line(event) for event in _WORDS])),
    ("no blank after the colon", sse(_WORDS).replace(b"data: ", b"data:")),
    (
        "data on several lines",
        sse([_line(event).replace(b', "', b',\ndata: "') for event in _WORDS]),
    ),
    ("one line feed between events", sse(_WORDS).replace(b"\n\n", b"\n")),
    ("null events", sse([None, *_WORDS[:2], None, *_WORDS[2:], None])),
    ("no last blank line", sse(_WORDS).rstrip(b"\n")),
    ("no [DONE]", sse(_WORDS, done=False)),
    ("text after [DONE]", sse(_WORDS) + sse(as_stream(content(" and more")) or [])),
    ("pings", sse([b"event: ping\ndata: {}", {"type": "ping"}, *_WORDS])),
]
#: Streams that break off or tell of an error after some of the text.
BROKEN: list[tuple[str, bytes, str]] = [
    ("cut off", sse(_WORDS[:-2], done=False), "ended before"),
    (
        "an error event",
        sse([*_WORDS[:3], b'event: error\ndata: {"message": "on fire"}']),
        "on fire",
    ),
    ("an error with the key", sse([*_WORDS[:3], {"error": {"message": "on fire"}}]), "on fire"),
    ("an error without", sse([*_WORDS[:3], {"message": "on fire", "code": 500}]), "on fire"),
    ("an error as text", sse([*_WORDS[:3], {"error": "on fire"}]), "on fire"),
    ("no JSON", sse([*_WORDS[:3], b"data: {on fire"]), "on fire"),
]
