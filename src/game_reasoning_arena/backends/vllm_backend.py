"""Models on a vLLM engine in this process, or behind a running ``vllm serve``.

arena agents.player_0.model=vllm_X          the entry's model_path: an engine of our own
arena agents.player_0.model=vllm_Y          the entry's api_base: a server, shared by many runs

All waiting requests of all episodes go to the engine together. It batches them continuously and
reuses the beginnings of prompts (its prefix cache), so a request never waits here for another one.
The times in a reply are the engine's own: ``queue_s`` until it was first scheduled, ``ttft_s`` from
there to the first token, ``decode_s`` from the first to the last token, and ``latency_s`` the sum
of the last two.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.vllm import checks as vllm_checks
from game_reasoning_arena.backends.vllm import cpu as vllm_cpu
from game_reasoning_arena.backends.vllm import devices as vllm_devices
from game_reasoning_arena.backends.vllm import engine as vllm_engine
from game_reasoning_arena.backends.vllm.answers import ChatSettings, answer, render
from game_reasoning_arena.backends.vllm.engine import Engine
from game_reasoning_arena.backends.vllm.process import MODEL_KEYS
from game_reasoning_arena.backends.vllm.settings import EngineSettings, engine_settings
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import Message, Model, Reply, Request

#: A server silently fills in parameters that a request leaves out from the model's
#: generation_config.json. These values change no probability; sending them puts them into the
#: records.
_NEUTRAL: Mapping[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}

_TRIAL: tuple[Message, ...] = ({"role": "user", "content": "Hello"},)


class VLLMBackend(BaseLLMBackend):
    """vLLM, in process or as a server.

    Args:
        dtype, gpu_memory_utilization, tensor_parallel_size, pipeline_parallel_size, max_model_len,
        quantization, enforce_eager, distributed_executor_backend, reasoning_parser: engine
            arguments of these names in vLLM; None leaves them to vLLM. A model's entry goes first.
        engine: any other engine argument of vLLM by its name.
        chat_template_kwargs: variables for chat templates (``enable_thinking``, ...). An entry's
            ``extra.chat_template_kwargs`` goes first.
        timeout_s: seconds for one answer, its wait in the engine's queue included.
        deadline_s: the same with the retries that a server may need.
        max_concurrency: requests in the engine at once. It queues by itself, so this only bounds
            what this process holds; a low number starves its batches.
        policy: the limits that every backend has, see :class:`BaseLLMBackend`.
    """

    packages = ("vllm", "vllm-cpu", "torch")
    repeats = "requests are seeded; batching can still change the last digits."
    constrains = frozenset({"line", "json"})

    def __init__(
        self,
        *,
        dtype: str | None = None,
        gpu_memory_utilization: float | None = None,
        tensor_parallel_size: int | None = None,
        pipeline_parallel_size: int | None = None,
        max_model_len: int | None = None,
        quantization: str | None = None,
        enforce_eager: bool | None = None,
        distributed_executor_backend: str | None = None,
        reasoning_parser: str | None = None,
        engine: Mapping[str, Any] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        timeout_s: float = 900.0,
        deadline_s: float = 1800.0,
        max_concurrency: int | None = 1024,
        **policy: Any,
    ) -> None:
        super().__init__(
            timeout_s=timeout_s, deadline_s=deadline_s, max_concurrency=max_concurrency, **policy
        )
        self._named = {
            "dtype": dtype,
            "gpu_memory_utilization": gpu_memory_utilization,
            "tensor_parallel_size": tensor_parallel_size,
            "pipeline_parallel_size": pipeline_parallel_size,
            "max_model_len": max_model_len,
            "quantization": quantization,
            "enforce_eager": enforce_eager,
            "distributed_executor_backend": distributed_executor_backend,
            "reasoning_parser": reasoning_parser,
        }
        self._engine = dict(engine or {})
        self._chat_kwargs = dict(chat_template_kwargs or {})
        self._engines: dict[str, Engine] = {}  # by model name
        self._templates: dict[str, str] = {}  # chat templates by model name
        self._server: BaseLLMBackend | None = None
        self._starting = asyncio.Lock()
        self._numbers = itertools.count()

    def check(self, models: Sequence[Model]) -> list[str]:
        """Return the problems with the entries, the settings and this machine; loads no vLLM."""
        problems: list[str] = []
        local = [model for model in models if model.provider is None]
        settings = {model.name: self._settings(model) for model in local}
        if local:
            problems += vllm_devices.check_installation(list(settings.values()))
        for model in local:
            problems += vllm_checks.check_model(
                model, settings[model.name], on_cpu=vllm_cpu.is_cpu_build()
            )
            problems += vllm_devices.check_parts(
                settings[model.name],
                vllm_devices.gpu_count(Path("/dev"), os.environ),
                os.environ,
                on_cpu=vllm_cpu.is_cpu_build(),
            )
        problems += self.no_room_for(self.loads(models))
        served = [model for model in models if model.provider is not None]
        if served:
            problems += [
                f"chat_template of {model.name}: a server has its own; start it with "
                "`vllm serve --chat-template FILE`."
                for model in served
                if model.chat_template
            ]
            problems += self._through_server().check(served)
        return list(dict.fromkeys(problems))

    def notes(self, models: Sequence[Model]) -> list[str]:
        """Return the settings supplied for a CPU, and how far a GPU's answers repeat."""
        notes = [
            f"vllm: on the CPU, {name} ran with {value} (supplied, not configured)."
            for name, value in self._supplied(models).items()
        ]
        if self.loads(models) and not vllm_cpu.is_cpu_build():
            invariant = os.environ.get("VLLM_BATCH_INVARIANT", "0") not in {"", "0"}
            notes.append(
                "vllm: answers do not depend on what else was in the batch (VLLM_BATCH_INVARIANT)."
                if invariant
                else "vllm: a GPU's sums depend on what else is in the batch, so equal seeds may "
                "give other answers; VLLM_BATCH_INVARIANT=1 (vLLM's, for some GPUs) prevents it."
            )
        return notes

    def choices(self, models: Sequence[Model]) -> dict[str, Mapping[str, Any]]:
        """Return the choices of the loaded engines, by model name; see ``vllm.choices``."""
        return {
            model.name: self._engines[model.name].choices
            for model in models
            if model.name in self._engines
        }

    def keys_of(self, models: Sequence[Model]) -> Collection[str] | None:
        """Return the variables of the keys of servers, and of those that downloads need."""
        own = MODEL_KEYS if any(model.provider is None for model in models) else ()
        return {*(super().keys_of(models) or ()), *own}

    def loads(self, models: Sequence[Model]) -> dict[str, EngineSettings]:
        """Return the engines that serve these models in this process; equal keys share one."""
        found = (self._settings(model) for model in models if model.provider is None)
        return {settings.key: settings for settings in found}

    @classmethod
    def no_room_for(cls, loads: Mapping[str, Any]) -> list[str]:
        """Return why the engines do not fit on the GPUs together, if so."""
        return vllm_devices.check_shares(list(loads.values()), on_cpu=vllm_cpu.is_cpu_build())

    def loading(self, models: Sequence[Model]) -> str | None:
        """Return a notice that engines load, which takes from half a minute to many minutes."""
        needed = {self._settings(m).key: m.name for m in models if m.provider is None}
        loaded = {engine.settings.key for engine in vllm_engine.loaded_engines()}
        names = [name for key, name in needed.items() if key not in loaded]
        if not names:
            return None
        lines = [f"Loading {', '.join(names)} with vLLM: from half a minute to many, by size."]
        lines += [
            f"On a CPU {name} runs with {value} where nothing else is set."
            for name, value in self._supplied(models).items()
        ]
        return "\n".join(lines)

    async def start(self, models: Sequence[Model]) -> None:
        """Load the engines, one after the other, or open the session to the servers.

        Raises:
            UserError: vLLM refuses settings, or a model has no chat template.
            EngineDeadError: an engine failed while it started; its log is quoted.
        """
        served = [model for model in models if model.provider is not None]
        if served:
            await self._through_server().start(served)
        local = [model for model in models if model.provider is None]
        wanted = {self._settings(model).key for model in local}
        for model in local:
            await self._ready(model, wanted)

    async def aclose(self) -> None:
        """Release the engines, which stay for the next job, and close the session."""
        for engine in self._engines.values():
            vllm_engine.release(engine)
        self._engines.clear()
        if self._server is not None:
            await self._server.aclose()
            self._server = None

    async def generate(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            ContextOverflowError: the prompt leaves no room for an answer.
            BadRequestError: vLLM refuses the request.
            EngineDeadError: the engine is gone; the message quotes its log.
        """
        model = request.model
        if model.provider is not None:
            return await self._through_server().generate(self._for_server(request))
        engine = self._engines.get(model.name) or await self._ready(model, ())
        number = f"arena-{os.getpid()}-{id(self):x}-{next(self._numbers)}"
        return await answer(engine, request, self._chat_settings(model), number)

    def _settings(self, model: Model) -> EngineSettings:
        return engine_settings(
            model, self._named, self._engine, _needed if vllm_cpu.is_cpu_build() else None
        )

    def _supplied(self, models: Sequence[Model]) -> dict[str, str]:
        """Return, by the names of models, the engine arguments that the machine needs and were not
        set.
        """
        settings = {m.name: self._settings(m) for m in models if m.provider is None}
        return {
            name: ", ".join(f"{key}={json.dumps(value)}" for key, value in s.supplied.items())
            for name, s in settings.items()
            if s.supplied
        }

    async def _ready(self, model: Model, wanted: Sequence[str] | set[str]) -> Engine:
        """Return the model's engine; load it if start() was not asked to."""
        async with self._starting:
            engine = self._engines.get(model.name)
            if engine is None:
                engine = await vllm_engine.acquire(self._settings(model), wanted)
                self._engines[model.name] = engine
                await self._try_template(engine, model)
        return engine

    async def _try_template(self, engine: Engine, model: Model) -> None:
        if model.chat_template is not None:
            template = model.chat_template
            if "{" not in template:
                template = await asyncio.to_thread(Path(template).read_text, encoding="utf-8")
            self._templates[model.name] = template
        try:
            await render(engine, _TRIAL, self._chat_settings(model))
        except engine.client_errors as error:
            raise UserError(
                f"{model.name}: its chat template cannot be applied ({error}). Set chat_template "
                "in the entry to a Jinja file that turns messages into a prompt; none is guessed."
            ) from error

    def _chat_settings(self, model: Model) -> ChatSettings:
        own = model.extra.get("chat_template_kwargs") or {}
        return ChatSettings(self._templates.get(model.name), {**self._chat_kwargs, **own})

    def _through_server(self) -> BaseLLMBackend:
        if self._server is None:
            from game_reasoning_arena.backends.direct_backend import DirectBackend

            # complete() of this backend applies limits and retries, not the inner one.
            self._server = DirectBackend(
                stream=True,  # the time to the first token is known only so
                structured="vllm",
                timeout_s=self.timeout_s,
                deadline_s=self.deadline_s,
                max_concurrency=None,
            )
        return self._server

    def _for_server(self, request: Request) -> Request:
        """Return the request as our own engine would read it: nothing is left to the server."""
        given = request.sampling.as_dict()
        extra = {name: value for name, value in _NEUTRAL.items() if name not in given}
        extra |= request.model.extra
        if self._chat_kwargs:
            own = request.model.extra.get("chat_template_kwargs") or {}
            extra["chat_template_kwargs"] = {**self._chat_kwargs, **own}
        return replace(request, model=dataclasses.replace(request.model, extra=extra))


def _needed(given: Mapping[str, Any]) -> dict[str, Any]:
    return vllm_cpu.cpu_settings(given, os.environ, vllm_cpu.memory_bytes())
