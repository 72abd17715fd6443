"""Over 100 providers through LiteLLM.

``litellm_<provider>/<model>`` takes LiteLLM's own route to a provider that it knows, with the key
from our table's variable; with an ``api_base`` it speaks the OpenAI protocol to that address. Which
address and which key a call uses is decided here and passed explicitly: LiteLLM left alone would
send one provider's key to another, or follow ``OPENAI_BASE_URL``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.litellm.answers import (
    answer_or_failure,
    collected_from,
    read_from,
    sent_by,
)
from game_reasoning_arena.backends.litellm.library import (
    beside,
    close_clients,
    load_litellm,
    settle,
    unlogged,
)
from game_reasoning_arena.backends.litellm.routes import RESERVED, misled, query_of, route_of
from game_reasoning_arena.backends.litellm.workers import LiteLLMWorkers
from game_reasoning_arena.backends.openai import addresses, protocol
from game_reasoning_arena.backends.openai.answer import Answer
from game_reasoning_arena.backends.openai.body import BodyReader
from game_reasoning_arena.backends.openai.reply import reply_of
from game_reasoning_arena.backends.openai.stamped_socket import arrivals_are_stamped
from game_reasoning_arena.backends.openai.wire import Wire, open_session
from game_reasoning_arena.backends.prices import cost_usd, table
from game_reasoning_arena.errors import (
    BackendError,
    BadRequestError,
)
from game_reasoning_arena.records import Model, Reply, Request


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

    packages = ("litellm",)
    quicker = "direct_ models or backend.litellm.workers"
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
            settings["most_bytes"] = self.most_bytes
            self._workers = LiteLLMWorkers(workers, LiteLLMBackend, settings)
            self.processes = workers
        self._stream = stream
        self._drop_params = drop_params
        self._library: asyncio.Task[ModuleType] | None = None
        self._session: Any = None
        self._takes_seed: dict[str, bool] = {}
        # Models that take max_completion_tokens instead of max_tokens, learned from their errors.
        self._renamed: set[tuple[str, str]] = set()

    def check(self, models: Sequence[Model]) -> list[str]:
        """Return missing keys, unknown providers, and addresses that would be overruled."""
        problems = []
        for model in models:
            if model.provider is None:
                problems.append(addresses.no_provider(model))
            elif (problem := misled(model)) is not None:
                problems.append(problem)
            taken = sorted(RESERVED & set(model.extra))
            if taken:
                problems.append(
                    f"{model.name}: extra may not hold {', '.join(taken)}: set by the backend."
                )
        problems += addresses.check_redirections(models)
        return problems + addresses.check_keys(models)

    def keys_of(self, models: Sequence[Model]) -> Collection[str] | None:
        """Return the variables of the models' keys; None where LiteLLM logs in by itself."""
        for model in models:
            provider = model.provider
            if provider is not None and not provider.api_base and not provider.api_key_env:
                return None
        return super().keys_of(models)

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
            await close_clients(litellm)
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
        name = route_of(model)["model"]
        litellm = await self._loaded()
        if self._session is None:
            self._session = open_session(for_library=True)
        asked, dropped = self._asked(litellm, request, name)
        try:
            return await self._ask(litellm, request, asked, dropped)
        except BadRequestError as error:
            if not protocol.wants_completion_tokens(error, asked):
                raise
        self._renamed.add((model.endpoint, model.model_id))
        asked, dropped = self._asked(litellm, request, name)
        return await self._ask(litellm, request, asked, dropped)

    async def _ask(
        self,
        litellm: ModuleType,
        request: Request,
        asked: dict[str, Any],
        dropped: tuple[str, ...],
    ) -> Reply:
        model, route = request.model, route_of(request.model)
        reader = BodyReader()
        wire = Wire(reader, query=query_of(model), most_bytes=self.most_bytes)
        usage_too = self._stream and asked.pop("stream_options", True)
        answered: Any = None
        try:
            try:
                with wire.watch(), unlogged(litellm):
                    answered = await litellm.acompletion(
                        messages=[dict(message) for message in request.messages],
                        **route,
                        **asked,
                        stream=self._stream,
                        stream_options={"include_usage": True} if usage_too else None,
                        drop_params=self._drop_params,
                        shared_session=self._session,
                        timeout=self.timeout_s,
                        max_retries=0,
                        num_retries=0,
                    )
                    if wire.taken:
                        await wire.rest()
                        answer = reader.answer(model)
                    elif self._stream:
                        answer = await collected_from(model, answered, wire)
                    else:
                        answer = read_from(answered)
            except (asyncio.CancelledError, TimeoutError):
                raise
            except BackendError:
                raise
            except Exception as error:  # LiteLLM raises types of many origins
                if wire.overflowed:
                    raise protocol.too_long(model, wire.most_bytes) from None
                answer = await answer_or_failure(model, error, wire, reader)
            if not answer.choices:
                raise protocol.no_choice(model)
        except BackendError as error:
            raise _timed(error, wire) from None
        finally:
            wire.let_go()
        sent = sent_by(wire) or {"model": route["model"], **asked}
        if self._drop_params:
            dropped += _missing(asked, sent)
        cost = _cost(model, answer, answered)
        return reply_of(answer, wire, sent=sent, cost_usd=cost, dropped=dropped)

    async def _loaded(self) -> ModuleType:
        if self._library is None:
            self._library = asyncio.ensure_future(asyncio.to_thread(load_litellm))
        # Shielded: one caller that is cancelled must not take the import from the others.
        return await asyncio.shield(self._library)

    def _asked(
        self, litellm: ModuleType, request: Request, name: str
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return what is asked for, and what was left out at once."""
        model = request.model
        asked: dict[str, Any] = dict(request.sampling.as_dict())
        dropped: tuple[str, ...] = ()
        if (model.endpoint, model.model_id) in self._renamed and "max_tokens" in asked:
            asked["max_completion_tokens"] = asked.pop("max_tokens")
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
        extra = {key: value for key, value in model.extra.items() if value is not None}
        for key in model.extra.keys() - extra.keys():  # null leaves a parameter out
            asked.pop(key, None)
            if key == "stream_options":
                asked[key] = None
        if model.provider is not None and model.provider.api_base:
            if extra:  # an address of one's own gets the fields as they are
                asked["extra_body"] = extra
        else:
            asked.update(extra)
        return asked, dropped


def _takes_seed(litellm: ModuleType, name: str) -> bool:
    provider, _, rest = name.partition("/")
    takes = litellm.get_supported_openai_params(rest, custom_llm_provider=provider)
    return takes is None or "seed" in takes


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
    error.sent = sent_by(wire) or {}
    if wire.latency_s is not None:
        error.timing = {"started_at": wire.started_at, "latency_s": wire.latency_s}
    return error


def _cost(model: Model, answer: Answer, answered: Any) -> float | None:
    """Return USD of a call; None if unknown."""
    cost = cost_usd(model, answer.usage)
    own_address = model.provider is not None and model.provider.api_base
    if cost is None and not own_address and answer.usage.prompt_tokens is not None:
        # LiteLLM knows more about its own routes; at any other address its guess is by name only.
        known = beside(answered, "response_cost")
        cost = known if isinstance(known, float) else None
    return cost
