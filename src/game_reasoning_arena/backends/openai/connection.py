"""Errors for network failures, with the proxies that may have caused them."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from game_reasoning_arena.backends.openai import protocol
from game_reasoning_arena.errors import BackendError, TransientError
from game_reasoning_arena.records import Model


def connection_failure(
    model: Model, error: Exception, *, host: str | None = None, trust_env: bool | None = None
) -> BackendError:
    """Return the error for a network failure.

    Args:
        model: the model that was asked.
        error: the exception of aiohttp or the system.
        host: where the request was going, if that is known.
        trust_env: whether ``backend.direct`` uses the environment's proxies; None for another
            backend, which does.
    """
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return TransientError(
            f"{model.name}: the proxy {_proxy_for(model) or ''} answered {error.status}: "
            f"{protocol.clean(model, error.message)}"
        )
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return protocol.no_connection(model, cause, host=host, proxy=f"{error.host}:{error.port}")
    if isinstance(error, aiohttp.ClientConnectorError):
        host = f"{error.host}:{error.port}"
    failure = protocol.no_connection(model, cause, host=host)
    if trust_env is False and isinstance(error, aiohttp.ClientConnectorError):
        variable = _proxy_variable(model)
        if variable is not None:
            failure.message += (
                f". {variable} is set, but the direct backend goes through a proxy only with "
                "backend.direct.trust_env=true."
            )
            failure.args = (failure.message,)
    return failure


def _proxy_for(model: Model) -> str | None:
    """Return the environment's proxy for a model's address, without credentials."""
    address = urlsplit((model.provider and model.provider.api_base) or "https://provider")
    if address.hostname is None or proxy_bypass(address.hostname):
        return None
    proxies = getproxies()
    found = proxies.get(address.scheme) or proxies.get("all")
    return found.rpartition("@")[2] if found else None


def _proxy_variable(model: Model) -> str | None:
    """Return the variable that names a proxy for a model's address, or None."""
    if _proxy_for(model) is None:
        return None
    scheme = urlsplit((model.provider and model.provider.api_base) or "https://").scheme
    names = (f"{scheme}_proxy", "all_proxy")
    return next((n for name in names for n in (name.upper(), name) if os.environ.get(n)), None)
