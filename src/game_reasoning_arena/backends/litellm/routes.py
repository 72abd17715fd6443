"""The address and the key of a call through LiteLLM.

They are decided here and passed explicitly: otherwise LiteLLM would send one provider's key to
another, or follow ``OPENAI_BASE_URL``.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import unquote, urlsplit

from game_reasoning_arena.backends.openai import addresses
from game_reasoning_arena.catalog.litellm_providers import OPENAI_PROTOCOL
from game_reasoning_arena.errors import BadRequestError
from game_reasoning_arena.records import Model

#: Names in ``Model.extra`` that would override the decision made here.
RESERVED = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "headers", "extra_headers"),
        *("api_key", "api_base", "base_url", "api_version", "custom_llm_provider", "extra_body"),
        *("timeout", "num_retries", "max_retries", "fallbacks", "drop_params", "mock_response"),
        *("shared_session", "client", "cache", "caching"),
    }
)

#: Providers without an address of their own; a variable must name it.
HAVE_NO_ADDRESS = frozenset(
    {
        *("azure", "azure_ai", "azure_text", "cloudflare", "databricks", "litellm_proxy"),
        *("ragflow", "watsonx", "watsonx_text"),
    }
)

#: Providers whose OpenAI-like address differs from that of LiteLLM's own route.
OTHER_PROTOCOL = frozenset({"gemini"})


def route_of(model: Model) -> dict[str, Any]:
    """Return LiteLLM's name of the model, and the address and key of the call.

    Raises:
        AuthError: the key is missing.
        BadRequestError: there is no address, or the environment would send the key elsewhere.
    """
    provider = model.provider
    if provider is None:
        raise BadRequestError(addresses.no_provider(model))
    if (problem := misled(model)) is not None:
        raise BadRequestError(problem)
    key = addresses.api_key(model)
    headers = addresses.extra_headers(model)
    if not provider.api_base:
        explicit = provider.name == "openai" or addresses.redirected(provider.name)
        base = OPENAI_PROTOCOL.get(provider.name) if explicit else None
        route = {"model": f"{provider.name}/{model.model_id}", "api_base": base, "api_key": key}
        return {**route, "extra_headers": headers} if headers else route
    if (found := addresses.credentials(provider.api_base)) is not None:
        basic = base64.b64encode(unquote(found).encode()).decode()
        headers["Authorization"] = f"Basic {basic}"
    return {
        "model": f"openai/{model.model_id}",
        "api_base": addresses.base_of(provider.api_base).partition("?")[0],
        "api_key": key or addresses.KEYLESS,
        **({"extra_headers": headers} if headers else {}),
    }


def query_of(model: Model) -> str:
    """Return the query of a provider's address, which LiteLLM would put into its middle."""
    base = (model.provider and model.provider.api_base) or ""
    return urlsplit(base).query


def misled(model: Model) -> str | None:
    """Return why a call would go to a wrong address; None if it would not."""
    provider = model.provider
    if provider is None:
        return None
    if provider.api_base:
        if provider.api_key_env and addresses.credentials(provider.api_base):
            return addresses.two_credentials(model, provider)
        return None
    if not provider.known_to_litellm:
        return addresses.no_address(model, provider)
    variable = addresses.redirected(provider.name)
    if variable is None or provider.api_key_env is None or provider.name in HAVE_NO_ADDRESS:
        return None
    if provider.name in OPENAI_PROTOCOL and provider.name not in OTHER_PROTOCOL:
        return None  # passed explicitly, so the variable does nothing
    return (
        f"{model.name}: {variable} is set and would send the key of {provider.name!r} to another "
        f"address. Unset it, or set provider.{provider.name}.api_base, which speaks the OpenAI "
        f"protocol to that address."
    )
