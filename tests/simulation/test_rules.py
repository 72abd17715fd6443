"""The rules as they are told to a model are the engine's: each is played after by a referee that is
written from the text alone, in random games of the preset's own game string."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pyspiel
import pytest
from omegaconf import OmegaConf

from game_reasoning_arena.process.paths import shipped_conf

State = Any
#: (the state before, the seat that moves, the name of its move)
Step = tuple[State, int, str]


def preset(name: str) -> Any:
    return OmegaConf.load(shipped_conf() / "simulation" / f"{name}.yaml")


def random_game(name: str, seed: int) -> tuple[list[Step], State]:
    """A random game of a preset: its decisions and deals (seat -1), and its end."""
    rng = random.Random(seed)
    state = pyspiel.load_game(preset(name).game).new_initial_state()
    steps: list[Step] = []
    while not state.is_terminal():
        before = state.clone()
        if state.is_simultaneous_node():
            chosen = [rng.choice(state.legal_actions(seat)) for seat in (0, 1)]
            steps += [(before, s, before.action_to_string(s, a)) for s, a in enumerate(chosen)]
            state.apply_actions(chosen)
            continue
        seat = state.current_player()
        if seat >= 0:
            action = rng.choice(state.legal_actions())
        else:
            outcomes, chances = zip(*state.chance_outcomes(), strict=True)
            (action,) = rng.choices(outcomes, chances)
        steps.append((before, seat, before.action_to_string(seat, action)))
        state.apply_action(action)
    return steps, state


def games(name: str, n: int) -> Iterator[tuple[list[Step], State]]:
    for seed in range(n):
        yield random_game(name, seed)


def names(state: State) -> set[str]:
    seat = state.current_player()
    return {state.action_to_string(seat, action) for action in state.legal_actions()}


Board = dict[tuple[int, int], str]
LINES = ((0, 1), (1, 0), (1, 1), (1, -1))


def in_a_row(board: Board, mark: str, n: int) -> bool:
    return any(
        all(board.get((row + i * down, column + i * right)) == mark for i in range(n))
        for row, column in list(board)
        for down, right in LINES
    )


def test_tic_tac_toe() -> None:
    for steps, end in games("tic_tac_toe", 200):
        board: Board = {}
        for turn, (state, seat, name) in enumerate(steps):
            assert not any(in_a_row(board, mark, 3) for mark in "xo")
            mark = "xo"[seat]
            assert seat == turn % 2
            free = [(r, c) for r in range(3) for c in range(3) if (r, c) not in board]
            assert names(state) == {f"{mark}({r},{c})" for r, c in free}
            board[int(name[2]), int(name[4])] = mark
        won = [in_a_row(board, mark, 3) for mark in "xo"]
        assert any(won) or len(board) == 9
        assert end.returns() == [won[0] - won[1], won[1] - won[0]]


def test_connect_four() -> None:
    for steps, end in games("connect_four", 100):
        board: Board = {}
        for turn, (state, seat, name) in enumerate(steps):
            assert not any(in_a_row(board, mark, 4) for mark in "xo")
            mark = "xo"[seat]
            assert seat == turn % 2
            height = [sum((row, column) in board for row in range(6)) for column in range(7)]
            assert names(state) == {f"{mark}{c}" for c in range(7) if height[c] < 6}
            board[height[int(name[1])], int(name[1])] = mark
        won = [in_a_row(board, mark, 4) for mark in "xo"]
        assert any(won) or len(board) == 42
        assert end.returns() == [won[0] - won[1], won[1] - won[0]]


def connects(cells: set[tuple[int, int]], first: int, last: int, along: int) -> bool:
    """Whether cells join coordinate ``first`` with ``last`` on an axis, by Hex neighbourhood."""
    reached = [cell for cell in cells if cell[along] == first]
    seen = set(reached)
    while reached:
        column, row = reached.pop()
        for right, down in ((-1, 0), (1, 0), (0, -1), (1, -1), (0, 1), (-1, 1)):
            cell = (column + right, row + down)
            if cell in cells and cell not in seen:
                seen.add(cell)
                reached.append(cell)
    return any(cell[along] == last for cell in seen)


def test_hex() -> None:
    for steps, end in games("hex", 40):
        marks: tuple[set[tuple[int, int]], set[tuple[int, int]]] = (set(), set())
        for turn, (_, seat, name) in enumerate(steps):
            assert not connects(marks[0], 1, 11, 1)
            assert not connects(marks[1], 1, 11, 0)
            assert seat == turn % 2
            marks[seat].add((ord(name[0]) - ord("a") + 1, int(name[1:])))
        won = [connects(marks[0], 1, 11, 1), connects(marks[1], 1, 11, 0)]
        assert sum(won) == 1
        assert end.returns() == [won[0] - won[1], won[1] - won[0]]


def flipped(board: Board, at: tuple[int, int], mark: str) -> list[tuple[int, int]]:
    found = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            line = []
            cell = (at[0] + down, at[1] + right)
            while (down or right) and board.get(cell, mark) != mark:
                line.append(cell)
                cell = (cell[0] + down, cell[1] + right)
            if cell in board:
                found += line
    return found


def test_othello() -> None:
    passes = 0
    for steps, end in games("othello", 40):
        board: Board = {(4, 4): "o", (4, 5): "x", (5, 4): "x", (5, 5): "o"}
        squares = [(row, column) for row in range(1, 9) for column in range(1, 9)]
        for state, seat, name in steps:
            mark = "xo"[seat]
            allowed = [s for s in squares if s not in board and flipped(board, s, mark)]
            assert names(state) == ({f"{'abcdefgh'[c - 1]}{r}" for r, c in allowed} or {"pass"})
            if name == "pass":
                passes += 1
                continue
            at = (int(name[1]), "abcdefgh".index(name[0]) + 1)
            turned = flipped(board, at, mark)
            board.update(dict.fromkeys([*turned, at], mark))
        assert not any(flipped(board, s, mark) for s in squares if s not in board for mark in "xo")
        discs = [list(board.values()).count(mark) for mark in "xo"]
        assert end.returns()[0] == (discs[0] > discs[1]) - (discs[0] < discs[1])
    assert passes > 10


def test_breakthrough() -> None:
    captures = 0
    for steps, end in games("breakthrough", 60):
        board = {
            f"{column}{row}": "b" if row > 6 else "w"
            for column in "abcdefgh"
            for row in (1, 2, 7, 8)
        }
        for turn, (state, seat, name) in enumerate(steps):
            assert seat == turn % 2
            mine, step = ("b", -1) if seat == 0 else ("w", 1)
            allowed = set()
            for start in [square for square, piece in board.items() if piece == mine]:
                for aside in (-1, 0, 1):
                    column, row = chr(ord(start[0]) + aside), int(start[1]) + step
                    if column not in "abcdefgh" or not 1 <= row <= 8:
                        continue
                    there = board.get(f"{column}{row}")
                    if there is None or (there != mine and aside):
                        allowed.add(f"{start}{column}{row}{'*' if there else ''}")
            assert names(state) == allowed
            captures += name.endswith("*")
            board[name[2:4]] = board.pop(name[:2])
        winner = steps[-1][1]
        assert end.returns() == [1 - 2 * winner, 2 * winner - 1]
        far = [p for square, p in board.items() if square[1] == ("1" if winner == 0 else "8")]
        assert "bw"[winner] in far or "bw"[1 - winner] not in board.values()
    assert captures > 100


CHESS = {
    "stalemate": ("7k/8/6Q1/8/8/8/8/K7 b - - 0 1", []),
    "fifty moves": ("7k/8/8/8/8/8/R7/K7 w - - 99 80", ["Ra3"]),
    "no mate possible": ("7k/8/8/8/8/8/1r6/K7 w - - 0 1", ["Kxb2"]),
    "third time": (
        "7k/8/8/8/8/8/R7/K7 w - - 0 1",
        ["Ra3", "Kg8", "Ra2", "Kh8", "Ra3", "Kg8", "Ra2", "Kh8"],
    ),
}


@pytest.mark.parametrize("how", CHESS)
def test_draws_in_chess(how: str) -> None:
    fen, played = CHESS[how]
    state = pyspiel.load_game("chess").new_initial_state(fen)
    for name in played:
        assert not state.is_terminal()
        moves = {state.action_to_string(a): a for a in state.legal_actions()}
        state.apply_action(moves[name])
    assert state.is_terminal()
    assert state.returns() == [0, 0]


def test_white_is_player_1_in_chess() -> None:
    state = pyspiel.load_game("chess").new_initial_state()
    for name in ("f3", "e5", "g4", "Qh4#"):
        moves = {state.action_to_string(a): a for a in state.legal_actions()}
        assert state.current_player() == (1 if name in ("f3", "g4") else 0)
        state.apply_action(moves[name])
    assert state.returns() == [1, -1]


def test_kuhn_poker() -> None:
    for steps, end in games("kuhn_poker", 200):
        cards = [int(name.removeprefix("Deal:")) for _, seat, name in steps if seat < 0]
        assert len(set(cards)) == 2
        assert set(cards) <= {0, 1, 2}
        paid, said = [1, 1], ""
        for state, seat, name in steps[2:]:
            assert seat == len(said) % 2
            assert state.information_state_string(seat) == f"{cards[seat]}{said}"
            assert names(state) == {"Pass", "Bet"}
            paid[seat] += name == "Bet"
            said += name[0].lower()
        assert said in ("pp", "bb", "bp", "pbb", "pbp")
        better = int(cards[1] > cards[0])
        winner = 1 - seat if said.endswith("bp") else better
        assert end.returns()[winner] == paid[1 - winner]
        assert sum(end.returns()) == 0


def test_leduc_poker() -> None:
    folds = 0
    for steps, end in games("leduc_poker", 400):
        cards: list[int] = []
        paid, round_, raises, to_act = [1, 1], 1, 0, 0
        acted, out = 0, None
        for state, seat, name in steps:
            if seat < 0:
                cards.append(int(name.rpartition(":")[2]))
                continue
            assert seat == to_act
            matched = paid[0] == paid[1]
            possible = {"Call"} | ({"Raise"} if raises < 2 else set())
            assert names(state) == possible | (set() if matched else {"Fold"})
            told = state.information_state_string(seat)
            assert f"[Private: {cards[seat]}]" in told
            assert f"[Round {round_}]" in told
            assert f"[Pot: {sum(paid)}]" in told
            assert f"[Money: {100 - paid[0]} {100 - paid[1]}]" in told
            assert (f"[Public: {cards[2]}]" in told) if round_ == 2 else ("Public" not in told)
            acted += 1
            if name == "Fold":
                out = seat
            else:
                paid[seat] = max(paid)
            if name == "Raise":
                paid[seat] += 2 * round_
                raises += 1
            to_act = 1 - seat
            if acted >= 2 and paid[0] == paid[1] and name == "Call" and round_ == 1:
                round_, raises, acted, to_act = 2, 0, 0, 0
        if out is not None:
            folds += 1
            assert end.returns()[out] == -paid[out]
        else:
            assert len(cards) == 3
            ranks = [card // 2 for card in cards]
            strength = [(ranks[seat] == ranks[2], ranks[seat]) for seat in (0, 1)]
            sign = (strength[0] > strength[1]) - (strength[0] < strength[1])
            assert end.returns()[0] == sign * paid[1]
        assert sum(end.returns()) == 0
    assert folds > 50


def test_liars_dice() -> None:
    for steps, end in games("liars_dice", 300):
        dice = [int(name.split()[-1]) for _, seat, name in steps if seat < 0]
        assert len(dice) == 2
        bids: list[tuple[int, int]] = []
        for turn, (state, seat, name) in enumerate(steps[2:]):
            assert seat == turn % 2
            told = [str(dice[seat]), *(f"{n}-{face}" for n, face in bids)]
            assert state.information_state_string(seat).split() == told
            higher = {
                f"{n}-{face}"
                for n in (1, 2)
                for face in range(1, 7)
                if not bids or (n, face) > bids[-1]
            }
            assert names(state) == higher | ({"Liar"} if bids else set())
            if name != "Liar":
                bids.append((int(name[0]), int(name[2])))
        n, face = bids[-1]
        holds = sum(die in (face, 6) for die in dice) >= n
        caller = steps[-1][1]
        winner = 1 - caller if holds else caller
        assert end.returns() == [1 - 2 * winner, 2 * winner - 1]


def test_goofspiel() -> None:
    for steps, end in games("goofspiel", 60):
        hands, points = [set(range(1, 14)), set(range(1, 14))], [0, 0]
        coming = set(range(1, 14))
        bids: list[int] = []
        for state, seat, name in steps:
            if seat < 0:
                card = int(name.split()[-1])
                coming.remove(card)
                continue
            assert {state.action_to_string(seat, a) for a in state.legal_actions(seat)} == {
                f"[P{seat}]Bid: {bid}" for bid in hands[seat]
            }
            bids.append(int(name.split()[-1]))
            hands[seat].remove(bids[-1])
            if seat == 1:
                settle(points, bids, card)
                bids = []
        assert [len(hand) for hand in (*hands, coming)] == [1, 1, 1]
        settle(points, [hands[0].pop(), hands[1].pop()], coming.pop())
        assert end.returns()[0] == (points[0] > points[1]) - (points[0] < points[1])


def settle(points: list[int], bids: list[int], card: int) -> None:
    if bids[0] != bids[1]:
        points[bids[1] > bids[0]] += card


DILEMMA = {"CC": (5, 5), "DD": (1, 1), "CD": (0, 10), "DC": (10, 0)}
BEATS = {("Rock", "Scissors"), ("Scissors", "Paper"), ("Paper", "Rock")}


def test_games_of_one_choice() -> None:
    for name in ("matrix_pd", "matrix_rps", "matching_pennies"):
        met = set()
        for steps, end in games(name, 60):
            (_, _, mine), (_, _, theirs) = steps
            met.add((mine, theirs))
            if name == "matrix_pd":
                expected = DILEMMA[mine[0] + theirs[0]]
            elif name == "matrix_rps":
                won = ((mine, theirs) in BEATS) - ((theirs, mine) in BEATS)
                expected = (won, -won)
            else:
                expected = (1, -1) if mine == theirs else (-1, 1)
            assert tuple(end.returns()) == expected
        assert len(met) == (9 if name == "matrix_rps" else 4)


def test_the_iterated_prisoners_dilemma() -> None:
    for steps, end in games("iterated_prisoners_dilemma", 20):
        assert len(steps) == 2 * 10
        total = [0, 0]
        for (state, _, mine), (_, _, theirs) in zip(steps[::2], steps[1::2], strict=True):
            assert str(state).split("Total Returns: ")[-1].split() == [str(n) for n in total]
            for seat, points in enumerate(DILEMMA[mine[0] + theirs[0]]):
                total[seat] += points
        assert end.returns() == total


def test_each_preset_has_its_referee() -> None:
    every = {path.stem for path in (shipped_conf() / "simulation").glob("*.yaml")}
    presets = {name for name in every if not name.startswith("prompts")}
    choices = {"matrix_pd", "matrix_rps", "matching_pennies", "chess", "iterated_prisoners_dilemma"}
    refereed = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert presets - {"openspiel"} <= refereed | choices
