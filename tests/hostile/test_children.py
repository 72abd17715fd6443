"""No child process that needs no key gets one, whichever part of the program starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.arena import finish, start_arena

KEYS = {
    "OPENAI_API_KEY": "sk-canary-openai-0123456789",
    "AWS_SECRET_ACCESS_KEY": "sk-canary-aws-0123456789",
    "SERVICE_KEY_2": "sk-canary-numbered-0123456789",
    "PGPASSWORD": "sk-canary-password-0123456789",
    "COPY_OF_IT": "sk-canary-openai-0123456789",
    "HTTPS_PROXY": "http://user:sk-canary-proxy-0123456789@127.0.0.1:9",
    "THEIRS": "sk-canary-named-0123456789",  # a secret by the word of conf/provider alone
}
RANDOM = ("agents.player_0.type=random", "agents.player_1.type=random", "episodes=2")


class Children:
    """Has every Python process and every named program write down what it was started with."""

    def __init__(self, folder: Path, *programs: str) -> None:
        self._folder = folder
        self._told = folder / "told"
        self._told.mkdir()
        (folder / "conf" / "provider").mkdir(parents=True)
        (folder / "conf" / "provider" / "lab.yaml").write_text("api_key_env: THEIRS\n")
        modules, self._programs = folder / "modules", folder / "programs"
        modules.mkdir()
        self._programs.mkdir()
        (modules / "sitecustomize.py").write_text(
            "import os\n"
            f"name = f'{self._told}/{{os.getpid()}}'\n"
            "with open('/proc/self/environ', 'rb') as mine, open(name, 'ab') as out:\n"
            "    with open('/proc/self/cmdline', 'rb') as line:\n"
            "        out.write(line.read() + b'\\n' + mine.read())\n"
        )
        for name in programs:
            path = self._programs / name
            path.write_text(f"#!/bin/sh\n{{ echo {name}; env; }} >{self._told}/$$\n")
            path.chmod(0o755)
        self._environment = {
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(modules),
            "XDG_CACHE_HOME": str(folder / "cache"),
            **KEYS,
        }

    def of(self, *words: str) -> Mapping[str, bytes]:
        """Run a command; return what each child was started with, by its command line."""
        for file in self._told.iterdir():
            file.unlink()
        process = start_arena(*words, cwd=self._folder, **self._environment)
        ran = finish(process)
        assert ran.code == 0, ran.err
        texts = [
            file.read_bytes() for file in self._told.iterdir() if file.name != f"{process.pid}"
        ]
        found = [text.partition(b"\n") for text in texts]
        return {command.replace(b"\0", b" ").decode(): told for command, _, told in found}


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path, "uname", "git")


def names_of(children: Mapping[str, bytes], *wanted: str) -> None:
    """Check that these children were seen, and that none had a key."""
    for word in wanted:
        assert [command for command in children if word in command], (word, list(children))
    assert {command for command, told in children.items() if b"canary" in told} == set()
    assert all(b"PATH=" in told for told in children.values())


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@needs_proc
def test_solving_and_provenance_get_no_key(children: Children, tmp_path: Path) -> None:
    words = ("simulation=kuhn_poker", "agents.player_0.type=solver", "agents.player_1.type=random")
    with_solver = children.of(*words, "episodes=2", "hydra.run.dir=run")
    names_of(with_solver, "solving kuhn_poker", "uname")


@needs_proc
def test_judges_get_no_key(children: Children, tmp_path: Path) -> None:
    children.of(*RANDOM, "simulation=kuhn_poker", "hydra.run.dir=run")
    judged = children.of("assess", "run", "--workers", "2")
    names_of(judged, "assessment.worker", "solving kuhn_poker")
