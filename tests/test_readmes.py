"""Every snippet of the READMEs is run.

A snippet may follow a comment: ``<!-- file: PATH -->`` puts it into a file there before anything is
run; ``<!-- needs: key -->`` runs it with the loopback server in place of every API provider;
``<!-- needs: ANYTHING ELSE -->`` is only composed (`arena` lines) or compiled (Python).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.commands.table_of_commands import COMMANDS
from tests.loopback import LoopbackServer

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "src/game_reasoning_arena/backends/README.md")
_FENCE = re.compile(
    r"(?:<!--\s*(?P<mark>file|needs):\s*(?P<what>[^>]*?)\s*-->\s*\n)?"
    r"^```(?P<language>\w+)\n(?P<body>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Snippet:
    """A fenced block: its language, text, line, and comment."""

    readme: str
    line: int
    language: str
    body: str
    mark: str
    what: str

    def __str__(self) -> str:
        return f"{Path(self.readme).parent.name or 'top'}:{self.line}"


def snippets(readme: str) -> list[Snippet]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return [
        Snippet(
            readme,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["body"],
            match["mark"] or "",
            match["what"] or "",
        )
        for match in _FENCE.finditer(text)
    ]


ALL = [snippet for readme in READMES for snippet in snippets(readme)]
RUNNABLE = [s for s in ALL if s.mark != "file" and s.language in ("python", "bash")]


def prepare(readme: str, folder: Path) -> dict[str, str]:
    """Put the README's files into a folder; the environment to run its snippets in."""
    for snippet in snippets(readme):
        if snippet.mark == "file":
            path = folder / snippet.what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.body)
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def stand_in(folder: Path, url: str, environment: dict[str, str]) -> None:
    """Let the loopback server take the place of every provider; give each a key."""
    catalog = Catalog.load()
    names = [p.name for p in catalog.providers() if catalog.origin(p.name) != "litellm"]
    names += re.findall(r"^  (\w+):$", _text(folder / "conf/catalog/api_providers.yaml"), re.M)
    providers = {name: {"api_base": url} for name in names}
    late = folder / "conf/provider"  # read after the lists
    late.mkdir(parents=True, exist_ok=True)
    for name, settings in providers.items():
        text = f"# @package provider.{name}\n{yaml.safe_dump(settings)}"
        (late / f"{name}.yaml").write_text(text)
    keys = {p.api_key_env for p in catalog.providers() if p.api_key_env}
    environment.update(dict.fromkeys(keys, "stand-in-key-0123456789"))
    environment["MY_LAB_KEY"] = "stand-in-key-0123456789"


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def arena_lines(body: str) -> list[list[str]]:
    """The words of every `arena` line that starts a run."""
    joined = body.replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in joined.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "arena"]


@pytest.mark.parametrize("snippet", RUNNABLE, ids=str)
def test_a_snippet_runs(snippet: Snippet, tmp_path: Path, loopback: LoopbackServer) -> None:
    environment = prepare(snippet.readme, tmp_path)
    if snippet.mark == "needs" and snippet.what != "key":
        _only_composed(snippet, tmp_path, environment)
        return
    body = snippet.body
    if snippet.mark == "needs":
        stand_in(tmp_path, loopback.url, environment)
        body = body.replace("http://127.0.0.1:8000/v1", loopback.url)
    shell = ["bash", "-euo", "pipefail", "-c", body]
    words = [sys.executable, "-c", body] if snippet.language == "python" else shell
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{snippet.body}\n{done.stdout}\n{done.stderr}"
    if snippet.mark == "needs":
        assert loopback.requests(), "nothing was asked"


def _only_composed(snippet: Snippet, folder: Path, environment: dict[str, str]) -> None:
    if snippet.language == "python":
        compile(snippet.body, str(snippet), "exec")
        return
    for words in arena_lines(snippet.body):
        if words and words[0] in COMMANDS:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "game_reasoning_arena", *words, "--cfg", "job"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}\n{done.stderr}"


@pytest.mark.parametrize("readme", READMES)
def test_the_files_of_a_readme_are_good(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(readme, tmp_path)
    monkeypatch.chdir(tmp_path)
    Catalog.load(files=[s.what for s in snippets(readme) if s.what.endswith("_models.json")])


@pytest.mark.parametrize("readme", READMES)
def test_every_data_snippet_can_be_read(readme: str) -> None:
    for snippet in snippets(readme):
        if snippet.language in ("yaml", "json"):
            assert yaml.safe_load(snippet.body) is not None, str(snippet)


def test_the_readme_of_the_backends_names_every_file_of_interest() -> None:
    text = (ROOT / READMES[1]).read_text()
    for name in re.findall(r"── (\S+)", text):
        assert (ROOT / "src/game_reasoning_arena/backends" / name).is_file(), name
