"""The OpenAI chat protocol, as far as it does not depend on who speaks it.

Shared by the ``direct`` and ``litellm`` backends: what errors mean, what an answer holds, which
address and key a call goes to. Loads no network library.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    NotFoundError,
    QuotaError,
    RateLimitedError,
    TransientError,
)
from game_reasoning_arena.process.secrets import redact
from game_reasoning_arena.records import Constraint, Model, Provider

#: Characters of a provider's error text that are kept.
LONGEST_ERROR = 600

#: Sent where a server needs no key, so that no client library looks for one by itself.
KEYLESS = "keyless"

_CONTEXT = re.compile(
    r"context[ _-]?length|context window|context size|maximum (?:context|model|input) len"
    r"|prompt is too long|input is too long|too many (?:input )?tokens|reduce the length"
    r"|exceeds? the (?:model'?s )?(?:maximum )?(?:number of tokens|token limit)",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient[_ ](?:quota|balance|funds|credit)|exceeded your (?:current|monthly) quota"
    r"|credit balance|out of credits?|billing|payment required",
    re.IGNORECASE,
)
# Some providers call the limit per minute a quota: that one passes by itself.
_PASSES = re.compile(r"per[ _-]?(?:minute|second)|(?:re)?try(?: again)? in \d", re.IGNORECASE)
_BAD_KEY = re.compile(
    r"(?:invalid|incorrect|missing|wrong|expired|no) api[ _-]?key"
    r"|api[ _-]?key[^.]{0,40}(?:not valid|invalid|incorrect|expired|missing|not found)",
    re.IGNORECASE,
)
_VERSIONED = re.compile(r"/v\d+\w*/?(?:\?|$)")
_MODERATED = re.compile(r"moderation|flagged|content policy", re.IGNORECASE)


def error_for(
    model: Model,
    *,
    status: int | None,
    text: str,
    code: str | None = None,
    retry_after: float | None = None,
) -> BackendError:
    """What a failed answer means, as one of our types, free of secrets.

    Args:
        model: which model was asked.
        status: HTTP status, None where none was received.
        text: what the provider said.
        code: the provider's own code of the error, if it gave one.
        retry_after: seconds that the provider asked to wait.
    """
    who = model.provider.name if model.provider else "the server"
    said = clean(model, text)
    if len(said) > LONGEST_ERROR:
        said = said[:LONGEST_ERROR] + " ..."
    message = f"{model.name}: {who} answered {status or 'with an error'}: {said or '(no text)'}"
    kind = _kind(status, f"{code or ''} {text}")
    if model.provider is not None:
        message += _advice(kind, model, model.provider)
    return kind(message, status=status, retry_after=retry_after)


def _advice(kind: type[BackendError], model: Model, provider: Provider) -> str:
    """What can be done about an error that will come again, with a space before it."""
    if kind is AuthError and provider.api_key_env:
        return f" Check the key in {provider.api_key_env}."
    if kind is AuthError and provider.api_base:
        return (
            " If it wants a key, put that into an environment variable and name the variable: "
            f"provider.{provider.name}.api_key_env=MY_KEY."
        )
    if kind is NotFoundError and provider.api_base:
        address = clean(model, provider.api_base)
        version = "" if _VERSIONED.search(address) else ", which most often ends in /v1"
        return f" Check the model's name, {model.model_id!r}, and the address {address}{version}."
    if kind is NotFoundError:
        return f" Check the model's name, {model.model_id!r}."
    return ""


def no_connection(model: Model, error: BaseException) -> TransientError:
    """Nothing came from the address at all; ``error`` says why."""
    address = clean(model, (model.provider and model.provider.api_base) or "the provider")
    said = clean(model, str(error))
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        said = os.strerror(error.errno)  # asyncio's own text repeats the address
    return TransientError(f"{model.name}: no answer from {address}: {said or type(error).__name__}")


def clean(model: Model, text: str) -> str:
    """A text of the outer world without this process's secrets, on one line."""
    provider = model.provider
    variables = [provider.api_key_env] if provider and provider.api_key_env else []
    urls = [provider.api_base] if provider else []
    return " ".join(redact(text, variables, urls).split())


def _kind(status: int | None, text: str) -> type[BackendError]:
    if status in (400, 413, 422) and _CONTEXT.search(text):
        return ContextOverflowError
    if status == 402 or (status in (400, 403, 429) and _QUOTA.search(text)):
        passes = status == 429 and _PASSES.search(text)
        return RateLimitedError if passes else QuotaError
    if status == 429:
        return RateLimitedError
    if status == 401 or (status == 400 and _BAD_KEY.search(text)):
        return AuthError
    if status == 403:
        return BadRequestError if _MODERATED.search(text) else AuthError
    if status == 404:
        return NotFoundError
    if status is not None and 400 <= status < 500 and status not in (408, 409, 425):
        return BadRequestError
    return TransientError


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``Retry-After``: a number or a date; None where there is neither."""
    given = {name.lower(): value for name, value in headers.items() if name.lower() in _RETRY}
    if milliseconds := given.get("retry-after-ms"):
        try:
            return max(0.0, float(milliseconds) / 1000.0)
        except ValueError:
            pass
    value = given.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


_RETRY = ("retry-after", "retry-after-ms")


def split_thinking(text: str) -> tuple[str, str | None]:
    """An answer and the thinking that stood before it in ``<think>`` tags, if any.

    An opening tag that was never closed leaves no answer: the budget was spent on thinking. A
    closing tag alone belongs to a template that opened it in the prompt.
    """
    head = text.lstrip()
    if head.startswith("<think>"):
        thinking, closed, answer = head[len("<think>") :].partition("</think>")
        return (answer.lstrip() if closed else ""), thinking.strip()
    thinking, closed, answer = text.partition("</think>")
    return (answer.lstrip(), thinking.strip()) if closed else (text, None)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; None where the provider did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


def read_usage(usage: Mapping[str, Any] | None) -> Usage:
    """The counts of a ``usage`` object."""
    if not usage:
        return Usage()
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    cached = prompt.get("cached_tokens")
    return Usage(
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        reasoning_tokens=completion.get("reasoning_tokens"),
        cached_tokens=usage.get("prompt_cache_hit_tokens") if cached is None else cached,
    )


def is_refusal(refusal: object, finish_reason: str | None) -> bool:
    """Whether the provider says that the model refused, or filtered the answer."""
    return bool(refusal) or finish_reason == "content_filter"


def response_format(constraint: Constraint) -> dict[str, Any]:
    """A constraint as the protocol's ``response_format``; without a schema, a bare enumeration."""
    schema = constraint.json_schema or {"type": "string", "enum": list(constraint.choices)}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


def api_key(model: Model) -> str | None:
    """The key of a model's provider, read now; None for a keyless one.

    Raises:
        AuthError: the variable is not set, or blank.
    """
    name = model.provider.api_key_env if model.provider else None
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise AuthError(missing_key(model, name))
    return key


def missing_key(model: Model, variable: str) -> str:
    """What to say when a key is not there."""
    state = "is blank" if variable in os.environ else "is not set"
    return (
        f"{model.name} needs a key in the environment variable {variable}, which {state}. Set it "
        f"(export {variable}=...) or put it in a .env file in the working directory. Without any "
        f"key, scripted_random plays in its place."
    )


def check_keys(models: Sequence[Model]) -> list[str]:
    """A sentence for each model whose key is missing."""
    return [
        missing_key(model, model.provider.api_key_env)
        for model in models
        if model.provider
        and model.provider.api_key_env
        and not os.environ.get(model.provider.api_key_env, "").strip()
    ]


def no_provider(model: Model) -> str:
    """What to say of a model that belongs to no provider."""
    return f"{model.name} names no provider. Write it as {model.backend}_<provider>/<model>."


def no_address(model: Model, provider: Provider) -> str:
    """What to say of a provider that a backend has no address for."""
    return (
        f"{model.name}: the provider {provider.name!r} has no api_base. Set "
        f"provider.{provider.name}.api_base=http://host:port/v1, or use "
        f"litellm_{provider.name}/{model.model_id} if LiteLLM knows the provider."
    )


def credentials(url: str) -> str | None:
    """The ``user:password`` of an address, as it stands there; None if it has none."""
    authority = url.partition("://")[2].partition("/")[0]
    found, at, _ = authority.rpartition("@")
    return found if at else None


def two_credentials(model: Model, provider: Provider) -> str:
    """What to say where an address and a variable both bring credentials."""
    return (
        f"{model.name}: the api_base of provider {provider.name!r} holds user:password@ and "
        f"api_key_env={provider.api_key_env} is set too; one request can carry only one of them. "
        f"Remove one."
    )


def no_constraint(model: Model) -> str:
    """What to say where a constraint has no form that this backend can send."""
    return (
        f"{model.name}: the {model.backend} backend can constrain answers only in JSON. Set "
        f"template=json for this agent, or, for a vLLM server, backend.direct.structured=vllm."
    )


def error_in_body(
    model: Model, error: object, *, status: int | None, retry_after: float | None = None
) -> BackendError:
    """What an error object of the protocol (or whatever stands in its place) means."""
    code: object = None
    text = str(error)
    if isinstance(error, Mapping):
        code = error.get("code") or error.get("type")
        text = str(error.get("message") or error.get("detail") or error)
        if status is None and isinstance(code, int):
            status = code
    return error_for(
        model,
        status=status,
        text=text,
        code=None if code is None else str(code),
        retry_after=retry_after,
    )


def not_json(model: Model, raw: bytes) -> BackendError:
    """A success whose body is no JSON: a proxy's page, most often."""
    start = clean(model, raw[:120].decode(errors="replace"))
    return TransientError(f"{model.name}: the server answered with what is no JSON: {start!r}")


def unexpected(model: Model, raw: bytes) -> BackendError:
    """A success that is JSON, but not of the protocol; some hold an error object instead."""
    start = clean(model, raw[:LONGEST_ERROR].decode(errors="replace"))
    return error_for(model, status=None, text=f"an answer without choices: {start}")
