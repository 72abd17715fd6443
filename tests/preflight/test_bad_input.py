"""A user's mistakes are reported in plain words, all at once, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.arena import Arena, finish, start_arena

MISTAKES = {
    "group option": (["simulation=tic_tac_to"], ["no simulation called", "tic_tac_toe"]),
    "key": (["episode=3"], ["no setting 'episode'", "'episodes'"]),
    "nested key": (["sampling.temprature=1"], ["'temperature'"]),
    "agent key": (["agents.player_0.modle=x"], ["agents.player_0.modle", "'model'"]),
    "agent type": (["agents.player_1.type=randon"], ["agents.player_1.type", "'random'"]),
    "prefix": (["agents.player_0.model=vlm_x"], ["'vlm_x'", "vllm"]),
    "model": (["model=scripted_randm"], ["'scripted_randm'", "scripted_random"]),
    "model of a provider of the words": (
        ["+provider.lab.api_base=http://127.0.0.1:9/v1", "model=direct_lab/x"],
        ["'direct_lab/x'", "is given to a player: agents.player_0.model=direct_lab/x"],
    ),
    "provider": (["agents.player_0.model=litellm_opnai/x"], ["'opnai'", "openai"]),
    "game": (["simulation.game=tic_tac_to"], ["'tic_tac_to'", "tic_tac_toe"]),
    "game parameter": (["simulation.game=tic_tac_toe(foo=3)"], ["foo"]),
    "type": (["episodes=abc"], ["episodes=abc: give a whole number."]),
    "range": (["sampling.temperature=7"], ["sampling.temperature", "7", "2"]),
    "agent range": (["agents.player_0.sampling.temperature=-1"], ["player_0", "-1"]),
    "count": (["episodes=0"], ["episodes=0"]),
    "policy": (["on_failure.policy=forfiet"], ["'forfeit'"]),
    "missing key": (["agents.player_0.model=litellm_openai/gpt-4o"], ["OPENAI_API_KEY"]),
    "player count": (["+agents.player_2.type=random"], ["2 players", "3"]),
    "prompts file": (["simulation=prompts", "simulation.file=absent.txt"], ["absent.txt"]),
    "directory": (["hydra.run.dir=/proc/nothing/here"], ["/proc"]),
    "broken word": (["a b=c"], ["a b=c"]),
    "type in a sweep": (
        ["-m", "seed=1,2", "episodes=abc,3", "hydra.sweep.dir=o/bad"],
        ["episodes=abc: give a whole number."],
    ),
    "several values": (["seed=1,2"], ["add -m", "arena -m seed=1,2"]),
    "several players": (
        ["agents.player_0.model=a,b"],
        ["arena: agents.player_0.model=a,b: several"],
    ),
    "group of settings": (["budget=5"], ["budget.usd", "budget.tokens", "budget.calls"]),
    "spaces": (["episodes = 5"], ["no spaces", "episodes=5"]),
    "typed setting of an old type": (
        ["agents.player_0.type=random", "agents.player_0.model=x"],
        ["agents.player_0 is of type random"],
    ),
    "dashes": (["--episodes", "3"], ["without dashes: episodes=3"]),
    "half a model name": (["model=gpt-4o"], ["Did you mean 'litellm_openai/gpt-4o'"]),
    "half an agent's model name": (
        ["agents.player_0.model=gpt-4o"],
        ["Did you mean 'litellm_openai/gpt-4o'"],
    ),
    "swept types": (["-m", "seed=a,b"], ["seed=a: give a whole number.", "seed=b"]),
    "number": (["budget.usd=lots"], ["budget.usd=lots: give a number."]),
    "truth": (["agents.player_0.memory=x"], ["agents.player_0.memory=x: give true or false."]),
    "choice": (["seats=rotat"], ["seats=rotat: there is no such choice. Did you mean 'rotate'?"]),
    "null": (["episodes=null"], ["episodes=null: this has no null"]),
    "constraint of a stand-in": (
        ["agents.player_0.constrain_to_legal=true"],
        ["agents.player_0.constrain_to_legal=true: scripted_ models", "cannot constrain"],
    ),
    "constraint in a form that cannot be said": (
        [
            *("+provider.lab.api_base=http://127.0.0.1:1/v1", "agents.player_0.model=direct_lab/m"),
            "agents.player_0.constrain_to_legal=true",
        ],
        ["agents.player_0.constrain_to_legal=true: direct_lab/m", "template=json"],
    ),
    "key that nothing knows": (
        ["+temperature=0"],
        ["temperature is no setting and would change nothing. Did you mean sampling.temperature?"],
    ),
    "misspelt new key": (["+epsodes=3"], ["Did you mean episodes?"]),
    "setting of a group below": (["temperature=0.5"], ["Did you mean sampling.temperature?"]),
    "setting of a player": (["player_0.model=x"], ["Did you mean agents.player_0.model?"]),
    "sampling of a player": (
        ["+agents.player_0.temperature=0.5"],
        ["Did you mean agents.player_0.sampling.temperature?"],
    ),
    "a job twice": (["-m", "seed=1,1"], ["seed=1 stands 2 times in the sweep"]),
    "a run's word in a sweep": (["-m", "seed=1,2", "hydra.run.dir=x"], ["hydra.sweep.dir=..."]),
    "a sweep's word in a run": (["hydra/launcher=slurm"], ["would change nothing without -m"]),
    "too many parts": (["shard=7/20", "episodes=10"], ["5 of them make at most 5 parts"]),
    "too many parts in a sweep": (
        ["-m", "shard=all/20", "episodes=10"],
        ["5 of them make at most 5 parts", "in 15 of 20 jobs"],
    ),
    "template for prompts": (
        ["simulation=prompts", "agents=llm", "agents.player_0.template=json"],
        ["agents.player_0.template: prompts have no moves to show"],
    ),
    "no key": (["episodes:=3"], ["'episodes:' is no name of a setting"]),
    "smile": (["agents.player_0.system_prompt=Well :)"], ["lacks a (", "If it is a text: Quote"]),
    "no list": (["sampling.stop=END"], ["give a list: sampling.stop=[END]"]),
    "no bot": (["agents.player_1.type=bot"], ["player_1.bot is not set", "uniform_random"]),
    "bracket": (["agents.player_0.model=[a"], ["the value lacks a ]"]),
    "one quote": (
        ["agents.player_0.system_prompt=it's"],
        ["one ' without its pair", '"agents.player_0.system_prompt=\\"it\'s\\""'],
    ),
    "comma in a text": (
        ["agents.player_0.system_prompt=Think, then move"],
        ["add -m", "'agents.player_0.system_prompt=\"Think, then move\"'"],
    ),
    "text with signs": (
        ["agents.player_0.system_prompt=play (well)=x"],
        ["cannot be read", "'agents.player_0.system_prompt=\"play (well)=x\"'"],
    ),
    "list for a choice": (["seats=[a]"], ["seats=[a]: give one of: rotate, fixed."]),
    "empty directory": (["hydra.run.dir="], ["hydra.run.dir is empty"]),
    "empty model": (["agents.player_0.model="], ["agents.player_0.model is not set"]),
    "rules of another game": (
        ["simulation.game=chess", "agents.player_1.type=random"],
        ["with the rules of tic_tac_toe shown", "Write simulation=chess,"],
    ),
    "rules of another game in a sweep": (
        ["-m", "simulation.game=tic_tac_toe,chess"],
        ["with the rules of tic_tac_toe shown", "(in 1 of 2 jobs: simulation.game=chess)"],
    ),
    "rules of other parameters": (
        ["simulation=connect_four", "simulation.game=connect_four(rows=5)"],
        ["with the rules of connect_four shown", "Set simulation.rules"],
    ),
    "rules of another game, no preset": (
        ["simulation=kuhn_poker", "simulation.game=nim"],
        ["with the rules of kuhn_poker shown", "simulation=openspiel simulation.game=nim"],
    ),
    "setting of another type": (
        ["agents.player_1.model=scripted_random"],
        ["agents.player_1 is of type random", "agents.player_1.type=llm"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained(arena: Arena, tmp_path: Path, mistake: str) -> None:
    words, told = MISTAKES[mistake]
    ran = arena(*words)
    assert ran.code == 2, ran.out
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) < 25
    for text in told:
        assert text in ran.err
    assert list(tmp_path.iterdir()) == []


def test_all_problems_are_told_at_once(arena: Arena, tmp_path: Path) -> None:
    ran = arena(
        "simulation=tictac",
        "episodes=abc",
        "agents.player_0.model=litellm_openai/gpt-4o",
        "agents.player_1.tpe=x",
        "sampling.temperature=7",
        "seed=-1",
    )
    assert ran.code == 2
    assert "6 problems" in ran.err
    assert list(tmp_path.iterdir()) == []


#: Words, and what each of their problems must tell; nothing but these is told.
MANY = {
    "a model, a type and a template": (
        *["agents.player_0.template=absent.j2", "agents.player_1.type=randon"],
        *["model=scripted_randm"],
        ["no model called 'scripted_randm'", "file 'absent.j2'", "'random'"],
    ),
    "a game beside players": (
        *["agents=llm_vs_llm", "agents.player_0.template=absent.j2", "agents.player_0.votes=0"],
        *["agents.player_1.model=scripted_randm", "simulation.game=tic_tac_to"],
        ["votes=0", "absent.j2", "no game 'tic_tac_to'", "no scripted model 'scripted_randm'"],
    ),
    "all of one player": (
        *["+agents.player_0.foo=3", "agents.player_0.model=xx", "agents.player_0.memory=perhaps"],
        *["agents.player_0.sampling={temperature: 9, max_tokns: 3, top_k: x}"],
        [
            *["player_0.foo", "player_0.memory=perhaps", "'max_tokens'", "sampling.top_k=x: give"],
            *["sampling.temperature is 9", "player_0.model=xx"],
        ],
    ),
    "a search": (
        *["agents=llm_vs_mcts", "agents.player_1.simulations=x", "agents.player_1.rollouts=0"],
        *["agents.player_0.model=xx"],
        ["player_0.model=xx", "player_1.simulations=x: give a whole", "player_1.rollouts=0"],
    ),
    "numbers that no file can hold": (
        *["seed=9223372036854775808", "on_failure.rethinks=99999999999999999999999"],
        ["seed=9223372036854775808: the largest number is 9223372036854775807", "rethinks=9999"],
    ),
    "a list of models": (
        *["catalog.files=[absent.yaml]", "model=mine", "agents.player_1.type=randon", "seed=-1"],
        ["absent.yaml", "seed=-1", "'random'"],
    ),
    "a launcher": (
        *["-m", "seed=1,x", "hydra/launcher=joblb", "agents.player_0.template=absent.j2"],
        ["no hydra/launcher called 'joblb'", "seed=x", "absent.j2"],
    ),
    "a server": (
        *["+provider.lab.api_base=http://127.0.0.1:1/v1", "+provider.lab.max_concurrency=many"],
        *["agents.player_0.model=direct_lab/small", "probe=false", "episodes=0"],
        ["provider.lab.max_concurrency=many: give a whole", "episodes=0"],
    ),
    "options": (*["--episodes=3", "--seed", "4"], ["dashes: episodes=3", "dashes: seed=4"]),
    "a game's settings": (
        *["simulation=openspiel", "simulation.game=chss", "simulation.max_moves=0"],
        *["simulation.state=ful", "simulation.board=gird"],
        ["no game 'chss'", "max_moves=0", "Did you mean 'full'", "Did you mean 'grid'"],
    ),
    "a known game's settings": (
        *["simulation.state=ful", "simulation.board=gird"],
        ["Did you mean 'full'", "Did you mean 'grid'"],
    ),
    "prompts": (
        *["simulation=prompts", "simulation.file=absent.txt", "simulation.repeats=0", "agents=llm"],
        ["absent.txt", "simulation.repeats=0"],
    ),
    "prompts like games": (
        *["simulation=prompts", "agents=llm", "episodes=3", "seats=fixed"],
        ["simulation.limit=N", "prompts have no seats"],
    ),
    "a sweep of prompts like games": (
        *["-m", "simulation=prompts", "agents=llm", "episodes=3", "seats=fixed", "seed=1,2"],
        ["simulation.limit=N", "prompts have no seats"],
    ),
    "numbers of prompts": (
        *["simulation=prompts", "simulation.limit=0", "simulation.repeats=-1", "agents=llm"],
        ["simulation.limit=0 must be at least 1", "simulation.repeats=-1"],
    ),
    "a sweep's words": (
        *["-m", "seed=range(", "episodes=abc,2", "sweep.parallel_jobs=1,2"],
        ["seed=range(", "episodes=abc", "cannot itself be swept"],
    ),
    "a sweep's keys": (
        *["-m", "agents.player_0.model=litellm_openai/gpt-4o,scripted_first", "seed=-1"],
        *["agents.player_1.type=randon"],
        ["OPENAI_API_KEY", "seed=-1", "'random'"],
    ),
    "a sweep's servers and recordings": (
        *["-m", "+provider.lab.api_base=http://127.0.0.1:1/v1", "episodes=0"],
        *["agents.player_0.model=direct_lab/small,replay_absent"],
        ["127.0.0.1:1 (Connection refused)", "no responses.jsonl in absent", "episodes=0"],
    ),
}


@pytest.mark.parametrize("case", MANY)
def test_problems_of_several_kinds_are_told_together(
    arena: Arena, tmp_path: Path, case: str
) -> None:
    *words, told = MANY[case]
    ran = arena(*map(str, words))
    assert ran.code == 2, ran.out
    assert f"{len(told)} problems" in ran.err
    for text in told:
        assert text in ran.err
    assert list(tmp_path.iterdir()) == []


def test_each_job_tells_its_own_questions_that_a_recording_does_not_answer(arena: Arena) -> None:
    there = ("agents=llm_vs_llm", "agents.player_1.model=scripted_first")
    assert arena("hydra.run.dir=there", *there, "episodes=2").code == 0
    ran = arena("-m", there[0], "agents.player_1.model=replay_there", "seed=0,1", "episodes=2,4")
    assert ran.code == 2
    for job in ("seed=0, episodes=4", "seed=1, episodes=2", "seed=1, episodes=4"):
        assert f"the first with {job})" in ran.err or job in ran.err
    assert "3 problems" in ran.err


def test_all_problems_of_a_plain_file_are_told_at_once(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "episodes: abc\nbudget: 3\nexperiment: round_robbin\nsampling: {temprature: 1}\n"
        "agents:\n  player_0: {type: llm, model: scripted_randm, template: absent.j2}\n"
        "  player_1: {type: randon}\n"
    )
    ran = arena("--config", "mine.yaml", "seed=-1")
    assert ran.code == 2
    assert "8 problems" in ran.err
    for text in (
        "episodes=abc: give a whole number",
        "budget=3: budget is a group of settings",
        "'round_robin'",
        "'temperature'",
        "seed=-1",
        "absent.j2",
        "'random'",
        "'scripted_random'",
    ):
        assert text in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_misspelt_max_tokens_is_no_key(arena: Arena) -> None:
    ran = arena("sampling.max_token=50")
    assert ran.code == 2
    assert "Did you mean 'max_tokens'" in ran.err


def test_max_tokens_of_the_environment_is_checked(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_TOKENS", "abc")
    ran = arena()
    assert ran.code == 2
    assert "MAX_TOKENS" in ran.err
    assert "abc" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_blank_key_is_a_missing_key(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    ran = arena("agents.player_0.model=litellm_openai/gpt-4o")
    assert ran.code == 2
    assert "OPENAI_API_KEY" in ran.err


@pytest.mark.parametrize(
    "word",
    [
        "+provider.openai.api_key=canary-key-123456",
        "agents.player_0.api_key=canary-key-123456",
        "agents.player_0.model=sk-canarycanarycanary123456",
        "+provider.x.api_base=http://me:canary-123456@localhost/v1",
    ],
)
def test_a_key_on_the_command_line_is_refused(arena: Arena, tmp_path: Path, word: str) -> None:
    ran = arena(word)
    assert ran.code == 2
    assert "environment variable" in ran.err
    assert "canary" not in ran.out + ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_directory_with_a_run_is_not_written_over(arena: Arena) -> None:
    first = arena("hydra.run.dir=mine", "episodes=1")
    assert first.code == 0, first.err
    ran = arena("hydra.run.dir=mine", "episodes=1")
    assert ran.code == 2
    assert "arena resume" in ran.err


def test_an_unknown_command_names_near_ones(arena: Arena) -> None:
    ran = arena("compar", "x")
    assert ran.code == 2
    assert "'compare'" in ran.err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("broken.json", '{"agents": ', "line 1"),
        ("list.yaml", "- a\n- b\n", "mapping"),
        ("empty.yaml", "", "empty.yaml: holds no setting"),
        ("remarks.yaml", "# seed: 1\n", "remarks.yaml: holds no setting"),
        ("empty.json", "{}", "empty.json: holds no setting"),
        ("typo.yaml", "episods: 3\n", "'episodes'"),
        ("twice.yaml", "episodes: 3\nepisodes: 4\n", "line 2: found duplicate key episodes"),
        ("twice.json", '{"episodes": 3, "episodes": 4}', "the key 'episodes' stands there twice"),
        ("typos.yaml", "episods: 3\nsampling: {temprature: 1}\n", "'temperature'"),
        ("typo.json", '{"agents": {"player_0": {"typ": "llm"}}}', "agents.player_0.typ"),
    ],
)
def test_a_plain_file_with_a_mistake(
    arena: Arena, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    ran = arena("--config", name)
    assert ran.code == 2
    assert told in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_in_place_of_a_system_prompt_is_refused(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "sp.txt").write_text("Be brief.")
    ran = arena("agents.player_0.system_prompt=sp.txt")
    assert ran.code == 2
    assert "system_prompt=sp.txt: there is a file of that name, but" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["sp.txt"]
    for text in ("other.txt", "Read sp.txt.", "x" * 5000, "~nobody/x"):
        said = arena(f"agents.player_0.system_prompt='{text}'", "episodes=1")
        assert said.code == 0, said.err


def test_a_run_is_no_configuration_but_holds_one(arena: Arena) -> None:
    assert arena("hydra.run.dir=mine", "episodes=1").code == 0
    for given in ("mine", "mine/run.json"):
        ran = arena("--config", given)
        assert ran.code == 2
        assert ran.err.endswith("--config mine/config.yaml\n")
    assert arena("--config", "mine/config.yaml").code == 0


@pytest.mark.parametrize("depth", [60, 400, 5000])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_file_nested_too_deep_is_refused(
    arena: Arena, tmp_path: Path, form: str, depth: int
) -> None:
    file = tmp_path / f"deep.{form}"
    file.write_text('{"agents": ' * depth + "1" + "}" * depth)
    ran = arena("--config", file.name)
    assert ran.code == 2
    assert ran.err.startswith(f"arena: --config {file.name}: it is nested ")
    assert " deep" in ran.err
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_number_too_long_to_read_is_refused(arena: Arena, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"long.{form}"
    file.write_text(f'{{"seed": {"9" * 5000}}}')
    ran = arena("--config", file.name)
    assert ran.code == 2
    assert ran.err.startswith(f"arena: --config {file.name}: ")
    assert "digits" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["+who=random", "agents.player_0.type=${...who}"],
        ["+who=random", "agents.player_0.type=${oc.select:who,llm}"],
        ["+who=[random]", "agents.player_0.type=${who[0]}"],
        ["+tag=mine", "hydra.run.dir=out_${tag}"],
        ["-m", "+tag=a,b", "hydra.sweep.dir=out", "agents.player_0.system_prompt=Be ${tag}"],
    ],
)
def test_any_reference_makes_a_key_useful(arena: Arena, words: list[str]) -> None:
    ran = arena(*words, "episodes=1")
    assert ran.code == 0, ran.err


def test_a_key_that_others_refer_to_is_no_mistake(arena: Arena, tmp_path: Path) -> None:
    ran = arena("+who=random", "agents.player_0.type=${who}", "hydra.run.dir=mine")
    assert ran.code == 0, ran.err
    assert "who:" not in (tmp_path / "mine" / "config.yaml").read_text()


def test_a_plain_file_may_choose_options_as_hydra_does(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "defaults: [simulation: kuhn_poker, override /agents: random_vs_random, _self_]\n"
        "simulation: {max_moves: 1}\nepisodes: 2\n"
    )
    ran = arena("--config", "mine.yaml", "hydra.run.dir=run")
    assert ran.code == 0, ran.err
    config = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert config.simulation.game == "kuhn_poker"
    assert config.simulation.max_moves == 1
    assert config.agents.player_0.type == "random"


def test_another_programs_configuration_is_recognised(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("seed: 0\nlearning_rate: 0.1\n")
    ran = arena()
    assert ran.code == 2
    assert "replaces the shipped main configuration" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("simulation/mini.yaml", ["simulation=mini"]),
        ("simulation/mini.yaml", ["-m", "simulation=mini,tic_tac_toe"]),
        ("experiment/brk.yaml", ["experiment=brk"]),
        ("backend/brk.yaml", ["episodes=1"]),
    ],
)
def test_a_broken_file_of_ones_own_is_named(
    arena: Arena, tmp_path: Path, name: str, words: list[str]
) -> None:
    path = tmp_path / "conf" / name
    path.parent.mkdir(parents=True)
    path.write_text("type: x\ngame: [\n")
    ran = arena(*words)
    assert ran.code == 2
    assert f"{name}, line 3: " in ran.err
    assert "Traceback" not in ran.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["conf"]


@pytest.mark.parametrize(
    "words",
    [
        ["agents.player_0.type=random"],
        ["agents.player_0={type: random}"],
        ["agents=llm_vs_mcts", "agents.player_1.type=random"],
        ["agents.player_1={type: llm, model: scripted_first}"],
    ],
)
def test_what_a_preset_set_for_another_type_is_no_mistake(arena: Arena, words: list[str]) -> None:
    ran = arena(*words, "episodes=1")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("begin", ["", "# Mine.\n# @package _global_\n"])
def test_an_experiment_that_does_not_say_where_it_stands(
    arena: Arena, tmp_path: Path, begin: str
) -> None:
    """Hydra reads that from the first line alone."""
    path = tmp_path / "conf" / "experiment" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"{begin}episodes: 3\n")
    ran = arena("experiment=mine")
    assert ran.code == 2
    assert f"experiment=mine: {path} has to begin with the line: # @package _global_" in ran.err
    path.write_text("# @package _global_\nepisods: 3\n")
    assert "'episodes'" in arena("experiment=mine").err


def test_a_wrong_player_is_one_problem(arena: Arena) -> None:
    ran = arena("+agents.player_1.typ=random", "agents.player_0.modle=x")
    assert "configured" not in ran.err
    assert "2 problems" in ran.err


def test_a_misspelt_key_in_a_file_of_ones_own_is_named(arena: Arena, tmp_path: Path) -> None:
    path = tmp_path / "conf" / "simulation" / "mini.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "defaults: [/schema/simulation/openspiel@_here_, _self_]\ngame: tic_tac_toe\nmax_move: 3\n"
    )
    ran = arena("simulation=mini")
    assert ran.code == 2
    assert "'max_move' in simulation. Did you mean 'max_moves'" in ran.err


def test_a_damaged_line_is_one_plain_note(arena: Arena, tmp_path: Path) -> None:
    assert arena("hydra.run.dir=mine", "episodes=1").code == 0
    with (tmp_path / "mine" / "episodes.jsonl").open("a") as file:
        file.write('{"tr\n')
    ran = finish(start_arena("replay", "mine", cwd=tmp_path))
    assert ran.code == 0
    assert ran.err == (
        "note: mine/episodes.jsonl: 1 damaged line left out, the first at line 2 (it is no JSON).\n"
    )
