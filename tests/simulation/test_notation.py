"""Boards and moves in one notation: what is shown is what may be answered."""

from __future__ import annotations

import random
from typing import Any

import pyspiel
import pytest

from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.open_spiel.chess_notation import ChessNames
from game_reasoning_arena.simulation.open_spiel.notations import notation_for


def cell(board: list[str], name: str, column: str) -> str:
    """The mark of a board with column labels on top and row labels at the left."""
    header, *rows = board
    row = next(line.split() for line in rows if line.split()[0] == name)
    return row[1:][header.split().index(column)]


@pytest.mark.parametrize(
    ("game", "split"),
    [
        ("tic_tac_toe", lambda text: (text[2], text[4])),
        ("hex(board_size=5)", lambda text: (text[1:], text[0])),
    ],
)
def test_a_move_changes_the_cell_that_it_names(game: str, split) -> None:  # type: ignore[no-untyped-def]
    simulation = make_simulation({"game": game})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    texts = simulation.texts  # type: ignore[attr-defined]
    rng = random.Random(2)
    while not state.is_terminal():
        seat = state.current_player()
        action = rng.choice(state.legal_actions())
        row, column = split(state.action_to_string(seat, action))
        before = texts.state(state, seat).splitlines()
        assert cell(before, row, column) == "."
        state.apply_action(action)
        after = texts.state(state, seat).splitlines()
        assert cell(after, row, column) == "xo"[seat]


def test_connect_four_numbers_its_columns() -> None:
    simulation = make_simulation({"game": "connect_four"})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    for name in ("x3", "o3", "x6"):
        action = next(
            a
            for a in state.legal_actions()
            if state.action_to_string(state.current_player(), a) == name
        )
        state.apply_action(action)
    lines = simulation.texts.state(state, 0).splitlines()  # type: ignore[attr-defined]
    assert lines[-3:] == [". . . o . . .", ". . . x . . x", "0 1 2 3 4 5 6"]


def test_goofspiels_cards_are_told_apart_and_a_tie_is_nobodys() -> None:
    simulation = make_simulation({"game": "goofspiel"})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    state.apply_action(3)
    state.apply_actions([2, 2])
    state.apply_action(5)
    state.apply_actions([3, 4])
    state.apply_action(11)
    told = simulation.texts.state(state, 0).splitlines()  # type: ignore[attr-defined]
    assert told == [
        "Current point card: 12",
        "Point cards still to come: 1 2 3 5 7 8 9 10 11 13",
        "Bid cards of player 0: 1 2 5 6 7 8 9 10 11 12 13",
        "Bid cards of player 1: 1 2 4 6 7 8 9 10 11 12 13",
        "Point cards won so far, turn by turn: nobody, player 1",
        "Points: player 0 has 0, player 1 has 6",
    ]
    while not state.is_terminal():
        if state.is_chance_node():
            state.apply_action(state.legal_actions()[0])
        else:
            state.apply_actions([state.legal_actions(seat)[0] for seat in (0, 1)])
    assert "to come: none" in simulation.texts.state(state, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("order", "coming"), [("ascending", "2 3 4"), ("descending", "3 2 1"), ("random", "")]
)
def test_goofspiel_in_other_orders_and_with_hidden_bids(order: str, coming: str) -> None:
    game = f"goofspiel(num_cards=4,points_order={order})"
    simulation = make_simulation({"game": game})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    if coming:
        assert f"come: {coming}\n" in simulation.texts.state(state, 0)  # type: ignore[attr-defined]
    hidden = make_simulation({"game": f"goofspiel(num_cards=4,imp_info=True,points_order={order})"})
    state = hidden.game.new_initial_state()  # type: ignore[attr-defined]
    assert "P1 hand" not in hidden.texts.state(state, 0)  # type: ignore[attr-defined]


def test_breakthrough_has_spaces_between_its_squares() -> None:
    simulation = make_simulation({"game": "breakthrough(rows=6,columns=5)"})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    rows = simulation.texts.state(state, 0).splitlines()  # type: ignore[attr-defined]
    assert rows[0] == "6 b b b b b"
    assert rows[2] == "4 . . . . ."
    assert rows[-1] == "  a b c d e"


def test_plain_is_the_engines_own_text() -> None:
    simulation = make_simulation({"game": "tic_tac_toe", "board": "plain"})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    assert simulation.texts.state(state, 0) == "...\n...\n..."  # type: ignore[attr-defined]


def test_one_shot_games_show_their_payoffs_and_repeated_ones_all_rounds() -> None:
    simulation = make_simulation({"game": "matrix_pd"})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    assert simulation.texts.state(state, 1).splitlines() == [  # type: ignore[attr-defined]
        "           Cooperate  Defect",
        "Cooperate  5, 5       0, 10",
        "Defect     10, 0      1, 1",
    ]
    state.apply_actions([0, 1])
    assert "History: 0, 1" in simulation.texts.state(state, 1)  # type: ignore[attr-defined]
    game = "repeated_game(stage_game=matrix_pd(),num_repetitions=3)"
    simulation = make_simulation({"game": game})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    state.apply_actions([0, 1])
    state.apply_actions([1, 1])
    text = simulation.texts.state(state, 0)  # type: ignore[attr-defined]
    assert "Round 0" in text
    assert "Round 1" in text


CASTLING = "8/4P1k1/8/8/8/8/8/R3K2R w KQ - 0 1"
KNIGHTS = "4k3/8/8/8/8/8/8/N3K1N1 w - - 0 1"
CAPTURE = "4k3/8/8/3p4/4P3/8/1B6/4K3 w - - 0 1"


@pytest.mark.parametrize(
    ("fen", "text", "name"),
    [
        (CASTLING, "e1g1", "O-O"),
        (CASTLING, "0-0", "O-O"),
        (CASTLING, "o-o", "O-O"),
        (CASTLING, "0-0-0", "O-O-O"),
        (CASTLING, "e7e8q", "e8=Q"),
        (CASTLING, "e7e8Q", "e8=Q"),
        (CASTLING, "e8Q", "e8=Q"),
        (CASTLING, "e8(Q)", "e8=Q"),
        (CASTLING, "1. e8=Q", "e8=Q"),
        (CASTLING, "Rh7", "Rh7+"),
        (CASTLING, "12. Rh7+!?", "Rh7+"),
        (CASTLING, "Rhh7", "Rh7+"),
        (CASTLING, "Rh1-h7", "Rh7+"),
        (KNIGHTS, "Ngf3", "Nf3"),
        (KNIGHTS, "Ng1f3", "Nf3"),
        (KNIGHTS, "g1f3", "Nf3"),
        (CAPTURE, "ed5", "exd5"),
        (CAPTURE, "e4xd5", "exd5"),
        (CAPTURE, "e4d5", "exd5"),
        (CAPTURE, "1... exd5", "exd5"),
        (CAPTURE, "1\u2026exd5", "exd5"),
        (CAPTURE, "e\u00d7d5", "exd5"),
        (CAPTURE, "EXD5", "exd5"),
        (CAPTURE, "E4D5", "exd5"),
        (CAPTURE, "pawn to e5", "e5"),
        (CAPTURE, "\u2657c3", "Bc3"),
        (KNIGHTS, "knight to f3", "Nf3"),
        (KNIGHTS, "\u265ef3", "Nf3"),
        (CASTLING, "0\u20130", "O-O"),
        (CASTLING, "\u041e-\u041e", "O-O"),
        (CASTLING, "castle queenside", "O-O-O"),
        (CASTLING, "e8=\u2655", "e8=Q"),
        (CASTLING, "E8=QUEEN", "e8=Q"),
    ],
)
def test_chess_moves_in_other_notations(fen: str, text: str, name: str) -> None:
    state = pyspiel.load_game("chess").new_initial_state(fen)
    actions = ChessNames(state, state.legal_actions()).meant(text)
    assert [state.action_to_string(state.current_player(), a) for a in actions] == [name]


@pytest.mark.parametrize("text", ["", "e9", "Qa1", "knight or f3", "e4 e5", "O", "Nf3 or Nc2"])
def test_other_texts_are_no_chess_moves(text: str) -> None:
    state = pyspiel.load_game("chess").new_initial_state(KNIGHTS)
    assert not ChessNames(state, state.legal_actions()).meant(text)


def test_ambiguous_chess_moves_give_all_they_fit() -> None:
    state = pyspiel.load_game("chess").new_initial_state("4k3/8/8/8/8/8/8/R4RK1 w - - 0 1")
    actions = ChessNames(state, state.legal_actions()).meant("Rd1")
    assert len(actions) == 2


def test_every_chess_move_is_found_by_its_other_names() -> None:
    """UCI in either case, and SAN without its marks or with a move number and a comment mark."""
    game = pyspiel.load_game("chess")
    rng = random.Random(4)
    seen = 0
    for _ in range(3):
        state = game.new_initial_state()
        for number in range(150):
            if state.is_terminal():
                break
            legal = state.legal_actions()
            board = state.board()
            names = ChessNames(state, legal)
            for action in legal:
                long = pyspiel.chess.action_to_move(action, board).to_lan()
                san = state.action_to_string(state.current_player(), action)
                bare = san.rstrip("+#")
                marked = f"{number + 1}. {san}!?"
                for text in (long, long[:4] + long[4:].upper(), san, bare, marked, f"1...{bare}"):
                    assert names.meant(text) == {action}, (text, san, state.to_fen())
                seen += 1
            state.apply_action(rng.choice(legal))
    assert seen > 5000


def test_a_long_text_is_no_chess_move_and_is_seen_to_be_none_at_once() -> None:
    state = pyspiel.load_game("chess").new_initial_state()
    names = ChessNames(state, state.legal_actions())
    assert names.meant("e4 e.p.") == names.meant("e4") != ()
    assert names.meant("e4" + " " * 200_000 + "z") == ()


def played(name: str, *actions: int, **options: str) -> tuple[Any, Any]:
    """A simulation's texts, and its state after some actions."""
    simulation = make_simulation({"game": name, **options})
    state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
    for action in actions:
        state.apply_action(action)
    return simulation.texts, state  # type: ignore[attr-defined]


def test_leduc_shows_and_lists_moves_by_the_same_names_and_takes_both() -> None:
    texts, state = played("leduc_poker", 0, 3, 2, 1, 4, 1)
    told = texts.state(state, 1)
    assert "[Round1: Raise, Call]" in told
    assert "[Round2: Call]" in told
    notation = notation_for("leduc_poker", state, 1, state.legal_actions())
    assert notation is not None
    for action in state.legal_actions():
        assert state.action_to_string(1, action) in ("Call", "Raise")
        assert notation.meant(str(action)) == {action}
    texts, state = played("leduc_poker(players=3)", 0, 3, 4, 2, 1, 0, board="plain")
    assert "[Round1: 2 1 0]" in texts.state(state, 0)
    texts, state = played("leduc_poker(players=3)", 0, 3, 4, 2, 1, 0)
    assert "[Round1: Raise, Call, Fold]" in texts.state(state, 0)


@pytest.mark.parametrize("board", ["auto", "plain"])
def test_dark_hex_does_not_count_the_tries_that_only_the_other_player_knows_of(board: str) -> None:
    game = "dark_hex(board_size=3)"
    texts, failed = played(game, 2, 2, 1, board=board)
    _, plain = played(game, 2, 1, board=board)
    assert failed.current_player() == plain.current_player() == 0
    assert texts.state(failed, 0) == texts.state(plain, 0) == "..x\n...\n...\n0,2 "
    assert failed.information_state_string(0) != plain.information_state_string(0)
    texts, failed = played("dark_hex(board_size=3,obstype=reveal-numturns)", 2, 2, 1, board=board)
    assert "\n3\n" in texts.state(failed, 0)  # there the game tells it


def test_other_ways_to_write_moves_mean_what_they_say() -> None:
    for game, actions, text, name in (
        ("kuhn_poker", (2, 0), "check", "Pass"),
        ("kuhn_poker", (2, 0, 1), "call", "Bet"),
        ("kuhn_poker", (2, 0, 1), "fold", "Pass"),
        ("connect_four", (), "Column 3", "x3"),
        ("tic_tac_toe", (), "row 0, column 2", "x(0,2)"),
        ("tic_tac_toe", (4,), "0(0,2)", "o(0,2)"),
        ("breakthrough", (), "A7-A6", "a7a6"),
        ("othello", (), "x(d3)", "d3"),
    ):
        _, state = played(game, *actions)
        seat = state.current_player()
        notation = notation_for(game, state, seat, state.legal_actions())
        assert notation is not None
        found = [state.action_to_string(seat, action) for action in notation.meant(text)]
        assert found == [name], (game, text)
    _, state = played("kuhn_poker", 2, 0)
    notation = notation_for("kuhn_poker", state, 0, state.legal_actions())
    assert notation is not None
    assert not notation.meant("call")  # nothing to call
    assert notation_for("hex", state, 0, ()) is None
