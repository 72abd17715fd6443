"""A real server for tests and benchmarks: the OpenAI chat protocol on the loopback interface.

Run as a process of its own (``python -m tests.loopback.server`` or by ``LoopbackServer``); it
prints its port on the first line and ends when its standard input closes, so it never outlives
its parent. Plain asyncio instead of a web framework, for two reasons: faults on the level of
bytes, and enough speed that a benchmark measures the client.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import orjson

if __package__ in (None, ""):  # started by path, from any directory
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.loopback.arrival import StampingListener
from tests.loopback.behaviour import Behaviour, Fault, Recorded, error_body, error_status

Json = dict[str, Any]
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


class State:
    """What all connections share: behaviour, counters and the log."""

    def __init__(self, settings: Json) -> None:
        self.behaviour = Behaviour(settings)
        self.reset()

    def reset(self) -> None:
        self.log: list[Json] = []
        self.latencies: list[float] = []
        self.requests = 0
        self.completed = 0
        self.connections = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.statuses: dict[str, int] = {}

    def stats(self) -> Json:
        ordered = sorted(self.latencies)

        def at(share: float) -> float | None:
            return ordered[int(share * (len(ordered) - 1))] if ordered else None

        return {
            "requests": self.requests,
            "completed": self.completed,
            "connections": self.connections,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "statuses": self.statuses,
            "latency_p50_s": at(0.50),
            "latency_p95_s": at(0.95),
            "latency_p99_s": at(0.99),
            "cpu_s": time.process_time(),
        }


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, kept alive; one request at a time."""

    transport: asyncio.Transport

    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = b""
        self.arrived = 0.0
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.state.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        # Of the newest bytes. Under load they wait in the system's buffer before this runs.
        stamped = self.transport.get_extra_info("socket")._sock
        self.arrived = stamped.arrived or time.monotonic()
        if self.task is None:
            self._next()

    def _next(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        total = end + 4 + int(headers.get("content-length", 0))
        if len(self.buffer) < total:
            return
        body, self.buffer = self.buffer[end + 4 : total], self.buffer[total:]
        method, path, _ = first.split(" ", 2)
        self.task = asyncio.get_running_loop().create_task(self._serve(method, path, headers, body))
        self.task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self.task = None
        if not task.cancelled() and (error := task.exception()):
            self._write(500, {"error": {"message": f"loopback server bug: {error!r}"}})
        if self.buffer and not self.transport.is_closing():
            self._next()

    async def _serve(self, method: str, path: str, headers: Json, body: bytes) -> None:
        path, _, query = path.partition("?")
        if path.endswith("/chat/completions"):
            await self._chat(path, query, headers, body)
        elif path.startswith("/admin/"):
            self._admin(path, body)
        elif path.endswith("/models"):
            self._write(200, {"object": "list", "data": [{"id": "loopback", "object": "model"}]})
        else:
            self._write(404, {"error": {"message": f"no such path: {method} {path}"}})

    def _admin(self, path: str, body: bytes) -> None:
        state = self.state
        if path == "/admin/set":
            try:
                state.behaviour.update(orjson.loads(body))
            except (ValueError, TypeError) as error:
                self._write(400, {"error": {"message": str(error)}})
                return
        elif path == "/admin/reset":
            state.reset()
        elif path == "/admin/log":
            self._write(200, {"log": state.log})
            return
        self._write(200, state.stats())

    async def _chat(self, path: str, query: str, headers: Json, raw: bytes) -> None:
        state = self.state
        arrived = self.arrived
        arrived_at = time.time() - (time.monotonic() - arrived)
        state.requests += 1
        state.in_flight += 1
        state.max_in_flight = max(state.max_in_flight, state.in_flight)
        entry: Json = {"arrived_at": arrived_at, "completed_at": None, "latency_s": None}
        detail = state.behaviour.settings["log"]
        body = orjson.loads(raw)
        if detail == "full":
            entry |= {"path": path, "query": query, "headers": headers, "body": body}
        if detail != "off":
            state.log.append(entry)
        try:
            entry["status"] = await self._answer(body, headers)
        finally:
            state.in_flight -= 1
        entry["completed_at"] = time.time()
        entry["latency_s"] = time.monotonic() - arrived
        state.latencies.append(entry["latency_s"])
        state.completed += 1
        status = str(entry["status"])
        state.statuses[status] = state.statuses.get(status, 0) + 1

    async def _answer(self, body: Json, headers: Json) -> int:
        """Wait, then answer or fail; returns the status that was sent, 0 for a dropped line."""
        behaviour = self.state.behaviour
        fault = behaviour.fault(str(body.get("model")))
        kind = fault.kind if fault else ""
        if (delay := behaviour.latency()) > 0:
            await asyncio.sleep(delay)
        key = behaviour.settings["key"]
        authorization = headers.get("authorization", "")
        if key is not None and authorization != f"Bearer {key}":
            self._write(401, error_body(Fault(status=401), authorization))
            return 401
        if behaviour.recorded is not None:
            return await self._replay(behaviour.recorded)
        if fault and kind == "body":
            return await self._replay(Recorded(fault.body, content_type=fault.content_type))
        if fault and kind in ("status", "context", "quota"):
            return self._fail(fault, authorization)
        if kind == "stall":
            await asyncio.Event().wait()
        if kind == "drop_before":
            self.transport.abort()
            return 0
        if kind == "not_json":
            self._send(200, b"<html>not JSON at all</html>", "text/html")
            return 200
        message, finish = behaviour.message(body, fault)
        usage = behaviour.usage(body, str(message["content"] or ""))
        head = {
            "id": f"chatcmpl-{self.state.requests}",
            "created": int(time.time()),
            "model": behaviour.settings["served_model"] or body.get("model"),
        }
        if body.get("stream"):
            await self._stream(body, head, message, finish, usage, fault)
            return 200
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        answer = {
            **head,
            "object": "chat.completion",
            "choices": [] if kind == "no_choices" else [choice],
        }
        if usage is not None:
            answer["usage"] = usage
        if fault and kind in ("drop_mid", "drip"):
            await self._slowly(orjson.dumps(answer), fault)
        else:
            self._write(200, answer)
        return 200

    def _fail(self, fault: Fault, authorization: str) -> int:
        extra = {}
        if fault.retry_after is not None:
            extra["Retry-After"] = f"{fault.retry_after:g}"
        if fault.retry_after_date is not None:
            extra["Retry-After"] = fault.retry_after_date
        status = error_status(fault)
        self._write(status, error_body(fault, authorization), extra)
        return status

    async def _replay(self, recorded: Recorded) -> int:
        """Send a recorded response; each piece is a write of its own."""
        parts = recorded.split()
        chunked, length = recorded.framing == "chunked", None
        if recorded.framing in ("length", "cut"):
            length = sum(map(len, parts)) + (recorded.framing == "cut")
        close = {"Connection": "close"} if recorded.framing in ("close", "cut") else {}
        head = _head(recorded.status, length, recorded.content_type, recorded.headers | close)
        if recorded.framing == "close":
            head = head.replace(b"Transfer-Encoding: chunked\r\n", b"")
        self.transport.write(head)
        for part in parts:
            self._chunk(part) if chunked else self.transport.write(part)
            await asyncio.sleep(0)  # the other side may read between any two
        if chunked:
            self.transport.write(b"0\r\n\r\n")
        if close:
            self.transport.close()
        return recorded.status

    async def _slowly(self, payload: bytes, fault: Fault) -> None:
        """Half of an answer and then nothing, or one byte at a time."""
        self.transport.write(_head(200, len(payload), "application/json"))
        if fault.kind == "drop_mid":
            self.transport.write(payload[: len(payload) // 2])
            await asyncio.sleep(0.02)
            self.transport.abort()
            return
        for byte in payload:
            self.transport.write(bytes((byte,)))
            await asyncio.sleep(fault.drip_s)

    async def _stream(
        self,
        body: Json,
        head: Json,
        message: Json,
        finish: str,
        usage: Json | None,
        fault: Fault | None,
    ) -> None:
        settings = self.state.behaviour.settings
        kind = fault.kind if fault else ""
        self.transport.write(_head(200, None, "text/event-stream"))
        head = {**head, "object": "chat.completion.chunk"}
        deltas: list[Json] = [{"role": "assistant"}]
        text = message["content"] or ""
        for name in ("reasoning_content", "reasoning", "refusal"):
            if message.get(name):
                deltas += [{name: piece} for piece in _pieces(message[name], settings["chunks"])]
        deltas += [{"content": piece} for piece in _pieces(text, settings["chunks"])]
        if kind == "no_choices":
            deltas = []
        for at, delta in enumerate(deltas):
            if at and settings["chunk_s"]:
                await asyncio.sleep(settings["chunk_s"])
            self._event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            if kind == "drop_mid" and at == len(deltas) // 2:
                await asyncio.sleep(0.02)
                self.transport.abort()
                return
            if fault and kind == "drip":
                await asyncio.sleep(fault.drip_s)
        if kind != "no_choices":
            self._event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if usage is not None and (body.get("stream_options") or {}).get("include_usage"):
            self._event({**head, "choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self.transport.write(b"0\r\n\r\n")

    def _event(self, event: Json) -> None:
        self._chunk(b"data: " + orjson.dumps(event) + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.transport.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _write(self, status: int, answer: Json, extra: dict[str, str] | None = None) -> None:
        self._send(status, orjson.dumps(answer), "application/json", extra)

    def _send(
        self, status: int, payload: bytes, kind: str, extra: dict[str, str] | None = None
    ) -> None:
        if not self.transport.is_closing():
            self.transport.write(_head(status, len(payload), kind, extra) + payload)


def _head(status: int, length: int | None, kind: str, extra: dict[str, str] | None = None) -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    more = "".join(f"{name}: {value}\r\n" for name, value in (extra or {}).items())
    reason = REASONS.get(status, "Error")
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n{size}\r\n{more}\r\n".encode()


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[at : at + size] for at in range(0, len(text), size)]


async def main() -> None:
    """Serve until standard input closes."""
    loop = asyncio.get_running_loop()
    state = State(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    listener = StampingListener(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    server = await loop.create_server(lambda: Connection(state), sock=listener, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    parent_gone = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(parent_gone), sys.stdin)
    await parent_gone.read()


if __name__ == "__main__":
    asyncio.run(main())
