"""Faults in a backend of the user's own: whose code, where, what is kept, how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arena import Ran, finish, run_json, start_arena

PLAYS = "async def generate(self, request): return Reply(text='x')"


def run_with(tmp_path: Path, body: str, *words: str, **environment: str) -> Ran:
    """A run with a backend whose class has this body."""
    (tmp_path / "conf" / "backend").mkdir(parents=True)
    (tmp_path / "conf" / "backend" / "mine.yaml").write_text("_target_: my_backends.Mine\n")
    (tmp_path / "my_backends.py").write_text(
        "from game_reasoning_arena.backends import BaseLLMBackend\n"
        "from game_reasoning_arena.records import Reply\n\n\n"
        f"class Mine(BaseLLMBackend):\n    {PLAYS}\n    {body}\n"
    )
    return finish(
        start_arena(
            "agents.player_0.model=mine_x",
            "trusted_targets=[my_backends]",
            "episodes=2",
            "concurrency=1",
            *words,
            cwd=tmp_path,
            **environment,
        )
    )


def test_a_fault_in_an_answer_ends_the_run_and_says_how_to_go_on(tmp_path: Path) -> None:
    secret = "key-of-mine-0123456789"
    ran = run_with(
        tmp_path, f"async def generate(self, request): return {{}}['{secret}']", MINE_API_KEY=secret
    )
    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err
    assert (
        "error: a fault in the program: KeyError: '[redacted:MINE_API_KEY]' (my_backends.py, "
        "line 7, in generate). arena.log holds the traceback." in ran.out
    )
    assert "nothing was answered: when that is fixed, start it again" in ran.out
    log = (ran.directory / "arena.log").read_text()
    assert "Traceback" in log
    assert 'my_backends.py", line 7' in log
    assert secret not in ran.out + ran.err + log
    told = run_json(ran.directory)
    assert told["status"] == "error"
    assert "KeyError" in told["reason"]
    # Mended, the run goes on.
    file = tmp_path / "my_backends.py"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    again = finish(start_arena("resume", str(ran.directory), cwd=tmp_path))
    assert again.code == 0, again.err
    assert run_json(ran.directory)["episodes"] == {"planned": 2, "forfeit": 2}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("'e2e4'", "Mine.generate gave str, but must return a game_reasoning_arena.records.Reply"),
        ("None", "Mine.generate gave NoneType"),
        ("Reply(text=None)", "Mine.generate gave a Reply whose text is None; it must be a text"),
        ("Reply(text='x', prompt_tokens='5')", "whose prompt_tokens is '5'; it must be a number"),
        ("Reply(text={'x' * 9999: 1})", "whose text is {'xxxxxxxxxxxx...xxxxxxxxxxxxx': 1}; it"),
    ],
)
def test_what_is_no_reply_is_told_with_its_class(tmp_path: Path, given: str, says: str) -> None:
    ran = run_with(tmp_path, f"async def generate(self, request): return {given}")
    assert ran.code == 1
    assert says in ran.out
    assert "Traceback" not in ran.out + ran.err


@pytest.mark.parametrize(
    "body",
    [
        "def generate(self, request): return Reply(text='')",
        "import functools\n    @functools.wraps(print)\n"
        "    def generate(self, request): return Reply(text='')",
    ],
)
def test_a_generate_that_does_not_wait_is_told(tmp_path: Path, body: str) -> None:
    ran = run_with(tmp_path, body)
    assert ran.code == 1
    assert "Mine.generate gave Reply at once; write it as `async def generate(" in ran.out


def test_a_generate_that_hands_on_is_taken(tmp_path: Path) -> None:
    inner = "async def inner(self, request): return Reply(text='x')"
    ran = run_with(tmp_path, f"{inner}\n    def generate(self, r): return self.inner(r)")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("method", ["async def start", "def loading"])
def test_a_fault_in_opening_names_its_place_and_the_log(tmp_path: Path, method: str) -> None:
    ran = run_with(tmp_path, f"{method}(self, *_): return {{}}['gone']")
    assert ran.code == 1
    first, second = ran.err.splitlines()
    assert f"KeyError: 'gone' (my_backends.py, line 7, in {method.split()[-1]})" in first
    log = Path(second.removeprefix("directory: ")) / "arena.log"
    assert "Traceback" in log.read_text()


def test_a_fault_in_closing_takes_nothing_from_the_run(tmp_path: Path) -> None:
    ran = run_with(tmp_path, "async def aclose(self): return {}['gone']")
    assert ran.code == 0
    assert "Mine cannot be closed: KeyError: 'gone' (my_backends.py, line 7, in aclose)" in ran.err
    assert run_json(ran.directory)["episodes"] == {"planned": 2, "forfeit": 2}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def check(self, models): return {}['gone']", "Mine cannot check its models: KeyError"),
        ("def __init__(self): {}['gone']", "backend.mine: Mine cannot be made: KeyError: 'gone'"),
        ("x = )", "which cannot be imported: SyntaxError: unmatched ')' (my_backends.py, line 7)"),
        ("def __init__(self): pass", "Mine.__init__ must call super().__init__(...)"),
        ("x = {}['gone']", "KeyError: 'gone' (my_backends.py, line 7, in Mine)"),
    ],
)
def test_a_fault_before_the_run_is_one_of_its_problems(
    tmp_path: Path, body: str, says: str
) -> None:
    ran = run_with(tmp_path, body, "simulation.game=tic_tac_to")
    assert ran.code == 2
    assert ran.err.startswith("arena: 2 problems, nothing was run:")
    assert says in ran.err
    assert "tic_tac_toe" in ran.err
    assert not (tmp_path / "outputs").exists()


def test_a_fault_in_a_ping_is_told_in_a_line(tmp_path: Path) -> None:
    run_with(tmp_path, "async def generate(self, request): return {}['gone']")
    ran = finish(
        start_arena("doctor", "--ping", "mine_x", "trusted_targets=[my_backends]", cwd=tmp_path)
    )
    assert ran.code == 1
    assert ran.err == (
        "arena: mine_x: a fault in the program: KeyError: 'gone' (my_backends.py, line 7, in "
        "generate).\n"
    )
