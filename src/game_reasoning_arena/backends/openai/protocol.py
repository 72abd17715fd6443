"""Failures of the OpenAI chat protocol as our errors; loads no network library."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from game_reasoning_arena.backends.openai import waits
from game_reasoning_arena.backends.openai.addresses import base_of, endpoint
from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    EmptyReplyError,
    NotFoundError,
    QuotaError,
    RateLimitedError,
    TransientError,
)
from game_reasoning_arena.process.secrets import redact
from game_reasoning_arena.process.text import plain
from game_reasoning_arena.records import Constraint, Model, Provider

#: The most characters of a provider's error text, and of its code, that are kept.
LONGEST_ERROR = 600
LONGEST_CODE = 80

#: The first bytes of a body, from which errors quote, and the most characters of a key.
QUOTABLE = 8192
_LONGEST_KEY = 4096
#: The most characters that are quoted of what is no answer.
_QUOTED = 120

#: Parameters that a request may go without.
PARAMETERS = (
    *("temperature", "top_p", "top_k", "stop", "seed", "max_tokens", "max_completion_tokens"),
    *("stream_options", "response_format"),
)

# Patterns for errors are compiled at the first error; `re` keeps them.
_CONTEXT = (
    r"(?i)context[ _-]?length|context window|context size|maximum (?:context|model|input) len"
    r"|prompt is too long|input is too long|too many (?:input )?tokens|reduce the length"
    r"|exceeds? the (?:model'?s )?(?:maximum )?(?:number of tokens|token limit)"
)
_QUOTA = (
    r"(?i)insufficient[_ ](?:quota|balance|funds|credit)|exceeded your (?:current|monthly) quota"
    r"|credit balance|out of credits?|billing|payment required"
)
# Some providers call the limit per minute a quota; such a limit passes by itself.
_PASSES = r"(?i)per[ _-]?(?:minute|second)|(?:re)?try(?: again)? in \d"
_BAD_KEY = (
    r"(?i)(?:invalid|incorrect|missing|wrong|expired|no) api[ _-]?key"
    r"|api[ _-]?key[^.]{0,40}(?:not valid|invalid|incorrect|expired|missing|not found)"
)
#: Meanings of errors without a status of their own, by the provider's code or type.
_CODES: tuple[tuple[str, type[BackendError]], ...] = (
    (r"(?i)context_(?:length|window)", ContextOverflowError),
    (r"(?i)insufficient_(?:quota|balance|funds|credit)|billing", QuotaError),
    (r"(?i)rate_?limit|too_many_requests|resource_exhausted", RateLimitedError),
    (r"(?i)authenticat|invalid_api_key|unauthorized|permission", AuthError),
    (r"(?i)(?:model_)?not_found", NotFoundError),
    (r"(?i)invalid_request|bad_?request|invalid_argument", BadRequestError),
)
_VERSIONED = r"/v\d+\w*/?(?:\?|$)"
_MODERATED = r"(?i)moderation|flagged|content policy"


def error_for(
    model: Model,
    *,
    status: int | None,
    text: str,
    code: str | None = None,
    parameter: str | None = None,
    retry_after: float | None = None,
) -> BackendError:
    """Return our error for a failed answer, free of secrets.

    Args:
        model: the model that was asked.
        status: HTTP status, None if none was received.
        text: the provider's message.
        code: the provider's own code of the error, if it gave one.
        parameter: the parameter that the provider complains about, if it named one.
        retry_after: seconds that the provider asked to wait; else they are looked for in the text.
    """
    server = model.provider.name if model.provider else "the server"
    message_text = clean(model, text)
    if len(message_text) > LONGEST_ERROR:
        message_text = message_text[:LONGEST_ERROR] + " ..."
    if code and code not in message_text:
        message_text += f" ({clean(model, code)[:LONGEST_CODE]})"
    outcome = status or "with an error"
    message = f"{model.name}: {server} answered {outcome}: {message_text or '(no text)'}"
    kind = _kind(status, f"{code or ''} {text}") if status else _kind_by_code(code)
    if model.provider is not None:
        message += _advice(kind, model, model.provider)
    if kind is BadRequestError:
        message += way_out(model, text, parameter)
    if retry_after is None and kind in (RateLimitedError, TransientError):
        retry_after = waits.in_words_s(text)
    return kind(message, status=status, retry_after=retry_after)


def _advice(kind: type[BackendError], model: Model, provider: Provider) -> str:
    """Return advice on an error that will occur again, with a space before it."""
    if kind is AuthError and provider.api_key_env:
        return f" Check the key in {provider.api_key_env}."
    if kind is AuthError and provider.api_base:
        return (
            " If it wants a key, put that into an environment variable and name the variable: "
            f"provider.{provider.name}.api_key_env=MY_KEY."
        )
    if kind is NotFoundError and provider.api_base:
        address = clean(model, provider.api_base)
        version = "" if re.search(_VERSIONED, address) else ", which most often ends in /v1"
        return f" Check the model's name, {model.model_id!r}, and the address {address}{version}."
    if kind is NotFoundError:
        return f" Check the model's name, {model.model_id!r}."
    return ""


def way_out(model: Model, text: str, parameter: str | None = None) -> str:
    """Return how to leave out the parameter that a provider refuses, with a space before it."""
    name = refused_parameter(model, text, parameter)
    if name is None:
        return ""
    if name == "seed":
        return " To send no seed, set sampling.seed=null."
    return (
        f" To leave {name} out, write `extra: {{{name}: null}}` into the model's entry, or "
        f"model.extra.{name}=null where model= names the model."
    )


def refused_parameter(model: Model, text: str, named: str | None = None) -> str | None:
    """Return which of the parameters that can be left out an error complains of; else None."""
    known = (*PARAMETERS, *model.extra)
    if named in known:
        return named
    for name in known:
        # Short words may be prose: they count only where they are quoted.
        plain = len(name) > 4 or name == "seed"
        pattern = rf"(?<!\w){re.escape(name)}(?!\w)" if plain else rf"[\"'`]{re.escape(name)}[\"'`]"
        if re.search(pattern, text):
            return name
    return None


def wants_completion_tokens(error: BackendError, body: Mapping[str, Any]) -> bool:
    """Return whether a server refused ``max_tokens`` because it takes ``max_completion_tokens``."""
    return (
        isinstance(error, BadRequestError)
        and "max_completion_tokens" in error.message
        and "max_tokens" in body
        and "max_completion_tokens" not in body
    )


def no_connection(
    model: Model, error: BaseException, *, host: str | None = None, proxy: str | None = None
) -> BackendError:
    """Return the error for an address that did not respond; ``error`` is the cause.

    Args:
        model: which model was asked.
        error: the network's exception.
        host: the host that was tried, where the model's provider names no address.
        proxy: the proxy that was to be gone through, if there was one.
    """
    address = clean(model, (model.provider and model.provider.api_base) or host or "the provider")
    message_text = clean(model, str(error))
    if isinstance(error, ssl.SSLCertVerificationError):
        message_text = (
            f"its TLS certificate cannot be verified ({clean(model, error.verify_message)}). If it "
            "is your own server, name its certificate: SSL_CERT_FILE=/path/to/cert.pem arena ..."
        )
    elif isinstance(error, ssl.SSLError):
        message_text = f"no TLS connection ({clean(model, error.reason or str(error))})"
    elif isinstance(error, OSError) and error.errno:  # asyncio's own text repeats the address
        known = os.strerror(error.errno) if error.errno > 0 else error.strerror
        message_text = known or message_text
    through = f" through the proxy {clean(model, proxy)}" if proxy else ""
    return TransientError(
        f"{model.name}: no answer from {address}{through}: {message_text or type(error).__name__}"
    )


def moved(model: Model, status: int, location: str | None) -> NotFoundError:
    """Return the failure of an address that sends elsewhere: nothing of ours follows."""
    server = model.provider.name if model.provider else "the server"
    if not location:
        return NotFoundError(
            f"{model.name}: {server} answered {status}, which holds no answer.", status=status
        )
    asked = model.provider.api_base if model.provider else None
    try:
        new = clean(model, base_of(urljoin(endpoint(asked) if asked else "", location)))
    except ValueError:
        return NotFoundError(
            f"{model.name}: {server} answered {status} and names an address that is none, "
            f"{clean(model, location)}. Check provider.{server}.api_base.",
            status=status,
        )
    return NotFoundError(
        f"{model.name}: {server} answered {status}: the address has moved to {new}. No key and no "
        f"question was sent there. If you trust it, set "
        f"provider.{server}.api_base={new}.",
        status=status,
    )


def clean(model: Model, text: str) -> str:
    """Return a text of the outer world without secrets and control characters, on one line."""
    provider = model.provider
    variables = provider.variables if provider else []
    urls = [provider.api_base] if provider else []
    return plain(" ".join(redact(text, variables, urls).split()))


def _kind(status: int | None, text: str) -> type[BackendError]:
    if status in (400, 413, 422) and re.search(_CONTEXT, text):
        return ContextOverflowError
    if status == 402 or (status in (400, 403, 429) and re.search(_QUOTA, text)):
        passes = status == 429 and re.search(_PASSES, text)
        return RateLimitedError if passes else QuotaError
    if status == 429:
        return RateLimitedError
    if status == 401 or (status == 400 and re.search(_BAD_KEY, text)):
        return AuthError
    if status == 403:
        return BadRequestError if re.search(_MODERATED, text) else AuthError
    if status == 404:
        return NotFoundError
    if status is not None and 400 <= status < 500 and status not in (408, 409, 425):
        return BadRequestError
    return TransientError


def _kind_by_code(code: str | None) -> type[BackendError]:
    """Return the meaning of an error object inside a success; usually an outage."""
    found = (kind for pattern, kind in _CODES if code and re.search(pattern, code))
    return next(found, TransientError)


def response_format(constraint: Constraint) -> dict[str, Any]:
    """Return a constraint as ``response_format``; an enumeration if it has no schema."""
    schema = constraint.json_schema or {"type": "string", "enum": list(constraint.choices)}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


def no_constraint(model: Model) -> str:
    """Return the error message for a constraint that this backend cannot send."""
    return (
        f"{model.name}: the {model.backend} backend can constrain answers only in JSON. Set "
        f"template=json for this agent, or, for a vLLM server, backend.direct.structured=vllm."
    )


def error_in_body(
    model: Model, error: object, *, status: int | None, headers: Mapping[str, str] | None = None
) -> BackendError:
    """Return our error for an error object of the protocol (or whatever is in its place).

    Args:
        model: the model that was asked.
        error: the object.
        status: HTTP status of the failure; None if the answer claimed to be a success.
        headers: of the response; they may set how long to wait.
    """
    if isinstance(error, list) and len(error) == 1:
        error = error[0]
    if isinstance(error, Mapping) and isinstance(inner := error.get("error"), Mapping | str):
        error = inner or error
    code = parameter = None
    text = _words(error)
    if isinstance(error, Mapping):
        number, code = _codes(error)
        parameter = error.get("param")
        status = number if status is None else status
        delay = waits.in_words_s(json.dumps(error.get("details"), default=str))
    else:
        delay = None
    wait = waits.retry_after_s(headers) if headers is not None else None
    failure = error_for(
        model,
        status=status,
        text=text,
        code=code,
        parameter=parameter if isinstance(parameter, str) else None,
        retry_after=delay if wait is None else wait,
    )
    if failure.retry_after is None and isinstance(failure, RateLimitedError) and headers:
        failure.retry_after = waits.reset_s(headers)
    return failure


def _words(error: object) -> str:
    """Return the message of an error object."""
    if isinstance(error, Mapping):
        for name in ("message", "detail", "msg", "error", "error_message", "description"):
            if value := error.get(name):
                return value if isinstance(value, str) else json.dumps(value, default=str)
    return error if isinstance(error, str) else json.dumps(error, default=str)


def _codes(error: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Return an error's number if it is an HTTP status, and its code in words."""
    given = [error.get(name) for name in ("code", "status", "type")]
    words = [str(value) for value in given if isinstance(value, str | int) and value]
    numbers = [int(word) for word in words if re.fullmatch(r"[45]\d\d", word)]
    rest = [word for word in words if not word.isdigit() and word != "error"]
    return next(iter(numbers), None), ", ".join(dict.fromkeys(rest)) or None


def too_long(model: Model, most_bytes: int) -> BadRequestError:
    """Return the error for a body that is longer than any answer."""
    return BadRequestError(
        f"{model.name}: the answer's body is longer than {most_bytes} bytes, so it was left. If "
        f"such answers are meant, raise backend.{model.backend}.most_bytes."
    )


def beginning(model: Model, raw: bytes | bytearray) -> str:
    """Return the beginning of a body for an error: redacted, and only then cut.

    A key that is cut first is not recognized, and most of it would be shown.
    """
    text = clean(model, bytes(raw[:QUOTABLE]).decode(errors="replace"))
    return text if len(raw) < QUOTABLE else text[:-_LONGEST_KEY]


def not_json(model: Model, raw: bytes | bytearray) -> BackendError:
    """Return the error for a success that is no JSON, usually a proxy's page."""
    start = beginning(model, raw)[:_QUOTED]
    return TransientError(f"{model.name}: the server answered with what is no JSON: {start!r}")


def unexpected(model: Model, what: str, raw: bytes) -> BackendError:
    """Return the error for a success that is JSON but outside the protocol."""
    return error_for(model, status=None, text=f"{what}: {beginning(model, raw)}")


def cut_off(model: Model) -> BackendError:
    """Return the error for a stream that ended in the middle of an answer."""
    return TransientError(f"{model.name}: the stream of the answer ended before it was done.")


def no_choice(model: Model) -> BackendError:
    """Return the error for a success without any choice."""
    return EmptyReplyError(f"{model.name}: the answer holds no choice.")
