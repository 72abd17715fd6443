"""The game loop: chance, seats, hidden information, simultaneous moves, limits, failures."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import orjson
import pytest

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.agents.random_agent import RandomAgent
from game_reasoning_arena.errors import TransientError, UserError
from game_reasoning_arena.recording.decoding import episode_of
from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.records import EpisodeRecord, MoveBy, Request, Status
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.seating import seat_plan, seeds
from tests.arena import Arena, run_json
from tests.simulation.playing import Oracle, first_legal, llm, play, player

TWO_RANDOM = [player("random", "player_0"), player("random", "player_1")]


def timeless(episodes: list[EpisodeRecord]) -> list[EpisodeRecord]:
    return [msgspec.structs.replace(episode, duration_s=0.0) for episode in episodes]


@pytest.mark.parametrize(
    "game",
    [
        "tic_tac_toe",
        "leduc_poker",
        "backgammon",
        "goofspiel(num_cards=4)",
        "negotiation",
        "tarok",
        "repeated_game(stage_game=matrix_pd(),num_repetitions=3)",
    ],
)
def test_the_same_seed_gives_the_same_episodes_whatever_the_concurrency(game: str) -> None:
    simulation = make_simulation({"game": game, "max_moves": 40})
    specs = [
        player("random", f"player_{seat}")
        for seat in range(simulation.players)  # type: ignore[attr-defined]
    ]
    together, _ = play(simulation, specs, episodes=6, seed=3)
    alone, _ = play(
        make_simulation({"game": game, "max_moves": 40}), specs, episodes=6, seed=3, together=False
    )
    other, _ = play(simulation, specs, episodes=6, seed=4)
    assert timeless(together) == timeless(alone)
    assert [e.moves for e in together] != [e.moves for e in other]


@pytest.mark.parametrize(
    ("game", "max_moves"),
    [
        ("tic_tac_toe", 7),
        ("connect_four", None),
        ("kuhn_poker", None),
        ("leduc_poker(players=3)", None),
        ("matrix_pd", None),
        ("goofspiel(num_cards=4)", 3),
        ("chess", 12),
        ("backgammon", 30),
    ],
)
def test_dice_play_as_players_who_are_asked_do(
    game: str, max_moves: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = {"game": game, "max_moves": max_moves}
    seats = make_simulation(conf).players  # type: ignore[attr-defined]
    specs = [player("random", f"player_{seat}") for seat in range(seats)]
    diced, _ = play(conf, specs, episodes=12, seed=5, rotate=True)
    monkeypatch.setattr(RandomAgent, "dice", lambda *_: None)
    asked, _ = play(conf, specs, episodes=12, seed=5, rotate=True)
    assert timeless(diced) == timeless(asked)


@pytest.mark.parametrize("game", ["kuhn_poker", "leduc_poker", "liars_dice", "negotiation"])
def test_both_seat_orders_of_a_pair_get_the_same_chance(game: str) -> None:
    simulation = make_simulation({"game": game})
    plans = simulation.plan(episodes=20, seed=0, rotate=True, players=["a", "b"])
    for first, second in zip(plans[::2], plans[1::2], strict=True):
        assert first.seed == second.seed
        assert (first.seats, second.seats) == (("a", "b"), ("b", "a"))
    specs = [player("random", "a"), player("random", "b")]
    episodes, _ = play(simulation, specs, episodes=20, rotate=True)
    deals = [
        [move.action for move in episode.moves if move.by is MoveBy.CHANCE][:2]
        for episode in episodes
    ]
    assert deals[::2] == deals[1::2]
    if game != "negotiation":
        assert len({tuple(deal) for deal in deals}) > 1


def test_what_is_not_paired_is_said(arena: Arena) -> None:
    def told(*words: str) -> list[str]:
        ran = arena("agents=random_vs_random", *words)
        notes: list[str] = run_json(ran.directory)["unpaired"]
        assert [f"not paired: {note}" in ran.out for note in notes] == [True] * len(notes)
        assert ("not paired" in ran.out) == bool(notes)
        return notes

    assert told("episodes=4") == []
    assert told("episodes=5") == [
        "1 of 3 deals lack a seat order, since 5 episodes are no multiple of 2."
    ]
    (fixed,) = told("episodes=4", "seats=fixed")
    assert "seats=fixed" in fixed
    words = ("simulation=openspiel", "episodes=2")
    assert told(*words, "simulation.game=negotiation") == []
    (inside,) = told(*words, "simulation.game=negotiation(rng_seed=1)")
    assert "a seed that no episode can set" in inside


def test_rotation_with_three_players_gives_everyone_every_seat() -> None:
    plans = seat_plan(episodes=7, seed=5, rotate=True, players=["a", "b", "c"])
    assert [p.seats for p in plans[:3]] == [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")]
    assert [p.seed for p in plans].count(plans[0].seed) == 3
    assert len({p.seed for p in plans}) == 3
    fixed = seat_plan(episodes=7, seed=5, rotate=False, players=["a", "b", "c"])
    assert {p.seats for p in fixed} == {("a", "b", "c")}
    assert len({p.seed for p in fixed}) == 7


def test_seeds_are_distinct_exact_as_doubles_and_do_not_hang_on_how_many() -> None:
    many = seeds(0, 20_000)
    assert len(set(many)) == 20_000
    assert max(many) < 2**53
    assert seeds(0, 10) == many[:10]
    assert not set(seeds(1, 1000)) & set(many)


def test_a_seat_sees_its_own_card_and_never_the_others() -> None:
    oracle = Oracle(first_legal)
    episodes, records = play(
        {"game": "kuhn_poker"}, [llm("player_0"), llm("player_1")], asker=oracle, episodes=12
    )
    cards = {
        e.episode: [int(m.text.removeprefix("Deal:")) for m in e.moves if m.by is MoveBy.CHANCE]
        for e in episodes
    }
    for record in records:
        user = record.messages[1]["content"]
        seen = user.split("What you see now:\n")[1].splitlines()[0]
        assert seen[0] == str(cards[record.episode][record.seat])
        assert set(seen[1:]) <= {"p", "b"}
        assert "Deal" not in user
        assert "chance" not in user


def test_the_full_state_is_refused_where_it_would_show_hidden_cards() -> None:
    with pytest.raises(UserError, match="hidden information"):
        make_simulation({"game": "kuhn_poker", "state": "full"})


@pytest.mark.parametrize("game", ["leduc_poker(players=3)", "oh_hell", "euchre"])
def test_what_a_seat_is_told_hangs_only_on_what_it_may_know(game: str) -> None:
    """Deals that a seat cannot tell apart give it the same prompt."""
    import random

    simulation = make_simulation({"game": game})
    rng = random.Random(0)
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    while state.is_chance_node():
        state.apply_action(rng.choice(state.legal_actions()))
    seat = state.current_player()
    texts = simulation.texts  # type: ignore[attr-defined]
    told = texts.state(state, seat)
    other_seats = {texts.state(state, other) for other in range(state.num_players())}
    assert len(other_seats) > 1
    for _ in range(10):
        assert texts.state(state.resample_from_infostate(seat, rng.random), seat) == told


def test_players_of_a_simultaneous_node_are_asked_together_and_see_nothing_of_it() -> None:
    waiting: set[int] = set()
    most = 0

    class Together:
        async def complete(self, request: Request):  # type: ignore[no-untyped-def]
            nonlocal most
            waiting.add(request.key.seat)
            most = max(most, len(waiting))
            for _ in range(5):
                await asyncio.sleep(0)
            waiting.discard(request.key.seat)
            return await Oracle(first_legal).complete(request)

    game = "repeated_game(stage_game=matrix_pd(),num_repetitions=3)"
    (episode,), records = play({"game": game}, [llm("player_0"), llm("player_1")], asker=Together())
    assert most == 2
    assert [(m.turn, m.seat) for m in episode.moves] == [(t, s) for t in range(3) for s in (0, 1)]
    assert episode.returns == (15.0, 15.0)
    assert episode.winner is None
    first_turn = [r.messages[1]["content"] for r in records if r.turn == 0]
    assert all("Cooperate" not in text.split("Legal moves")[0] for text in first_turn)
    second = next(r for r in records if r.turn == 1)
    assert "player 1: Cooperate" in second.messages[1]["content"]


def test_an_outage_of_one_player_waits_for_the_others_at_the_node() -> None:
    def answer(request: Request):  # type: ignore[no-untyped-def]
        return TransientError("down") if request.key.seat == 0 else first_legal(request)

    (episode,), records = play(
        {"game": "matrix_rps"}, [llm("player_0"), llm("player_1")], asker=Oracle(answer)
    )
    assert episode.status is Status.ERROR
    assert episode.moves == ()
    assert Counter(r.outcome for r in records)[None] == 1
    assert len(records) == 2


@pytest.mark.parametrize("failing", [(0,), (1,), (0, 1)])
def test_everyone_who_fails_in_the_same_turn_forfeits(failing: tuple[int, ...]) -> None:
    """Whoever is asked first must not be the only one to lose by it."""

    def answer(request: Request) -> str:
        return "no" if request.key.seat in failing else first_legal(request)

    players = [llm("player_0"), llm("player_1")]
    (episode,), _ = play({"game": "matrix_rps"}, players, asker=Oracle(answer))
    assert episode.status is Status.FORFEIT
    assert episode.forfeit is not None
    assert episode.forfeit.seats == failing
    assert {one.cause for one in (episode.forfeit, *episode.forfeit.also)} == {"unparsable"}
    assert episode.winner == {0: "player_1", 1: "player_0"}.get(
        failing[0] if len(failing) == 1 else -1
    )
    summary = Summary(players)
    summary.episode(episode)
    rows = {row["seat"]: row for row in summary.rows()}
    for seat in (0, 1):
        failed = seat in failing
        counted = [rows[seat][what] for what in ("forfeits", "losses", "wins")]
        assert counted == [failed, failed, not failed]
    line = orjson.loads(encode(episode))
    assert episode_of(line) == episode
    del line["forfeit"]["also"]  # as earlier versions wrote it
    assert episode_of(line).forfeit == msgspec.structs.replace(episode.forfeit, also=())


def test_the_move_limit_ends_an_episode_with_the_returns_as_they_stand() -> None:
    (episode,), _ = play({"game": "chess", "max_moves": 5}, TWO_RANDOM)
    assert (episode.status, episode.move_limit, episode.turns) == (Status.COMPLETED, True, 5)
    assert episode.returns == (0.0, 0.0)
    (whole,), _ = play({"game": "tic_tac_toe", "max_moves": 9}, TWO_RANDOM)
    assert whole.move_limit is False


def test_chess_begins_with_player_1_and_is_shown_with_its_fen() -> None:
    oracle = Oracle(first_legal)
    (episode,), records = play(
        {"game": "chess", "max_moves": 2}, [llm("player_0"), llm("player_1")], asker=oracle
    )
    assert [m.seat for m in episode.moves] == [1, 0]
    text = records[0].messages[1]["content"]
    assert "8 r n b q k b n r" in text
    assert "FEN: rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1" in text


def test_one_player_and_many() -> None:
    (alone,), _ = play({"game": "catch"}, [player("random", "player_0")])
    assert (alone.status, alone.winner, len(alone.seats)) == (Status.COMPLETED, None, 1)
    five = [player("random", f"player_{seat}") for seat in range(5)]
    (many,), _ = play({"game": "kuhn_poker(players=5)"}, five)
    assert many.returns is not None
    assert len(many.returns) == 5
    assert many.winner == many.seats[many.returns.index(max(many.returns))]


def test_players_who_win_together_have_no_winner() -> None:
    two = [player("random", "player_0"), player("random", "player_1")]
    episodes, _ = play({"game": "tiny_hanabi"}, two, episodes=5)
    assert {e.winner for e in episodes} == {None}
    assert all(e.returns is not None and len(set(e.returns)) == 1 for e in episodes)


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"game": "tic_tac_to"}, "Did you mean 'tic_tac_toe'"),
        ({"game": "kuhn_poker(plyers=2)"}, "no parameter 'plyers'. Did you mean 'players'"),
        ({"game": "kuhn_poker(players=99)"}, "99"),
        ({"game": "kuhn_poker(players=abc)"}, "Expected type: kInt"),
        ({"game": "kuhn_poker("}, "bracket"),
        ({"game": "nfg_game"}, "filename"),
        ({"game": "mfg_garnet"}, "mean-field"),
        ({"game": "crossword"}, "moves have no numbers"),
        ({"game": "hex(board_size=-5)"}, "after 25 moves nobody has a move, though it is not over"),
        ({"game": "hex(board_size=0)"}, "at its beginning nobody has a move"),
        ({"game": "mnk(m=-1,n=2)"}, "cannot be played: the engine says"),
        ({"game": "pig(horizon=0)"}, "it is over before anybody has a move"),
        ({"game": "???"}, "simulation.game is not set"),
        ({}, "simulation.game is not set"),
        ({"game": "chess", "max_moves": 0}, "simulation.max_moves=0"),
        ({"game": "chess", "state": "observatoin"}, "Did you mean"),
        ({"game": "chess", "board": "gird"}, "Did you mean 'grid'"),
        ({"game": "go", "board": "grid"}, "no grid for go"),
        ({"type": "openspeil", "game": "chess"}, "Did you mean 'openspiel'"),
    ],
)
def test_bad_input_is_explained(
    conf: dict[str, object], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as caught:
        make_simulation(conf)
    assert says in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "specs", [TWO_RANDOM, [llm("player_0"), llm("player_1")]], ids=["random", "llm"]
)
def test_who_has_no_move_does_not_forfeit(specs: list[PlayerSpec]) -> None:
    """A board that is larger than the walk before a run is long."""
    with pytest.raises(UserError, match="after 400 moves nobody has a move"):
        play({"game": "hex(board_size=-20)"}, specs, asker=Oracle(first_legal))


@pytest.mark.parametrize(
    ("game", "specs", "says"),
    [
        ("tic_tac_toe", [llm()], "tic_tac_toe has 2 players, but 1 is configured"),
        ("tic_tac_toe", [llm("player_0"), llm("player_1"), llm("player_2")], "~agents.player_2"),
        (
            "kuhn_poker",
            [player("random", f"player_{i}") for i in range(3)],
            "kuhn_poker(players=3)",
        ),
    ],
)
def test_players_that_do_not_fit_are_explained(game: str, specs: list, says: str) -> None:  # type: ignore[type-arg]
    problems = make_simulation({"game": game}).check(specs)
    assert says in " ".join(problems)


def test_a_game_without_text_is_refused_for_those_who_read() -> None:
    simulation = make_simulation({"game": "liars_dice", "state": "observation"})
    assert simulation.check(TWO_RANDOM) == []
    assert "no observation as text" in " ".join(simulation.check([llm(), TWO_RANDOM[1]]))
    simulation = make_simulation({"game": "breakthrough", "state": "information_state"})
    assert "information state" in " ".join(simulation.check([llm(), TWO_RANDOM[1]]))
