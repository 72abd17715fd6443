"""`arena assess`: what is written beside a run, gone on from, and refused."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.recording.writer import DirectoryLock
from tests.arena import Arena, finish, lines, start_arena

FILES = ("decisions.jsonl", "luck.jsonl", "assessment.json")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path_factory.getbasetemp() / "solutions"
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))


def assessment(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "assessment.json").read_text())
    return content


def test_a_line_per_decision_and_per_seat(arena: Arena) -> None:
    run = arena(
        "simulation=kuhn_poker",
        "agents.player_0.model=scripted_sloppy",
        "agents.player_1.type=solver",
        "on_failure.rethinks=0",
        "episodes=40",
    ).directory
    ran = arena("assess", str(run))
    assert ran.code == 0, ran.err
    decisions, luck = lines(run / "decisions.jsonl"), lines(run / "luck.jsonl")
    episodes = {line["episode"]: line for line in lines(run / "episodes.jsonl")}
    assert len(luck) == 2 * len(episodes)
    forfeits = sum(line["forfeit"] is not None for line in episodes.values())
    assert forfeits > 0
    made = sum(line["turns"] for line in episodes.values()) + forfeits
    assert len(decisions) == made
    told = assessment(run)
    assert told["status"] == "completed"
    assert told["by"] == "solver"
    assert told["known_policies"] == {"player_1": "solver(cfr, 1000 iterations)"}
    assert told["counts"]["decisions"] == made
    assert told["counts"]["forfeit"] == forfeits
    assert 0 < told["evaluator"]["exploitability"] < 1e-3
    for line in decisions:
        episode = episodes[line["episode"]]
        assert line["seed"] == episode["seed"]
        assert line["player"] == episode["seats"][line["seat"]]
        assert line["regret"] == pytest.approx(line["value_best"] - line["value_played"])
        assert line["optimal"] == (line["action"] in line["best"])
    for line in luck:
        known = line["player"] == "player_0"  # whose opponent is the solver
        assert line["method"] == ("known_opponent" if known else "chance")
        assert (line["opponent_luck"] is None) == (not known)
    assert f"{made} decisions in {len(episodes)} episodes" in ran.out


def test_the_same_files_from_any_number_of_processes(arena: Arena, tmp_path: Path) -> None:
    run = arena("simulation=tic_tac_toe", "agents=random_vs_random", "episodes=500").directory
    found = []
    for workers in (None, "1", "2"):
        words = [] if workers is None else ["--workers", workers, "--again"]
        for name in FILES:
            (run / name).unlink(missing_ok=True)
        assert arena("assess", str(run), *words).code == 0
        found.append([(run / name).read_bytes() for name in FILES[:2]])
    assert found[0] == found[1] == found[2]


def test_it_goes_on_where_it_was_cut(arena: Arena) -> None:
    run = arena("simulation=kuhn_poker", "agents=random_vs_random", "episodes=60").directory
    arena("assess", str(run))
    whole = [(run / name).read_bytes() for name in FILES[:2]]
    told = assessment(run)
    # As a kill leaves it: the decisions of an episode without its luck, and torn last lines.
    (run / "decisions.jsonl").write_bytes(whole[0][: int(len(whole[0]) * 0.6)])
    (run / "luck.jsonl").write_bytes(whole[1][: int(len(whole[1]) * 0.5)])
    (run / "assessment.json").write_text(json.dumps({**told, "status": "unfinished"}))
    ran = arena("assess", str(run))
    assert ran.code == 0
    complete = (len(whole[1][: int(len(whole[1]) * 0.5)].splitlines()) - 1) // 2
    assert f"({complete} of them before)" in ran.out
    assert [(run / name).read_bytes() for name in FILES[:2]] == whole
    assert assessment(run)["status"] == "completed"
    ran = arena("assess", str(run))
    assert "(60 of them before)" in ran.out
    assert [(run / name).read_bytes() for name in FILES[:2]] == whole


def test_decisions_that_a_power_failure_took_are_judged_again(arena: Arena) -> None:
    run = arena("simulation=kuhn_poker", "agents=random_vs_random", "episodes=20").directory
    arena("assess", str(run))
    whole = [sorted((run / name).read_bytes().splitlines()) for name in FILES[:2]]
    path = run / "decisions.jsonl"
    path.write_bytes(path.read_bytes()[:-300] + bytes(300) + b'\n{"seat": 0}\n')
    assert arena("assess", str(run)).code == 0
    assert [sorted((run / name).read_bytes().splitlines()) for name in FILES[:2]] == whole


@pytest.mark.parametrize(
    ("name", "left", "word"),
    [
        ("assessment.json", None, "the run counts as not assessed"),
        ("decisions.jsonl", None, "is missing, though the run was assessed"),
        ("luck.jsonl", None, "is missing, though the run was assessed"),
        ("decisions.jsonl", 5, "has lost"),
    ],
)
def test_a_lost_part_of_an_assessment_is_reported(
    arena: Arena, name: str, left: int | None, word: str
) -> None:
    run = arena("simulation=kuhn_poker", "agents=random_vs_random", "episodes=20").directory
    arena("assess", str(run))
    whole = [sorted((run / name).read_bytes().splitlines()) for name in FILES[:2]]
    assert notices(arena, run) == []
    kept = b"".join((run / name).read_bytes().splitlines(keepends=True)[:left]) if left else b""
    (run / name).unlink()
    if left is not None:
        (run / name).write_bytes(kept)
    [notice] = notices(arena, run)
    for part in (f"{run / name} ", word, f"`arena assess {run}` makes it again"):
        assert "".join(part.split()) in notice
    assert arena("assess", str(run)).code == 0
    assert [sorted((run / name).read_bytes().splitlines()) for name in FILES[:2]] == whole
    assert notices(arena, run) == []


def notices(arena: Arena, run: Path) -> list[str]:
    """What `compare --all` says of the files that it shows, without the breaks of its lines."""
    ran = arena("compare", "--all", str(run))
    assert ran.code == 0
    paragraphs = re.split(r"\n(?=note: )|\n\n", ran.out)
    return ["".join(p.split()) for p in paragraphs if p.startswith("note: ")]


def test_a_resumed_run_is_assessed_for_what_is_new(arena: Arena) -> None:
    run = arena("simulation=kuhn_poker", "agents=random_vs_random", "episodes=10").directory
    arena("assess", str(run))
    assert arena("resume", str(run), "episodes=30").code == 0
    ran = arena("assess", str(run))
    assert "in 30 episodes (10 of them before)" in ran.out
    assert len(lines(run / "luck.jsonl")) == 60


def test_a_real_interruption_keeps_what_is_there(arena: Arena, tmp_path: Path) -> None:
    game = ("simulation=openspiel", "simulation.game=hex(board_size=4)")
    run = arena(*game, "agents=random_vs_random", "episodes=40").directory.resolve()
    words = ("assess", str(run), "--by", "mcts", "--simulations", "50", "--workers", "2")
    process = start_arena(*words, cwd=tmp_path)
    while not (run / "luck.jsonl").exists() or not (run / "luck.jsonl").read_bytes():
        time.sleep(0.05)
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert assessment(run)["status"] == "unfinished"
    ran = finish(start_arena(*words, cwd=tmp_path))
    assert ran.code == 0
    assert "of them before)" in ran.out
    assert len(lines(run / "luck.jsonl")) == 80
    assert len({(d["episode"], d["turn"]) for d in lines(run / "decisions.jsonl")}) == len(
        lines(run / "decisions.jsonl")
    )


def test_other_evaluators_do_not_mix(arena: Arena) -> None:
    run = arena("simulation=tic_tac_toe", "agents=random_vs_random", "episodes=4").directory
    arena("assess", str(run))
    before = (run / "decisions.jsonl").read_bytes()
    ran = arena("assess", str(run), "--by", "mcts", "--simulations", "20")
    assert ran.code == 2
    assert "by: solver then, mcts now" in ran.err
    assert "--again" in ran.err
    assert (run / "decisions.jsonl").read_bytes() == before
    assert arena("assess", str(run), "--by", "mcts", "--simulations", "20", "--again").code == 0
    assert {line["evaluator"] for line in lines(run / "decisions.jsonl")} == {"mcts"}
    ran = arena("assess", str(run), "--by", "mcts", "--simulations", "30")
    assert "settings.simulations: 20 then, 30 now" in ran.err


def test_sweeps_and_globs(arena: Arena) -> None:
    arena("-m", "simulation=kuhn_poker,tic_tac_toe", "episodes=4", "hydra.sweep.dir=sweep")
    assert arena("assess", "sweep").code == 0
    assert [assessment(p.parent)["by"] for p in Path("sweep").glob("*/run.json")] == ["solver"] * 2
    arena("simulation=matrix_pd", "episodes=4", "hydra.run.dir=sweep2/pd")
    arena("simulation=kuhn_poker", "episodes=4", "hydra.run.dir=sweep2/kuhn")
    ran = arena("assess", "sweep2/*")
    assert ran.code == 1  # what can be assessed is, and what cannot is named
    assert "pd cannot be assessed: no evaluator fits matrix_pd" in ran.err
    assert "players move at the same time" in ran.err
    assert assessment(Path("sweep2/kuhn"))["status"] == "completed"


def test_a_solver_with_its_table_and_paths_of_the_run(arena: Arena, tmp_path: Path) -> None:
    table = {text: {"Pass": 0.5, "Bet": 0.5} for text in ("0", "1", "2")}
    table |= {f"{card}{then}": {"Pass": 0.5, "Bet": 0.5} for card in "012" for then in ("p", "b")}
    table |= {f"{card}pb": {"Pass": 0.5, "Bet": 0.5} for card in "012"}
    Path("table.json").write_text(json.dumps(table))
    words = ("agents.player_1.type=policy", "agents.player_1.table=table.json")
    run = arena("simulation=kuhn_poker", *words, "episodes=6").directory.resolve()
    ran = finish(start_arena("assess", str(run), cwd=tmp_path.parent))  # elsewhere
    assert ran.code == 0, ran.err
    assert "player_1" in assessment(run)["known_policies"]
    Path("table.json").write_text(json.dumps({**table, "0": {"Pass": 1.0}}))
    for name in FILES:
        (run / name).unlink()
    ran = arena("assess", str(run))
    assert "player_1 counts as unknown: its policy table" in ran.out
    assert "was changed since" in ran.out


def nothing_written(directory: Path) -> bool:
    return not any((directory / name).exists() for name in FILES)


def test_what_cannot_be_assessed_is_said_in_a_sentence(arena: Arena) -> None:
    Path("p.txt").write_text("one\ntwo\n")
    prompts = arena("simulation=prompts", "simulation.file=p.txt", "agents=llm").directory
    ran = arena("assess", str(prompts))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "is a run of prompts" in ran.err
    assert nothing_written(prompts)

    run = arena("simulation=kuhn_poker", "agents=random_vs_random", "episodes=4").directory
    with DirectoryLock(run):
        ran = arena("assess", str(run))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "is in progress" in ran.err
    assert nothing_written(run)

    for words, said in (
        (("--by", "uci"), "a UCI engine plays chess, not kuhn_poker"),
        (("--by", "mcts"), "would see what is hidden"),
        (("--by", "connect_four"), "it solves the usual connect_four"),
        (("--by", "solvr"), "Did you mean 'solver'"),
        (("--simulations", "0"), "--simulations 0 must be at least 1"),
    ):
        ran = arena("assess", str(run), *words)
        assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
        assert said in ran.err
        assert nothing_written(run)

    chess = arena(
        "simulation=chess", "simulation.max_moves=4", "agents=random_vs_random", "episodes=1"
    ).directory
    ran = arena("assess", str(chess), "--engine", "/no/such/engine")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "'/no/such/engine' is not installed" in ran.err
    assert nothing_written(chess)


def test_moves_that_do_not_replay(arena: Arena) -> None:
    run = arena("simulation=tic_tac_toe", "agents=random_vs_random", "episodes=3").directory
    original = lines(run / "episodes.jsonl")

    def broken(change: Any) -> str:
        changed = json.loads(json.dumps(original))
        change(changed[1])
        text = "".join(json.dumps(line) + "\n" for line in changed)
        (run / "episodes.jsonl").write_text(text)
        ran = arena("assess", str(run))
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert nothing_written(run)
        return ran.err

    assert "episode 1 does not replay at move 0" in broken(
        lambda line: line["moves"][0].update(text="x(9,9)")
    )
    assert "there is no such move there" in broken(
        lambda line: line["moves"][1].update(line["moves"][0], seat=1)
    )
    assert "it is not seat 0 that moves there" in broken(
        lambda line: line["moves"][1].update(seat=0)
    )
    assert "it is not over after its last move" in broken(lambda line: line["moves"].pop())
    assert "is recorded" in broken(lambda line: line.update(returns=[7.0, -7.0]))


def test_an_unfinished_run_is_assessed_as_far_as_it_came(arena: Arena) -> None:
    run = arena("simulation=kuhn_poker", "agents=random_vs_random", "episodes=8").directory
    kept = (run / "episodes.jsonl").read_text().splitlines(keepends=True)
    (run / "episodes.jsonl").write_text("".join(kept[:3]) + kept[3][:20])
    ran = arena("assess", str(run))
    assert ran.code == 0
    assert "in 3 episodes" in ran.out
    (run / "episodes.jsonl").write_text("")
    for name in FILES:
        (run / name).unlink()
    ran = arena("assess", str(run))
    assert ran.code == 2
    assert "holds no episode that came to its end" in ran.err


def test_max_moves_that_may_cut_a_game_leaves_no_exact_value(arena: Arena) -> None:
    run = arena("simulation=tic_tac_toe", "simulation.max_moves=3", "episodes=2").directory
    ran = arena("assess", str(run), "--by", "solver")
    assert ran.code == 2
    assert "simulation.max_moves=3 may end tic_tac_toe before its end" in ran.err


def test_a_game_that_turns_out_not_to_be_solvable_is_searched(arena: Arena) -> None:
    words = ("simulation=openspiel", "simulation.game=pig(winscore=6)", "agents=random_vs_random")
    run = arena(*words, "episodes=2").directory
    ran = arena("assess", str(run), "--by", "solver")
    assert ran.code == 2
    assert f"{run} cannot be assessed: " in ran.err
    assert nothing_written(run)
    assert arena("assess", str(run), "--simulations", "10").code == 0
    assert assessment(run)["by"] == "mcts"
    luck = lines(run / "luck.jsonl")
    assert {line["chance_luck"] for line in luck} == {None}  # dice are not searched
    assert {line["method"] for line in luck} == {"known_opponent"}


def test_a_run_is_assessed_at_its_end(arena: Arena) -> None:
    ran = arena("simulation=kuhn_poker", "agents=llm_vs_solver", "assess=true", "episodes=10")
    assert ran.code == 0
    assert "regret" in ran.out
    assert assessment(ran.directory)["episodes"] == {"assessed": 10, "ended": 10}
    again = arena("resume", str(ran.directory), "episodes=16")
    assert again.code == 0
    assert assessment(ran.directory)["episodes"] == {"assessed": 16, "ended": 16}
    assert arena("replay", str(ran.directory)).code == 0


def test_a_run_that_cannot_be_assessed_is_refused_before_it_begins(
    arena: Arena, tmp_path: Path
) -> None:
    ran = arena("simulation=matrix_pd", "assess=true")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "assess=true: no evaluator fits matrix_pd" in ran.err
    Path("p.txt").write_text("one\n")
    ran = arena("simulation=prompts", "simulation.file=p.txt", "agents=llm", "assess=true")
    assert "assess=true: prompts have no moves to be assessed" in ran.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.txt"]
