"""Over 100 providers through LiteLLM.

``litellm_<provider>/<model>`` takes LiteLLM's own route to a provider that it knows, with the key
from our table's variable; with an ``api_base`` it speaks the OpenAI protocol to that address. Which
address and which key a call uses is decided here and passed explicitly: LiteLLM left alone would
send one provider's key to another, or follow ``OPENAI_BASE_URL``.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

import orjson

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.litellm.library import load_litellm, settle, unlogged
from game_reasoning_arena.backends.litellm.routes import RESERVED, misled, route_of
from game_reasoning_arena.backends.litellm.workers import LiteLLMWorkers
from game_reasoning_arena.backends.openai import protocol as protocol
from game_reasoning_arena.backends.openai.sse import Collected
from game_reasoning_arena.backends.openai.stamped_socket import arrivals_are_stamped
from game_reasoning_arena.backends.openai.wire import Wire, open_session
from game_reasoning_arena.backends.prices import cost_usd, table
from game_reasoning_arena.errors import (
    BackendError,
    BadRequestError,
    EmptyReplyError,
    TimeoutExceededError,
    TransientError,
)
from game_reasoning_arena.records import Model, Reply, Request

_PREFIXES = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)(?::| -) )+")


class LiteLLMBackend(BaseLLMBackend):
    """Calls providers through LiteLLM.

    Args:
        stream: ask for the answer in pieces, so that the time to the first token is known.
        drop_params: leave out parameters that the model does not take and record their names in
            ``Reply.dropped``; otherwise they are an error that names them. The seed is ours, not
            the user's: it is left out and recorded either way.
        client_share: keep fewer in flight while LiteLLM's own work adds more than this share to
            the provider's time; None does not watch. "auto" watches, with a share of 1, where the
            system does not tell when answers came, so that a busy process would be taken for a
            slow provider.
        workers: processes that LiteLLM runs in, since one carries about a hundred calls a second;
            0 for this one. They see the environment as it was when they were started.
        policy: the limits that every backend has, see :class:`BaseLLMBackend`.
    """

    constrains = frozenset({"json"})

    def __init__(
        self,
        *,
        stream: bool = False,
        drop_params: bool = False,
        client_share: float | Literal["auto"] | None = "auto",
        workers: int = 0,
        **policy: Any,
    ) -> None:
        if workers < 0:
            raise ValueError(f"workers must be 0 (in this process) or more, not {workers}")
        if client_share == "auto":
            client_share = None if arrivals_are_stamped() else 1.0
        if isinstance(client_share, str) or (client_share is not None and client_share <= 0):
            raise ValueError(f"client_share must be auto, null or above 0, not {client_share!r}")
        super().__init__(client_share=client_share, **policy)
        self._workers: LiteLLMWorkers | None = None
        if workers:
            settings = {"stream": stream, "drop_params": drop_params, "timeout_s": self.timeout_s}
            self._workers = LiteLLMWorkers(workers, LiteLLMBackend, settings)
            self.processes = workers
        self._stream = stream
        self._drop_params = drop_params
        self._library: asyncio.Task[ModuleType] | None = None
        self._session: Any = None
        self._takes_seed: dict[str, bool] = {}

    def check(self, models: Sequence[Model]) -> list[str]:
        """Missing keys, providers that nobody knows, addresses that would be overruled."""
        problems = []
        for model in models:
            if model.provider is None:
                problems.append(protocol.no_provider(model))
            elif (problem := misled(model)) is not None:
                problems.append(problem)
            taken = sorted(RESERVED & set(model.extra))
            if taken:
                problems.append(
                    f"{model.name}: extra may not hold {', '.join(taken)}: set by the backend."
                )
        return problems + protocol.check_keys(models)

    async def start(self, models: Sequence[Model]) -> None:
        """Import LiteLLM, which takes seconds, without blocking anything else.

        Raises:
            EngineDeadError: a worker process cannot be started.
        """
        if self._workers is not None:
            await self._workers.start()
        else:
            await self._loaded()
            table()  # would else be read in the first answer's time

    async def aclose(self) -> None:
        """Close all connections, LiteLLM's own ones too, and end the worker processes."""
        if self._workers is not None:
            await self._workers.aclose()
        if self._library is not None and self._library.done() and not self._library.cancelled():
            litellm = self._library.result()
            # Clients that were made around this session must not be found again.
            litellm.in_memory_llm_clients_cache.flush_cache()
            await settle(litellm)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def generate(self, request: Request) -> Reply:
        """Send one request through LiteLLM and read its answer.

        Raises:
            AuthError: the key is missing, or the provider refuses it.
            BadRequestError: the provider refuses the request, or LiteLLM a parameter.
            BackendError: anything else that left no answer, by its type.
        """
        if self._workers is not None:
            return await self._workers.generate(request)
        model = request.model
        route = route_of(model)
        litellm = await self._loaded()
        asked, dropped = self._asked(litellm, request, route["model"])
        if self._session is None:
            self._session = open_session(keep_bodies=True)
        wire = Wire()
        try:
            with wire.watch(), unlogged(litellm):
                answer = await litellm.acompletion(
                    messages=[dict(message) for message in request.messages],
                    **route,
                    **asked,
                    stream=self._stream,
                    stream_options={"include_usage": True} if self._stream else None,
                    drop_params=self._drop_params,
                    shared_session=self._session,
                    timeout=self.timeout_s,
                    max_retries=0,
                    num_retries=0,
                )
                collected = await _collect(model, answer, wire) if self._stream else _read(answer)
        except (asyncio.CancelledError, TimeoutError):
            raise
        except BackendError as error:
            raise _timed(error, wire) from None
        except Exception as error:  # LiteLLM raises types of many origins; all are translated
            raise _timed(_translated(model, error, wire), wire) from None
        if not collected.choices:
            raise _timed(EmptyReplyError(f"{model.name}: the answer holds no choice."), wire)
        sent = _sent(wire, asked, route["model"])
        if self._drop_params:
            dropped += _missing(asked, sent)
        return _reply(model, collected, wire, sent, dropped, answer)

    async def _loaded(self) -> ModuleType:
        if self._library is None:
            self._library = asyncio.ensure_future(asyncio.to_thread(load_litellm))
        # Shielded: one caller that is cancelled must not take the import from the others.
        return await asyncio.shield(self._library)

    def _asked(
        self, litellm: ModuleType, request: Request, name: str
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What is asked for, and what was left out at once."""
        model = request.model
        asked: dict[str, Any] = dict(request.sampling.as_dict())
        dropped: tuple[str, ...] = ()
        if request.seed is not None:
            takes = self._takes_seed.get(name)
            if takes is None:
                takes = self._takes_seed[name] = _takes_seed(litellm, name)
            if takes:
                asked["seed"] = request.seed
            else:
                dropped = ("seed",)
        if request.constraint is not None:
            if request.constraint.json_schema is None:
                raise BadRequestError(protocol.no_constraint(model))
            asked["response_format"] = protocol.response_format(request.constraint)
        if model.provider is not None and model.provider.api_base:
            if model.extra:  # an address of one's own gets the fields as they are
                asked["extra_body"] = dict(model.extra)
        else:
            asked.update(model.extra)
        return asked, dropped


def _takes_seed(litellm: ModuleType, name: str) -> bool:
    provider, _, rest = name.partition("/")
    takes = litellm.get_supported_openai_params(rest, custom_llm_provider=provider)
    return takes is None or "seed" in takes


def _read(answer: Any) -> Collected:
    collected = Collected(model=answer.model, usage=_usage(answer))
    for choice in answer.choices[:1]:
        collected.add(_said(choice.message), choice.finish_reason)
    return collected


async def _collect(model: Model, stream: Any, wire: Wire) -> Collected:
    collected = Collected()
    async for chunk in stream:
        now = wire.received_at or time.monotonic()
        told = getattr(chunk, "_hidden_params", {}).get("provider_response_model")
        collected.model = told or collected.model  # chunk.model repeats what was asked for
        for choice in chunk.choices[:1]:
            collected.add(_said(choice.delta), choice.finish_reason, now)
    # LiteLLM ends every stream well, and guesses the usage. What it was really told is kept apart.
    if stream.received_finish_reason is None:
        raise TransientError(f"{model.name}: the stream of the answer ended before it was done.")
    for chunk in stream.chunks:
        collected.usage = _usage(chunk) or collected.usage
    return collected


def _said(message: Any) -> dict[str, Any]:
    more = getattr(message, "provider_specific_fields", None) or {}
    return {
        "content": message.content,
        "reasoning_content": getattr(message, "reasoning_content", None),
        "refusal": getattr(message, "refusal", None) or more.get("refusal"),
    }


def _usage(answer: Any) -> Mapping[str, Any] | None:
    usage = getattr(answer, "usage", None)
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
        return None  # LiteLLM writes zeros where the provider was silent
    counts: dict[str, Any] = usage.model_dump()
    return counts


def _translated(model: Model, error: Exception, wire: Wire) -> BackendError:
    """One of LiteLLM's exceptions (or of the libraries under it) as one of ours."""
    if wire.status is None and type(error).__name__ in ("Timeout", "APITimeoutError"):
        return TimeoutExceededError(f"{model.name}: no complete answer in time.")
    if type(error).__name__ == "UnsupportedParamsError":
        what = protocol.clean(model, _PREFIXES.sub("", str(error)).partition(" To drop these")[0])
        return BadRequestError(
            f"{model.name}: {what} With backend.litellm.drop_params=true they are left out, and "
            f"every record names them.",
        )
    claimed = getattr(error, "status_code", None)
    status = wire.status
    if status is None and wire.sent_at is None and isinstance(claimed, int) and claimed < 500:
        status = claimed  # refused before anything was sent; its 500 means "something failed"
    cause = _cause(error)
    if status is None and cause is not None:
        return protocol.no_connection(model, cause)
    text = _PREFIXES.sub("", str(error))
    if status is not None and status < 400:
        text = f"unreadable: {text}"
        status = None
    wait = protocol.retry_after_s(wire.headers) if wire.headers is not None else None
    code = getattr(error, "code", None)
    return protocol.error_for(
        model, status=status, text=text, code=str(code) if code else None, retry_after=wait
    )


def _cause(error: BaseException | None) -> OSError | None:
    """The failure of a connection that lies under an exception, however deep."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    under = getattr(error, "os_error", error)  # aiohttp's own holds the system's
    return under if isinstance(under, OSError) else None


def _sent(wire: Wire, asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What went over the wire; what was asked if that is unknown."""
    body = _body(wire)
    return {"model": name, **asked} if body is None else body


def _body(wire: Wire) -> dict[str, Any] | None:
    """The body that went over the wire without the conversation; None if it is unknown."""
    try:
        body = orjson.loads(wire.body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    talk = ("messages", "contents", "system", "system_instruction", "input")
    return {key: value for key, value in body.items() if key not in talk}


def _missing(asked: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of sampling parameters that were asked for and are not in what was sent."""
    flat = repr(sent).lower().replace("_", "")
    aliases = {
        "max_tokens": ("maxtokens", "maxcompletiontokens", "maxoutputtokens"),
        "stop": ("stop",),
    }
    return tuple(
        name
        for name in asked
        if name != "extra_body"
        and not any(f"'{alias}" in flat for alias in aliases.get(name, (name.replace("_", ""),)))
    )


def _timed(error: BackendError, wire: Wire) -> BackendError:
    error.sent = _body(wire) or {}
    if wire.latency_s is not None:
        error.timing = {"started_at": wire.started_at, "latency_s": wire.latency_s}
    return error


def _reply(
    model: Model,
    collected: Collected,
    wire: Wire,
    sent: Mapping[str, Any],
    dropped: tuple[str, ...],
    answer: Any,
) -> Reply:
    usage = protocol.read_usage(collected.usage)
    text, thinking = protocol.split_thinking(collected.text)
    ttft_s = None
    if collected.first_at is not None and wire.sent_at is not None:
        ttft_s = max(0.0, collected.first_at - wire.sent_at)
    assert model.provider is not None
    cost = cost_usd(model, usage)
    if cost is None and not model.provider.api_base and usage.prompt_tokens is not None:
        # LiteLLM knows more about its own routes; at any other address its guess is by name only.
        cost = getattr(answer, "_hidden_params", {}).get("response_cost")
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
        cost_usd=cost,
        served_model=collected.model,
        sent=sent,
        dropped=dropped,
    )
