"""Other notations of a game's moves, besides the engine's own names.

A notation maps a text to the legal actions that it may mean; a text that fits several gives them
all. Letter case, spaces and kinds of dashes do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from game_reasoning_arena.agents.naming import squashed
from game_reasoning_arena.simulation.open_spiel.loading import State

#: Longer texts are no moves.
LONGEST = 64


class Notation(Protocol):
    """Reads texts as moves of one position."""

    def meant(self, text: str) -> Collection[int]:
        """Return the legal actions that a text may stand for; empty if none."""
        ...


class Aliases:
    """A notation given by a table of texts and their actions.

    Args:
        aliases: texts that stand for an action, with the action.
        key: maps a text to the form in which texts are compared.
    """

    def __init__(
        self, aliases: Iterable[tuple[str, int]], key: Callable[[str], str] = squashed
    ) -> None:
        self._key = key
        self._found: dict[str, set[int]] = {}
        for text, action in aliases:
            self._found.setdefault(key(text), set()).add(action)

    def meant(self, text: str) -> Collection[int]:
        """Return the legal actions that a text may stand for; empty if none."""
        return self._found.get(self._key(text), ()) if len(text) <= LONGEST else ()


def notation_for(name: str, state: State, seat: int, legal: Sequence[int]) -> Notation | None:
    """Return the other notation of a game's moves in a position; None where there is none."""
    if name == "chess":
        from game_reasoning_arena.simulation.open_spiel.chess_notation import ChessNames

        return ChessNames(state, legal)
    make = _NOTATIONS.get(name)
    if make is None:
        return None
    names = {action: str(state.action_to_string(seat, action)) for action in legal}
    return make(state, seat, names)


def names_a_move(name: str, text: str) -> bool:
    """Return whether a text looks like a move of a game, legal or not."""
    if len(text) > LONGEST:
        return False
    if name == "chess":
        from game_reasoning_arena.simulation.open_spiel.chess_notation import looks_like_a_move

        return looks_like_a_move(text)
    return squashed(text) in _WORDS.get(name, ())


_WORDS: Mapping[str, frozenset[str]] = {
    "kuhn_poker": frozenset({"pass", "bet", "check", "call", "fold", "raise"}),
    "leduc_poker": frozenset({"fold", "call", "raise", "check", "bet", "0", "1", "2"}),
    "liars_dice": frozenset({"liar"}),
    "othello": frozenset({"pass"}),
}


def _kuhn_poker(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    bet_made = "b" in str(state.information_state_string(seat))
    words = {"Bet": ("b", "call") if bet_made else ("b",)}
    words["Pass"] = ("p", "fold") if bet_made else ("p", "check")
    return Aliases((word, action) for action, name in names.items() for word in words.get(name, ()))


def _leduc_poker(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    matched = "Fold" not in names.values()  # nothing to match: Call is a check, Raise a bet
    words = {"Fold": ["0"], "Call": ["1"], "Raise": ["2"]}
    if matched:
        words["Call"].append("check")
        words["Raise"].append("bet")
    return Aliases((word, action) for action, name in names.items() for word in words.get(name, ()))


def _goofspiel(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    bids = {action: name.rpartition(":")[2].strip() for action, name in names.items()}
    mine = (f"[P{seat}]Bid {{}}", f"P{seat} bid {{}}", f"P{seat} bid: {{}}")
    forms = ("{}", "bid {}", "bid: {}", "card {}", "bid card {}", "bid of {}", *mine)
    return Aliases((form.format(bid), action) for action, bid in bids.items() for form in forms)


def _connect_four(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    columns = {action: name[1:] for action, name in names.items()}
    mark = "xo"[seat]
    marked = (f"{mark} in column {{}}", f"{mark} column {{}}", f"{mark}_{{}}", f"{mark}({{}})")
    forms = ("{}", "column {}", "col {}", *marked)
    return Aliases((form.format(at), action) for action, at in columns.items() for form in forms)


def _tic_tac_toe(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    mark = "xo"[seat]
    aliases = []
    for action, name in names.items():
        row, column = name[2], name[4]
        forms = ("{0},{1}", "({0},{1})", "row {0}, column {1}", "row {0} column {1}")
        aliases += [(form.format(row, column), action) for form in forms]
        aliases += [(f"{mark} at {form}".format(row, column), action) for form in forms]
        aliases += [(f"{mark}{row},{column}", action), (f"{mark}[{row},{column}]", action)]
        if mark == "o":
            aliases.append((f"0({row},{column})", action))
        if (row, column) == ("1", "1"):
            aliases += [(word, action) for word in ("center", "centre", "middle")]
    return Aliases(aliases)


_BETWEEN_SQUARES = re.compile(r"(?<=\d)(?:-?>|-|x|to|:|/|,)(?=[a-z]\d)")
_PAIR = re.compile(r"[a-z]\d{1,2}[a-z]\d{1,2}")


def _square_key(text: str) -> str:
    return _BETWEEN_SQUARES.sub("", squashed(text)).rstrip("*+x")


def _squares(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    """Moves from a square to a square, with any mark between them, captures with or without *."""
    pairs = {action: _square_key(name) for action, name in names.items()}
    return Aliases(
        ((pair, action) for action, pair in pairs.items() if _PAIR.fullmatch(pair)), _square_key
    )


def _backgammon(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    """Moves without the engine's number before them."""
    return Aliases((name.partition(" - ")[2], action) for action, name in names.items())


def _go(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    """Moves without the letter of the player's colour."""
    return Aliases((name.partition(" ")[2], action) for action, name in names.items())


def _othello(state: State, seat: int, names: Mapping[int, str]) -> Notation:
    mark = "xo"[seat]
    forms = (mark + "({})", mark + " {}", mark + " at {}")
    return Aliases(
        (form.format(name), action)
        for action, name in names.items()
        if name != "pass"
        for form in forms
    )


_NOTATIONS: Mapping[str, Callable[[State, int, Mapping[int, str]], Notation]] = {
    "backgammon": _backgammon,
    "breakthrough": _squares,
    "checkers": _squares,
    "clobber": _squares,
    "connect_four": _connect_four,
    "go": _go,
    "goofspiel": _goofspiel,
    "kuhn_poker": _kuhn_poker,
    "leduc_poker": _leduc_poker,
    "othello": _othello,
    "phantom_go": _go,
    "tic_tac_toe": _tic_tac_toe,
}
