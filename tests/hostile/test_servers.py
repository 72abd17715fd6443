"""A server that means harm: bodies without end, waits without end, keys sent back."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.arena import Arena, lines

KEY = "sk-canary-0123456789abcdef"
MOST = 1_000_000
#: Clears a terminal, sets its title, turns text around; a link, a line of a log, a formula.
RUDE = (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r[x](javascript:alert(1)) <script>alert(2)</script>"
    "<img src=x onerror=alert(3)>"
)


class _Handler(BaseHTTPRequestHandler):
    how = ""
    url = ""
    status = 200
    elsewhere = ""
    requests = 0

    def do_POST(self) -> None:
        type(self).requests += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        getattr(self, f"_{type(self).how}")()

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _endless(self) -> None:
        self._head(200, Content_Type="application/json")
        self._pour(b'{"id": "' + b"a" * 65536)

    def _endless_error(self) -> None:
        self._head(500, Content_Type="application/json")
        self._pour(b"a" * 65536)

    def _endless_stream(self) -> None:
        self._head(200, Content_Type="text/event-stream")
        self._pour(b": " + b"a" * 65536 + b"\n\n")

    def _pour(self, piece: bytes) -> None:
        try:
            while True:
                self.wfile.write(piece)
        except OSError:
            self.close_connection = True

    def _bomb(self) -> None:
        body = gzip.compress(b'{"id": "' + b"a" * (40 * MOST))
        self._head(
            200,
            Content_Type="application/json",
            Content_Encoding="gzip",
            Content_Length=str(len(body)),
        )
        self.wfile.write(body)

    def _big_bomb(self) -> None:
        """2 GB of one letter: blocks that a full flush made independent, so that they repeat."""
        packer = zlib.compressobj(wbits=31)
        head = packer.compress(b'{"id": "') + packer.flush(zlib.Z_FULL_FLUSH)
        block = packer.compress(b"a" * MOST) + packer.flush(zlib.Z_FULL_FLUSH)
        self._head(200, Content_Type="application/json", Content_Encoding="gzip")
        try:
            self.wfile.write(head + block * 2000)
        except OSError:
            self.close_connection = True

    def _moved(self) -> None:
        self._head(self.status, Location=f"{self.elsewhere}/chat/completions", Content_Length="0")

    def _rude_error(self) -> None:
        body = json.dumps({"error": {"message": RUDE}}).encode()
        self._head(400, Content_Type="application/json", Content_Length=str(len(body)))
        self.wfile.write(body)

    def _rude_answer(self) -> None:
        message = {"role": "assistant", "content": f"{RUDE}\nFinal Answer: Bet"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"model": RUDE, "choices": [choice], "object": "chat.completion"})
        self._head(200, Content_Type="application/json", Content_Length=str(len(body)))
        self.wfile.write(body.encode())

    def _wait(self) -> None:
        self._head(429, Retry_After="99999999", Content_Length="0")

    def _echo(self) -> None:
        data = f"a{KEY}".encode()
        forms = [KEY, base64.b64encode(data).decode(), data.hex(), KEY.replace("-", "%2D")]
        message = {"role": "assistant", "content": f"{' '.join(forms)}\nFinal Answer: Bet"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = json.dumps({"model": forms[1], "choices": [choice], "object": "chat.completion"})
        self._head(200, Content_Type="application/json", Content_Length=str(len(body)))
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[type[_Handler]]:
    class handler(_Handler):
        requests = 0

    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{running.server_port}/v1"
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield handler
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def server() -> Iterator[type[_Handler]]:
    with serving() as handler:
        yield handler


@pytest.fixture
def other_server() -> Iterator[type[_Handler]]:
    with serving() as handler:
        yield handler


def words(server: type[_Handler], backend: str) -> tuple[str, ...]:
    return (
        f"+provider.lab.api_base={server.url}",
        f"agents.player_0.model={backend}_lab/small",
        "simulation=kuhn_poker",
        "episodes=2",
        "hydra.run.dir=run",
        f"backend.{backend}.backoff_s=0.01",
        "probe=false",
    )


@pytest.mark.parametrize("backend", ["direct", "litellm"])
@pytest.mark.parametrize("how", ["endless", "endless_error", "endless_stream", "bomb"])
def test_a_body_without_end_fails_its_call_and_not_the_run(
    arena: Arena, server: type[_Handler], backend: str, how: str
) -> None:
    server.how = how
    ran = arena(*words(server, backend), f"backend.{backend}.most_bytes={MOST}")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    answers = lines(Path("run/responses.jsonl"))
    assert len(answers) == server.requests  # none was tried again
    assert all(f"longer than {MOST} bytes" in line["error"]["message"] for line in answers)
    assert len(lines(Path("run/episodes.jsonl"))) == 2


_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("backend", ["direct", "litellm"])
def test_a_bomb_takes_no_more_memory_than_a_body_may(
    server: type[_Handler], tmp_path: Path, backend: str
) -> None:
    server.how = "big_bomb"
    limit = 50 * MOST
    command = [sys.executable, "-m", "game_reasoning_arena", *words(server, backend)]
    # Measured by a small process: a child's peak counts what the one that started it took.
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURED, *command, f"backend.{backend}.most_bytes={limit}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"longer than {limit} bytes" in measured.stdout + measured.stderr
    peak = int(measured.stdout.splitlines()[-1]) * 1024
    assert peak < 500 * MOST + 4 * limit  # the program itself takes 150 to 300


@pytest.mark.parametrize("backend", ["direct", "litellm"])
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirection_is_refused_and_named(
    arena: Arena,
    server: type[_Handler],
    other_server: type[_Handler],
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    status: int,
) -> None:
    monkeypatch.setenv("LAB_API_KEY", KEY)
    server.how, server.status = "moved", status
    other_server.how = "echo"
    server.elsewhere = other_server.url.replace("127.0.0.1", "localhost")
    ran = arena(*words(server, backend), "+provider.lab.api_key_env=LAB_API_KEY")
    assert ran.code == 1
    assert other_server.requests == 0
    answers = lines(Path("run/responses.jsonl"))
    assert len(answers) == server.requests  # every request is recorded, none was repeated
    for line in answers:
        assert str(status) in line["error"]["message"]
        assert server.elsewhere in line["error"]["message"]


def _raw(text: str) -> list[str]:
    """Characters that a terminal obeys or that turn text around."""
    return [c for c in text if (ord(c) < 32 and c not in "\n\t") or ord(c) in (0x9B, 0x202E)]


@pytest.mark.parametrize("backend", ["direct", "litellm"])
@pytest.mark.parametrize("how", ["rude_error", "rude_answer"])
def test_what_a_server_sends_is_shown_and_not_obeyed(
    arena: Arena, server: type[_Handler], tmp_path: Path, backend: str, how: str
) -> None:
    server.how = how
    ran = arena(*words(server, backend))
    for command in (
        ["compare", "run", "--all", "--csv", "a.csv", "--markdown", "a.md", "--latex", "a.tex"],
        ["report", "run"],
        ["replay", "run"],
    ):
        shown = arena(*command)
        assert _raw(shown.out + shown.err) == []
    assert _raw(ran.out + ran.err) == []
    for name in ("run/arena.log", "run/summary.csv", "a.csv", "a.md", "a.tex", "run/report.html"):
        assert _raw(Path(name).read_text()) == [], name
    markdown = Path("a.md").read_text()
    assert "<script" not in markdown
    assert "[x](" not in markdown.replace("\\[", "")


def test_a_wait_beyond_the_deadline_fails_at_once_and_says_so(
    arena: Arena, server: type[_Handler]
) -> None:
    server.how = "wait"
    ran = arena(*words(server, "direct"))
    assert ran.code == 1
    answers = lines(Path("run/responses.jsonl"))
    assert answers
    assert "asks to wait 99999999 s" in answers[0]["error"]["message"]
    assert "deadline_s" in answers[0]["error"]["message"]


def test_a_key_that_is_sent_back_is_kept_nowhere(
    arena: Arena,
    server: type[_Handler],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server.how = "echo"
    ran = arena(
        *words(server, "direct"),
        "+provider.lab.api_key_env=LAB_API_KEY",
        "cache=reuse",
    )
    assert ran.code == 0, ran.err
    assert arena("report", "run").code == 0
    store = tmp_path / "cache" / "game_reasoning_arena" / "responses.sqlite"
    assert store.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(store) as database:
        [(stored,)] = database.execute("SELECT count(*) FROM reply")
    assert stored
    forms = (KEY, KEY.encode().hex(), base64.b64encode(KEY.encode()).decode()[4:-4])
    shifted = base64.b64encode(f"a{KEY}".encode()).decode()[4:-4]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for form in (*forms, shifted):
            assert form.encode() not in content, path
    assert KEY not in ran.out + ran.err
