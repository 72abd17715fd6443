"""A loopback OpenAI-compatible server in a process of its own, for tests and benchmarks.

    with LoopbackServer(latency=0.2, answer="play") as server:
        ...  # talk to server.url, which ends in /v1
        server.set(faults=[{"status": 429, "retry_after": 1, "count": 2}])
        server.requests()  # every chat request it saw, in order of arrival
        server.stats()     # counts and the latencies that the server itself measured
        server.reset()

Settings are described at ``DEFAULTS`` in ``behaviour.py``, faults at ``Fault``.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

Json = dict[str, Any]


class LoopbackServer:
    """Starts the server, sets what it does, reads what it saw."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def __enter__(self) -> Self:
        script = Path(__file__).with_name("server.py")
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", str(script), json.dumps(self._settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": ""},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip():
            self.close()
            raise RuntimeError("the loopback server did not start; its stderr says why")
        self.port = int(line)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address to use as ``api_base``."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def close(self) -> None:
        """Stop the server; it ends by itself when its standard input closes."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def set(self, **settings: Any) -> None:
        """Change settings from the next request on."""
        self._call("set", settings)

    def reset(self) -> None:
        """Forget the requests seen so far; settings stay."""
        self._call("reset")

    def requests(self) -> list[Json]:
        """What came: ``path``, ``headers``, ``body``, ``arrived_at``, ``latency_s``, ``status``."""
        log: list[Json] = self._call("log")["log"]
        return log

    def stats(self) -> Json:
        """Counts (``requests``, ``max_in_flight``, ...) and ``latency_p50_s`` and so on."""
        return self._call("stats")

    def wait_for(self, requests: int, *, limit_s: float = 20.0) -> None:
        """Return when that many chat requests have come."""
        until = time.monotonic() + limit_s
        while self.stats()["requests"] < requests:
            if time.monotonic() > until:
                raise TimeoutError(f"fewer than {requests} requests after {limit_s:g} s")
            time.sleep(0.005)

    def _call(self, what: str, body: Json | None = None) -> Json:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", f"/admin/{what}", json.dumps(body or {}))
            response = connection.getresponse()
            answer: Json = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"]["message"])
        return answer
