"""The OpenAI chat protocol over aiohttp and nothing else: for high concurrency and true latencies.

Serves ``direct_<provider>/<model>`` for any provider with an ``api_base`` (OpenAI-compatible
providers, vLLM, SGLang, llama.cpp, Ollama, ...), and ``vllm_`` models that name a running server.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import aiohttp
import orjson

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.openai import protocol as protocol
from game_reasoning_arena.backends.openai.sse import Collected, events
from game_reasoning_arena.backends.openai.wire import Wire, open_session
from game_reasoning_arena.backends.prices import cost_usd, table
from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
    EmptyReplyError,
    TransientError,
)
from game_reasoning_arena.records import Model, Reply, Request


class DirectBackend(BaseLLMBackend):
    """Calls OpenAI-compatible servers.

    Args:
        stream: ask for the answer in pieces, so that the time to the first token is known.
        structured: how a constraint is said: ``json_schema`` (the protocol's response_format,
            for answers in JSON) or ``vllm`` (``structured_outputs``, exact texts). Models of the
            ``vllm`` backend always use the latter.
        trust_env: whether proxies are taken from the environment (``HTTPS_PROXY``, ...).
        policy: the limits that every backend has, see :class:`BaseLLMBackend`.
    """

    def __init__(
        self,
        *,
        stream: bool = False,
        structured: Literal["json_schema", "vllm"] = "json_schema",
        trust_env: bool = False,
        **policy: Any,
    ) -> None:
        super().__init__(**policy)
        if structured not in ("json_schema", "vllm"):
            raise ValueError(f"structured must be json_schema or vllm, not {structured!r}")
        self._stream = stream
        self._structured = structured
        # A JSON schema is all that the protocol itself has; vLLM's own field takes any texts.
        self.constrains = frozenset({"json"} if structured == "json_schema" else {"line", "json"})
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    def check(self, models: Sequence[Model]) -> list[str]:
        """Missing addresses and keys."""
        problems = []
        for model in models:
            if model.provider is None:
                problems.append(protocol.no_provider(model))
            elif not model.provider.api_base:
                problems.append(protocol.no_address(model, model.provider))
            elif model.provider.api_key_env and protocol.credentials(model.provider.api_base):
                problems.append(protocol.two_credentials(model, model.provider))
        return problems + protocol.check_keys(models)

    async def start(self, models: Sequence[Model]) -> None:
        """Read the table of prices, which would else be in the first answer's time."""
        table()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def generate(self, request: Request) -> Reply:
        """Send one request and read its answer.

        Raises:
            AuthError: the key is missing, or the server refuses it.
            BadRequestError: the server refuses the request, or the constraint cannot be said.
            BackendError: anything else that left no answer, by its type.
        """
        model = request.model
        url, headers = _address(model)
        body = self._body(request)
        session = self._session
        if session is None:
            session = self._session = open_session(trust_env=self._trust_env)
        wire = Wire()
        try:
            with wire.watch():
                async with session.post(url, data=orjson.dumps(body), headers=headers) as response:
                    if response.status != 200:
                        raise await _failure(model, response)
                    if "event-stream" in response.headers.get("Content-Type", ""):
                        collected = await _read_stream(model, response, wire)
                    else:
                        collected = _read(model, await response.read())
        except aiohttp.InvalidURL:
            raise BadRequestError(
                f"{model.name}: {protocol.clean(model, url)!r} is no address; set "
                f"provider.{model.provider and model.provider.name}.api_base=http://host:port/v1."
            ) from None
        except aiohttp.ClientError as error:
            raise _timed(_connection_error(model, error), wire, body) from None
        except BackendError as error:
            raise _timed(error, wire, body) from None
        return _reply(request, collected, body, wire)

    def outgoing(self, request: Request) -> dict[str, Any]:
        """The body without the messages."""
        return _without_messages(self._body(request))

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model.model_id,
            "messages": request.messages,
            **request.sampling.as_dict(),
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if self._stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        if request.constraint is not None:
            if self._structured == "vllm" or request.model.backend == "vllm":
                body["structured_outputs"] = {"choice": list(request.constraint.choices)}
            elif request.constraint.json_schema is not None:
                body["response_format"] = protocol.response_format(request.constraint)
            else:
                raise BadRequestError(protocol.no_constraint(request.model))
        body.update(request.model.extra)
        return body


def _address(model: Model) -> tuple[str, dict[str, str]]:
    provider = model.provider
    if provider is None:
        raise BadRequestError(protocol.no_provider(model))
    if not provider.api_base:
        raise BadRequestError(protocol.no_address(model, provider))
    headers = {"Content-Type": "application/json"}
    key = protocol.api_key(model)
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
        if protocol.credentials(provider.api_base):
            raise AuthError(protocol.two_credentials(model, provider))
    return provider.api_base.rstrip("/") + "/chat/completions", headers


def _read(model: Model, raw: bytes) -> Collected:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise protocol.not_json(model, raw) from None
    collected = Collected()
    if isinstance(answer, dict) and answer.get("error"):
        raise protocol.error_in_body(model, answer["error"], status=None)
    if not isinstance(answer, dict) or not collected.add_answer(answer):
        raise protocol.unexpected(model, raw)
    return collected


async def _read_stream(model: Model, response: aiohttp.ClientResponse, wire: Wire) -> Collected:
    collected = Collected()
    async for data in events(response.content):
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise protocol.not_json(model, data) from None
        if event.get("error"):
            raise protocol.error_in_body(model, event["error"], status=None)
        collected.add_event(event, wire.received_at or time.monotonic())
    if not collected.ended:
        raise TransientError(f"{model.name}: the stream of the answer ended before it was done.")
    return collected


async def _failure(model: Model, response: aiohttp.ClientResponse) -> BackendError:
    raw = await response.read()
    wait = protocol.retry_after_s(response.headers)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = raw.decode(errors="replace")
    error = body.get("error", body) if isinstance(body, Mapping) else body
    return protocol.error_in_body(model, error, status=response.status, retry_after=wait)


def _connection_error(model: Model, error: aiohttp.ClientError) -> BackendError:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return protocol.no_connection(model, cause)


def _without_messages(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "messages"}


def _timed(error: BackendError, wire: Wire, body: Mapping[str, Any]) -> BackendError:
    if wire.sent_at is not None:
        error.sent = _without_messages(body)
    if wire.latency_s is not None:
        error.timing = {"started_at": wire.started_at, "latency_s": wire.latency_s}
    return error


def _reply(request: Request, collected: Collected, body: Mapping[str, Any], wire: Wire) -> Reply:
    model, usage = request.model, protocol.read_usage(collected.usage)
    if not collected.choices:
        empty = EmptyReplyError(f"{model.name}: the answer holds no choice.")
        raise _timed(empty, wire, body)
    text, thinking = protocol.split_thinking(collected.text)
    sent_at = wire.sent_at
    ttft_s = None
    if collected.first_at is not None and sent_at is not None:
        ttft_s = max(0.0, collected.first_at - sent_at)
    return Reply(
        text=text,
        reasoning=collected.reasoning or thinking,
        finish_reason=collected.finish_reason,
        refused=protocol.is_refusal(collected.refusal, collected.finish_reason),
        started_at=wire.started_at,
        latency_s=wire.latency_s,
        ttft_s=ttft_s,
        decode_s=collected.decode_s,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cached_tokens=usage.cached_tokens,
        cost_usd=cost_usd(model, usage),
        served_model=collected.model,
        sent=_without_messages(body),
    )
