"""Check before a run that something listens at the addresses of its models.

Every server is asked a tiny question when the run has begun (``metering.probe``). The usual fault
of a server without a key is that it does not run, which this check finds earlier and for free.
"""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from game_reasoning_arena.records import Model

#: Seconds to wait for a connection; slower servers are left to the run.
WAIT_S = 2.0

#: Seconds for the handshake of a server that accepts connections.
HANDSHAKE_S = 5.0

#: Seconds for which a result is reused, so that a sweep's jobs share it.
BELIEVED_S = 10

_DEFAULT_PORTS = {"http": 80, "https": 443}


def unreachable(models: Iterable[Model]) -> list[str]:
    """Return a sentence for each keyless server of these models that refuses connections."""
    problems = []
    for model in models:
        provider = model.provider
        if provider is None or provider.api_base is None or provider.api_key_env is not None:
            continue
        address = urlsplit(provider.api_base)
        host, port = address.hostname, address.port or _DEFAULT_PORTS.get(address.scheme)
        if host is None or port is None or _uses_a_proxy():
            continue
        moment = int(time.monotonic() / BELIEVED_S)
        why = _refusal(host, port, moment)
        if why is None and address.scheme == "https":
            why = _no_tls(host, port, moment)
        if why is not None:
            problems.append(
                f"{model.name}: nothing can be asked at {host}:{port} ({why}). Start the server, "
                f"correct its address, or skip this check with probe=false."
            )
    return problems


def _uses_a_proxy() -> bool:
    from urllib.request import getproxies  # slow to import, and most models need a key

    return bool(getproxies().keys() - {"no"})


@functools.lru_cache(maxsize=256)
def _refusal(host: str, port: int, _moment: int) -> str | None:
    try:
        socket.create_connection((host, port), timeout=WAIT_S).close()
    except TimeoutError:
        return None
    except OSError as error:
        return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
    return None


@functools.lru_cache(maxsize=256)
def _no_tls(host: str, port: int, _moment: int) -> str | None:
    """Return why TLS fails there, or None; certificates are checked by the later calls."""
    import ssl

    try:
        with socket.create_connection((host, port), timeout=WAIT_S) as plain:
            plain.settimeout(HANDSHAKE_S)
            ssl.create_default_context().wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError:
        return None
    except TimeoutError:
        return f"no TLS handshake within {HANDSHAKE_S:g} s; is it http://?"
    except ssl.SSLError as error:
        return f"no TLS handshake, {error.reason}; is it http://?"
    except OSError:
        return "the connection was closed at the TLS handshake; is it http://?"
    return None
