"""Turn LiteLLM's answers and failures into ours.

Where the provider speaks the OpenAI protocol, its response is read directly and in full (see
``openai.body``), since LiteLLM turns some failures into answers and some answers into failures.
Elsewhere only LiteLLM's translation is available.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from game_reasoning_arena.backends.litellm.library import beside
from game_reasoning_arena.backends.openai import protocol, waits
from game_reasoning_arena.backends.openai.answer import Answer, Ended
from game_reasoning_arena.backends.openai.body import BodyReader
from game_reasoning_arena.backends.openai.connection import connection_failure
from game_reasoning_arena.backends.openai.counted_body import UnknownCompression
from game_reasoning_arena.backends.openai.wire import Redirected, Wire
from game_reasoning_arena.errors import BackendError, BadRequestError, TimeoutExceededError
from game_reasoning_arena.records import Model

_PREFIXES = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)(?::| -) )+")
#: Fields that hold the conversation in requests of the various protocols.
_CONVERSATION = ("messages", "contents", "system", "system_instruction", "input")


def read_from(answered: Any) -> Answer:
    """Return the answer in LiteLLM's response.

    Raises:
        BackendError: the response reports an error.
    """
    answer = Answer()
    answer.add_head({"model": answered.model, "usage": _usage(answered)})
    for choice in answered.choices[:1]:
        answer.add_choice({"finish_reason": choice.finish_reason}, _message_fields(choice.message))
    return answer


async def collected_from(model: Model, stream: Any, wire: Wire) -> Answer:
    """Return the answer in LiteLLM's stream.

    Raises:
        TransientError: the stream ended before the answer did.
    """
    answer = Answer()
    async for chunk in stream:
        now = wire.received_at or time.monotonic()
        # chunk.model repeats what was asked for.
        answer.add_head({"model": beside(chunk, "provider_response_model")})
        for choice in chunk.choices[:1]:
            answer.add_choice(
                {"finish_reason": choice.finish_reason}, _message_fields(choice.delta), now
            )
    # LiteLLM ends every stream without error and guesses the usage. What it received is kept apart.
    if stream.received_finish_reason is None:
        raise protocol.cut_off(model)
    for chunk in stream.chunks:
        answer.add_head({"usage": _usage(chunk)})
    return answer


async def answer_or_failure(
    model: Model, error: Exception, wire: Wire, reader: BodyReader
) -> Answer:
    """Return the answer on which LiteLLM failed.

    Raises:
        BackendError: there is none.
    """
    if wire.status is not None and 300 <= wire.status < 400:
        raise protocol.moved(model, wire.status, wire.headers.get("Location"))
    network = _network_error(error)
    if isinstance(network, UnknownCompression):
        raise connection_failure(model, network, host=wire.host)
    if network is None and wire.taken and wire.status is not None:
        try:
            await wire.rest()
        except aiohttp.ClientError as broken:
            raise connection_failure(model, broken, host=wire.host) from None
        if wire.status < 300:
            return reader.answer(model)
        raise reader.failure(model, wire.status, wire.headers)
    if network is not None and (wire.taken or wire.status is None):
        raise connection_failure(model, network, host=wire.host)
    if isinstance(error, Ended):
        raise protocol.error_in_body(model, error.error, status=None)
    raise translated(model, error, wire)


def translated(model: Model, error: Exception, wire: Wire) -> BackendError:
    """Return one of LiteLLM's exceptions (or of the libraries under it) as one of ours."""
    if wire.status is None and type(error).__name__ in ("Timeout", "APITimeoutError"):
        return TimeoutExceededError(f"{model.name}: no complete answer in time.")
    if type(error).__name__ == "UnsupportedParamsError":
        what = protocol.clean(model, _PREFIXES.sub("", str(error)).partition(" To drop these")[0])
        return BadRequestError(
            f"{model.name}: {what} With backend.litellm.drop_params=true they are left out, and "
            f"every record names them.{protocol.way_out(model, what)}",
        )
    claimed = getattr(error, "status_code", None)
    status = wire.status
    if status is None and wire.sent_at is None and isinstance(claimed, int) and claimed < 500:
        status = claimed  # refused before anything was sent; its 500 means "something failed"
    text = _PREFIXES.sub("", str(error))
    if status is not None and status < 400:
        text = f"unreadable: {text}"
        status = None
    wait = waits.retry_after_s(wire.headers) if wire.headers is not None else None
    code = getattr(error, "code", None)
    return protocol.error_for(
        model, status=status, text=text, code=str(code) if code else None, retry_after=wait
    )


def sent_by(wire: Wire) -> dict[str, Any] | None:
    """Return the body that was sent, without the conversation; None if it is unknown."""
    try:
        body = orjson.loads(wire.body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    return {key: value for key, value in body.items() if key not in _CONVERSATION}


def _message_fields(message: Any) -> dict[str, Any]:
    more = getattr(message, "provider_specific_fields", None) or {}
    return {
        "content": message.content,
        "reasoning_content": getattr(message, "reasoning_content", None),
        "refusal": getattr(message, "refusal", None) or more.get("refusal"),
        "tool_calls": getattr(message, "tool_calls", None),
    }


def _usage(answered: Any) -> Mapping[str, Any] | None:
    usage = getattr(answered, "usage", None)
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
        return None  # LiteLLM writes zeros where the provider was silent
    counts: dict[str, Any] = usage.model_dump()
    return counts


def _network_error(error: BaseException | None) -> Exception | None:
    """Return the failed connection that caused an exception, however deep."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, aiohttp.ClientError | OSError) and not isinstance(error, Redirected):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
