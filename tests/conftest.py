"""What all tests share: a clean environment and a real loopback server."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from game_reasoning_arena.process.paths import add_conf_dir
from game_reasoning_arena.process.secrets import forget_key_variables
from tests.arena import Arena
from tests.lab import Lab
from tests.loopback import LoopbackServer

# How long an example takes says more of the machine than of the code. The examples are the same
# each time, so that a test fails by the change at hand; `make search` draws others.
hypothesis.settings.register_profile("arena", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile("arena")

# A shell starts what runs in its background deaf to Ctrl-C, and so would be all that tests start
# and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SETTINGS = {"HYDRA_FULL_ERROR", "MAX_TOKENS", "TEMPERATURE", "OPENAI_API_BASE"}


@pytest.fixture(scope="session", autouse=True)
def absl_leaves_captured_output_open() -> None:
    """absl, which OpenSpiel imports, closes the stream it was imported with when logging is
    configured anew; under pytest that stream is the capture itself."""
    from absl import logging as absl_logging

    absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, address or default of the developer's reaches a test: no accidental bill.

    Nor does a configuration directory or a key's variable that an earlier test has named.
    """
    add_conf_dir(None)
    forget_key_variables()
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name in _SETTINGS:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def loopback_process() -> Iterator[LoopbackServer]:
    """One server for all tests of a worker."""
    with LoopbackServer() as server:
        yield server


@pytest.fixture
def loopback(loopback_process: LoopbackServer) -> LoopbackServer:
    """The loopback server with default settings and an empty log."""
    from tests.loopback.behaviour import DEFAULTS

    settings: dict[str, Any] = dict(DEFAULTS)
    loopback_process.set(**settings)
    loopback_process.reset()
    return loopback_process


@pytest.fixture
def arena(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Arena:
    """`arena` in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return Arena(capsys)


@pytest.fixture
def lab(arena: Arena, loopback: LoopbackServer) -> Lab:
    """Runs of a model behind the loopback server."""
    return Lab(arena, loopback)
