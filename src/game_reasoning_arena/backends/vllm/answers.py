"""One request on a vLLM engine of this process: prompt, sampling, answer, reasoning, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from game_reasoning_arena.backends.openai.usage import Usage
from game_reasoning_arena.backends.prices import cost_usd
from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm.engine import Engine
from game_reasoning_arena.errors import (
    BackendError,
    BadRequestError,
    ContextOverflowError,
    TransientError,
)
from game_reasoning_arena.records import Message, Model, Reply, Request

#: Phrases with which vLLM reports that a prompt is too long.
_TOO_LONG = ("maximum context length", "maximum model length", "longer than the maximum")


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """The settings that turn messages into a prompt.

    ``template`` is a chat template's text, None for the model's own; ``chosen`` holds the variables
    that the configuration sets for it.
    """

    template: str | None
    chosen: Mapping[str, Any]

    @property
    def variables(self) -> dict[str, Any]:
        """Return the variables with which the template is rendered."""
        return {"add_generation_prompt": True, **self.chosen}


async def answer(engine: Engine, request: Request, chat: ChatSettings, number: str) -> Reply:
    """Answer a request with an engine.

    Args:
        engine: a loaded engine.
        request: the question.
        chat: the settings that turn messages into a prompt.
        number: unique name of the request inside the engine.

    Raises:
        ContextOverflowError: the prompt leaves no room for an answer.
        BadRequestError: vLLM refuses the request.
        EngineDeadError: the engine is gone; the message quotes its log.
        TransientError: the engine gave up on this request.
    """
    model = request.model
    sampling, sent = _sampling(engine, request, chat)
    parser, question = None, None
    if engine.parser_class is not None:
        parser, question = internals.parser_for(
            engine.parser_class, engine.llm, request.messages, model.model_id, chat.variables
        )
        sampling.skip_special_tokens = question.skip_special_tokens
    try:
        prompt = await render(engine, request.messages, chat)
        output = await _run(engine, prompt, sampling, number, chat if parser is not None else None)
    except Exception as error:
        known = _translate(engine, model, error)
        if known is None:
            raise
        raise known from error
    completion = output.outputs[0]
    if completion.finish_reason in {"abort", "error"}:
        if engine.dead:
            raise engine.death()
        raise TransientError(f"{model.name}: the engine ended with {completion.finish_reason!r}.")
    text, reasoning, reasoning_tokens = completion.text, None, None
    # If the template closed the thinking in the prompt, everything is the answer.
    if parser is not None and not parser.is_reasoning_end(output.prompt_token_ids):
        reasoning, content = parser.extract_reasoning(text, question)
        text = content or ""
        counted = getattr(parser, "count_reasoning_tokens", lambda _: 0)(completion.token_ids)
        # Parsers that cannot count also return 0.
        reasoning_tokens = counted or (None if reasoning else 0)
    usage = Usage(
        prompt_tokens=len(output.prompt_token_ids),
        completion_tokens=len(completion.token_ids),
        reasoning_tokens=reasoning_tokens,
        cached_tokens=output.num_cached_tokens,
    )
    reply = Reply(
        text=text,
        reasoning=reasoning or None,
        finish_reason=completion.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cached_tokens=usage.cached_tokens,
        cost_usd=cost_usd(model, usage),
        served_model=model.model_path,
        sent=sent,
    )
    return _with_times(reply, output.metrics)


async def render(engine: Engine, messages: Sequence[Message], chat: ChatSettings) -> Any:
    """Return messages as the engine's input, by its own chat template."""
    return await internals.render(engine.llm, messages, chat.template, chat.variables)


async def _run(
    engine: Engine, prompt: Any, sampling: Any, number: str, parsed: ChatSettings | None
) -> Any:
    """Return the finished output; ``parsed`` describes how the prompt was made, for a parser."""
    values = parsed.variables if parsed is not None else None
    answers = internals.generate(engine.llm, prompt, sampling, number, values)
    async with aclosing(answers):  # so that a cancelled task aborts its request
        outputs = [output async for output in answers]
    return outputs[-1]


def _sampling(engine: Engine, request: Request, chat: ChatSettings) -> tuple[Any, dict[str, Any]]:
    """Return vLLM's sampling parameters, and the same as they are recorded."""
    sent = request.sampling.as_dict()
    if request.seed is not None:
        sent["seed"] = request.seed
    sent |= {k: v for k, v in request.model.extra.items() if k != "chat_template_kwargs"}
    given = {"max_tokens": None, **sent}  # unset means all the room there is, not vLLM's 16
    if isinstance(bias := sent.get("logit_bias"), Mapping):
        given["logit_bias"] = {int(token): value for token, value in bias.items()}
    choices = None if request.constraint is None else list(request.constraint.choices)
    if choices is not None:
        sent["structured_outputs"] = {"choice": choices}
    if chat.chosen:
        sent["chat_template_kwargs"] = dict(chat.chosen)
    try:
        return internals.sampling_parameters(given, choices), sent
    except engine.client_errors as error:
        raise BadRequestError(
            f"{request.model.name}: vLLM refuses the sampling parameters: {error}"
        ) from error


def _translate(engine: Engine, model: Model, error: Exception) -> BackendError | None:
    """Return our error for an exception of vLLM; None for a fault of ours."""
    dead, failed = internals.engine_errors()
    if isinstance(error, BackendError):
        return error
    if isinstance(error, dead) or engine.dead:
        return engine.death()
    if isinstance(error, failed):
        if not isinstance(error.__cause__, engine.client_errors):
            return TransientError(f"{model.name}: the engine failed: {error.__cause__ or error}")
        error = error.__cause__
    if isinstance(error, engine.client_errors):
        if any(words in str(error) for words in _TOO_LONG):
            return ContextOverflowError(f"{model.name}: {error}")
        return BadRequestError(f"{model.name}: vLLM refuses the request: {error}")
    return None


def _with_times(reply: Reply, metrics: Any) -> Reply:
    """Convert the engine's clock readings (s, monotonic, of its process) to durations."""
    if metrics is None or not metrics.scheduled_ts or not metrics.first_token_ts:
        return reply
    return replace(
        reply,
        queue_s=metrics.scheduled_ts - metrics.queued_ts,
        ttft_s=metrics.first_token_ts - metrics.scheduled_ts,
        decode_s=metrics.last_token_ts - metrics.first_token_ts,
        latency_s=metrics.last_token_ts - metrics.scheduled_ts,
    )
