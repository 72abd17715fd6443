"""No input is accepted and then ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.catalog.catalog import Catalog
from tests.arena import Arena, summary


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--config-path", "mine"], "--config-dir mine"),
        (["--experimental-rerun", "x.pickle"], "arena replay DIR"),
        (["-m", "seed=1,2", "hydra.sweep.subdir=mine"], "jobs are numbered"),
        (["-m", "seed=1,2", "hydra.run.dir=mine"], "hydra.sweep.dir"),
        (["-m", "seed=1,2", "hydra.sweeper.max_batch_size=1"], "sweep.parallel_jobs"),
        (["model.api_base=http://127.0.0.1:1/v1"], "scripted_random answers in this process"),
        (
            ["agents.player_0.model=scripted_first", "model.api_base=http://127.0.0.1:1/v1"],
            "the address of scripted_random, which nobody plays (scripted_first is asked)",
        ),
    ],
)
def test_a_word_that_would_change_nothing_is_refused(
    arena: Arena, tmp_path: Path, words: list[str], says: str
) -> None:
    ran = arena(*words, "episodes=1")
    assert ran.code == 2
    assert says in ran.err
    assert list(tmp_path.iterdir()) == []


def test_another_programs_conf_is_named_and_does_not_block_the_lists(
    arena: Arena, tmp_path: Path
) -> None:
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/net.yaml").write_text("layers: 18\n_target_: nets.Net\n")
    for command in ("models", "providers"):
        ran = arena(command, "groq")
        assert ran.code == 0
        assert "net.yaml:1" in ran.err
        assert "unknown key 'layers'" in ran.err
        assert "belongs to another program, work in another directory" in ran.err
        assert "groq" in ran.out
    assert arena("episodes=1").code == 2


def test_names_are_texts_whatever_yaml_takes_them_for(tmp_path: Path) -> None:
    listed = tmp_path / "mine.yaml"
    listed.write_text(
        "providers:\n"
        "  no: {api_base: 'http://127.0.0.1:1/v1'}\n"
        "  007: {api_base: 'http://127.0.0.1:2/v1'}\n"
        "models: [direct_no/yes, {name: direct_007/1e3}]\n"
    )
    catalog = Catalog.load([listed])
    for name, provider, model_id in (
        ("direct_no/yes", "no", "yes"),
        ("direct_007/1e3", "007", "1e3"),
    ):
        model = catalog.resolve(name, backends=["direct"])
        assert model.provider is not None
        assert (model.provider.name, model.model_id) == (provider, model_id)


@pytest.fixture
def named_oddly(tmp_path: Path) -> None:
    (tmp_path / "conf/model").mkdir(parents=True)
    for name in ("007", "no", "true", "1e3"):
        (tmp_path / f"conf/model/{name}.yaml").write_text("name: scripted_sloppy\n")
    # What 007 would be as a number.
    (tmp_path / "conf/model/7.yaml").write_text("name: scripted_first\n")


@pytest.mark.usefixtures("named_oddly")
@pytest.mark.parametrize("key", ["model", "agents.player_0.model"])
def test_models_named_like_numbers_are_chosen_by_what_was_typed(arena: Arena, key: str) -> None:
    ran = arena("-m", f"{key}=007,no,true,1e3,7", "episodes=1", "hydra.sweep.dir=swept")
    assert ran.code == 0, ran.err
    played = [row["model"] for run in sorted(Path("swept").glob("[0-9]*")) for row in summary(run)]
    assert [name for name in played if name] == ["scripted_sloppy"] * 4 + ["scripted_first"]


@pytest.mark.usefixtures("named_oddly")
@pytest.mark.parametrize(
    "text",
    [
        "agents: {player_0: {type: llm, model: 007}, player_1: {type: random}}",
        "agents:\n  player_0: &me\n    type: llm\n    model: no\n  player_1: *me",
        "model: 1e3\nagents: {player_0: &me {type: llm, model: '${model.name}'}, player_1: *me}",
    ],
)
def test_a_files_names_are_texts_too(arena: Arena, text: str) -> None:
    Path("mine.yaml").write_text(f"{text}\nepisodes: 1\n")
    ran = arena("--config", "mine.yaml")
    assert ran.code == 0, ran.err
    assert summary(ran.directory)[0]["model"] == "scripted_sloppy"


def test_a_model_that_yaml_reads_as_no_is_to_be_quoted(tmp_path: Path, arena: Arena) -> None:
    (tmp_path / "conf/agents").mkdir(parents=True)
    file = tmp_path / "conf/agents/mine.yaml"
    file.write_text("player_0: {type: llm, model: no}\nplayer_1: {type: random}\n")
    ran = arena("agents=mine")
    assert ran.code == 2
    assert "put the name in quotes" in ran.err
