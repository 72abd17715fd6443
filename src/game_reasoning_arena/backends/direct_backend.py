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
from game_reasoning_arena.backends.openai import addresses, protocol
from game_reasoning_arena.backends.openai.answer import Answer
from game_reasoning_arena.backends.openai.body import BodyReader
from game_reasoning_arena.backends.openai.connection import connection_failure
from game_reasoning_arena.backends.openai.counted_body import BodyTooLong
from game_reasoning_arena.backends.openai.reply import reply_of
from game_reasoning_arena.backends.openai.wire import Wire, last_bytes, open_session
from game_reasoning_arena.backends.prices import cost_usd, table
from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
)
from game_reasoning_arena.records import Model, Reply, Request


class DirectBackend(BaseLLMBackend):
    """Calls OpenAI-compatible servers.

    Args:
        stream: ask for the answer in pieces, so that the time to the first token is known.
        structured: form of a constraint: ``json_schema`` (the protocol's response_format, for
            answers in JSON) or ``vllm`` (``structured_outputs``, exact texts). Models of the
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
        # The protocol itself has only JSON schemas; vLLM's own field takes any texts.
        self.constrains = frozenset({"json"} if structured == "json_schema" else {"line", "json"})
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None
        # Models that take max_completion_tokens instead of max_tokens, as learned from their
        # errors.
        self._renamed: set[tuple[str, str]] = set()

    def check(self, models: Sequence[Model]) -> list[str]:
        """Return missing addresses and keys."""
        problems = []
        for model in models:
            if model.provider is None:
                problems.append(addresses.no_provider(model))
            elif not model.provider.api_base:
                problems.append(addresses.no_address(model, model.provider))
            elif model.provider.api_key_env and addresses.credentials(model.provider.api_base):
                problems.append(addresses.two_credentials(model, model.provider))
        problems += addresses.check_redirections(models)
        return problems + addresses.check_keys(models)

    async def start(self, models: Sequence[Model]) -> None:
        """Read the table of prices, which would otherwise add to the first answer's time."""
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
            BadRequestError: the server refuses the request, or the constraint cannot be sent.
            BackendError: any other failure, by its type.
        """
        body = self._body(request)
        try:
            return await self._ask(request, body)
        except BadRequestError as error:
            if not protocol.wants_completion_tokens(error, body):
                raise
        self._renamed.add((request.model.endpoint, request.model.model_id))
        return await self._ask(request, self._body(request))

    async def _ask(self, request: Request, body: dict[str, Any]) -> Reply:
        model = request.model
        url, headers = _address(model)
        session = self._session
        if session is None:
            session = self._session = open_session(trust_env=self._trust_env)
        wire = Wire(most_bytes=self.most_bytes)
        try:
            with wire.watch():
                async with session.post(
                    url, data=orjson.dumps(body), headers=headers, allow_redirects=False
                ) as response:
                    answer = await _read(model, response, wire)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise BadRequestError(
                f"{model.name}: {protocol.clean(model, url)!r} is no address; set "
                f"provider.{model.provider and model.provider.name}.api_base=http://host:port/v1."
            ) from None
        except BodyTooLong:
            raise _timed(protocol.too_long(model, wire.most_bytes), wire, body) from None
        except aiohttp.ClientError as error:
            failure = connection_failure(model, error, trust_env=self._trust_env)
            raise _timed(failure, wire, body) from None
        except BackendError as error:
            raise _timed(error, wire, body) from None
        cost = cost_usd(model, answer.usage)
        return reply_of(answer, wire, sent=_without_messages(body), cost_usd=cost)

    def outgoing(self, request: Request) -> dict[str, Any]:
        """Return the body without the messages."""
        return _without_messages(self._body(request))

    def _body(self, request: Request) -> dict[str, Any]:
        model = request.model
        body: dict[str, Any] = {
            "model": model.model_id,
            "messages": request.messages,
            **request.sampling.as_dict(),
        }
        if (model.endpoint, model.model_id) in self._renamed and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if request.seed is not None:
            body["seed"] = request.seed
        if self._stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        if request.constraint is not None:
            if self._structured == "vllm":
                body["structured_outputs"] = {"choice": list(request.constraint.choices)}
            elif request.constraint.json_schema is not None:
                body["response_format"] = protocol.response_format(request.constraint)
            else:
                raise BadRequestError(protocol.no_constraint(model))
        body.update(model.extra)
        return {name: value for name, value in body.items() if value is not None}


def _address(model: Model) -> tuple[str, dict[str, str]]:
    provider = model.provider
    if provider is None:
        raise BadRequestError(addresses.no_provider(model))
    if not provider.api_base:
        raise BadRequestError(addresses.no_address(model, provider))
    headers = {"Content-Type": "application/json", **addresses.extra_headers(model)}
    key = addresses.api_key(model)
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
        if addresses.credentials(provider.api_base):
            raise AuthError(addresses.two_credentials(model, provider))
    return addresses.endpoint(provider.api_base), headers


async def _read(model: Model, response: aiohttp.ClientResponse, wire: Wire) -> Answer:
    """Return the answer in a response.

    Raises:
        BackendError: there is none.
    """
    if 300 <= response.status < 400:
        raise protocol.moved(model, response.status, response.headers.get("Location"))
    reader = BodyReader()
    async for piece in response.content.iter_any():
        reader.feed(piece, wire.received_at or time.monotonic())
        if reader.ended:
            break
    if not response.ok:
        raise reader.failure(model, response.status, response.headers)
    answer = reader.answer(model)
    await last_bytes(response.content)
    return answer


def _without_messages(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "messages"}


def _timed(error: BackendError, wire: Wire, body: Mapping[str, Any]) -> BackendError:
    if wire.sent_at is not None:
        error.sent = _without_messages(body)
    if wire.latency_s is not None:
        error.timing = {"started_at": wire.started_at, "latency_s": wire.latency_s}
    return error
