"""Address, key and headers of a call, and their checks."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from game_reasoning_arena.catalog.litellm_providers import OPENAI_PROTOCOL
from game_reasoning_arena.errors import AuthError
from game_reasoning_arena.records import Model, Provider

#: Sent to servers without a key, so that no client library looks for one by itself.
KEYLESS = "keyless"

PATH = "/chat/completions"

#: Addresses of providers whose entry names no other.
USUAL = {
    **OPENAI_PROTOCOL,
    "ollama": "http://localhost:11434/v1",
    "lm_studio": "http://localhost:1234/v1",
}


@functools.lru_cache(maxsize=256)
def endpoint(api_base: str) -> str:
    """Return the address for requests; a query (``?api-version=...``) stays at its end."""
    parts = urlsplit(api_base)
    path = parts.path.rstrip("/")
    if not path.endswith(PATH):
        path += PATH
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def base_of(address: str) -> str:
    """Return the ``api_base`` of an address; the inverse of :func:`endpoint`."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/").removesuffix(PATH)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, parts.query, ""))


def api_key(model: Model) -> str | None:
    """Return the key of a model's provider, read now; None for a keyless one.

    Raises:
        AuthError: the variable is not set, blank, or holds no valid key.
    """
    name = model.provider.api_key_env if model.provider else None
    if name is None:
        return None
    if problem := _problem_of(model, name):
        raise AuthError(problem)
    return os.environ[name]


def extra_headers(model: Model) -> dict[str, str]:
    """Return the headers that a provider's entry adds, with the values of their variables.

    Raises:
        AuthError: a variable is not set, blank, or cannot be sent.
    """
    named = model.provider.headers if model.provider else {}
    for variable in named.values():
        if problem := _problem_of(model, variable):
            raise AuthError(problem)
    return {header: os.environ[variable] for header, variable in named.items()}


def missing_key(model: Model, variable: str) -> str:
    """Return the error message for a missing key."""
    state = "is blank" if variable in os.environ else "is not set"
    return (
        f"{model.name} needs a key in the environment variable {variable}, which {state}. Set it "
        f"(export {variable}=...) or put it in a .env file in the working directory. Without any "
        f"key, scripted_random plays in its place."
    )


def check_keys(models: Sequence[Model]) -> list[str]:
    """Return a sentence for each key variable of the models without a usable value."""
    problems: dict[str, None] = {}
    for model in models:
        provider = model.provider
        if provider is None:
            continue
        for variable in provider.variables:
            if problem := _problem_of(model, variable):
                problems[problem] = None
    return list(problems)


def unusable(value: str) -> str | None:
    """Return why a text cannot be a key, without showing it; None for one that can be sent."""
    if value != value.strip():
        return "has blanks or line breaks at its ends"
    if re.search(r"\s", value):
        return "holds blanks or line breaks"
    if any(not character.isprintable() for character in value):
        return "holds invisible characters"
    if not value.isascii():
        return "holds characters that are not ASCII"
    if value[0] in "\"'`" or value[-1] in "\"'`":
        return "has quotation marks at its ends"
    return None


def _problem_of(model: Model, variable: str) -> str | None:
    value = os.environ.get(variable, "")
    if not value.strip():
        return missing_key(model, variable)
    what = unusable(value)
    if what is None:
        return None
    whose = f"the provider {model.provider.name!r}" if model.provider else "the provider"
    return (
        f"The environment variable {variable} {what}, so it is not what {whose} issued. Set "
        f"{variable} to the bare key."
    )


def redirected(provider: str) -> str | None:
    """Return the variable by which other programs redirect a provider's calls, if it is set."""
    stem = provider.upper().replace("-", "_")
    names = (f"{stem}_BASE_URL", f"{stem}_API_BASE")
    return next((name for name in names if os.environ.get(name, "").strip()), None)


def check_redirections(models: Sequence[Model]) -> list[str]:
    """Return a sentence for each variable that names another address than the one in use.

    Such a variable is never obeyed, since it would redirect a key, and never ignored silently. An
    address in the configuration takes precedence over it without a message.
    """
    problems: dict[str, None] = {}
    for model in models:
        provider = model.provider
        variable = redirected(provider.name) if provider else None
        if provider is None or variable is None:
            continue
        usual = USUAL.get(provider.name)
        if usual is None or provider.api_base not in (None, usual):
            continue
        if os.environ[variable].strip().rstrip("/") == usual.rstrip("/"):
            continue
        problem = (
            f"{variable} is set, but the models of {provider.name!r} are asked at {usual}. Unset "
            f"it, or use it by provider.{provider.name}.api_base='${{oc.env:{variable}}}'."
        )
        problems[problem] = None
    return list(problems)


def no_provider(model: Model) -> str:
    """Return the error message for a model without a provider."""
    return f"{model.name} names no provider. Write it as {model.backend}_<provider>/<model>."


def no_address(model: Model, provider: Provider) -> str:
    """Return the error message for a provider without an address."""
    return (
        f"{model.name}: the provider {provider.name!r} has no api_base. Set "
        f"provider.{provider.name}.api_base=http://host:port/v1, or use "
        f"litellm_{provider.name}/{model.model_id} if LiteLLM knows the provider."
    )


def credentials(url: str) -> str | None:
    """Return the ``user:password`` of an address, as it stands there; None if it has none."""
    authority = url.partition("://")[2].partition("/")[0]
    found, at, _ = authority.rpartition("@")
    return found if at else None


def two_credentials(model: Model, provider: Provider) -> str:
    """Return the error message for credentials in both the address and a variable."""
    return (
        f"{model.name}: the api_base of provider {provider.name!r} holds user:password@ and "
        f"api_key_env={provider.api_key_env} is set too; one request can carry only one of them. "
        f"Remove one."
    )
