"""The whole tree of a small game with hidden information, expanded once and kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from game_reasoning_arena.simulation.open_spiel.loading import Game, State
from game_reasoning_arena.simulation.open_spiel.solving import TooBig


class Node:
    """A history of the game.

    ``player`` is the seat to move, -1 for chance and -4 (OpenSpiel's number) at the end.
    ``information_set`` indexes :attr:`GameTree.information_sets`, -1 where nobody chooses;
    ``chances`` holds the outcomes' probabilities at chance nodes, ``returns`` those of the seats at
    the end.
    """

    __slots__ = (
        "actions", "chances", "children", "index", "information_set", "player", "returns", "texts",
    )  # fmt: skip

    def __init__(self, index: int, player: int) -> None:
        self.index = index
        self.player = player
        self.information_set = -1
        self.actions: tuple[int, ...] = ()
        self.texts: tuple[str, ...] = ()
        self.chances: tuple[float, ...] = ()
        self.children: list[Node] = []
        self.returns: tuple[float, ...] = ()


@dataclass(slots=True)
class InformationSet:
    """Histories that a seat cannot tell apart.

    ``key`` is the engine's information state, ``example`` one of the states.
    """

    seat: int
    key: str
    actions: tuple[int, ...]
    example: State
    nodes: list[Node] = field(default_factory=list)


class GameTree:
    """All histories of a sequential game, each before those that follow it.

    Args:
        game: a loaded game of turns with explicit chance and information states as text.
        max_nodes: the most histories that are kept.

    Raises:
        TooBig: there are more.
    """

    def __init__(self, game: Game, max_nodes: int) -> None:
        self.nodes: list[Node] = []
        self.information_sets: list[InformationSet] = []
        self.players: int = game.num_players()
        self._numbers: dict[tuple[int, str], int] = {}
        self._max_nodes = max_nodes
        self.root = self._expanded(game.new_initial_state())

    def _expanded(self, root: State) -> Node:
        first = self._node(root)
        waiting = [(first, root)]
        while waiting:
            node, state = waiting.pop()
            for action in node.actions:
                child_state = state.child(action)
                child = self._node(child_state)
                node.children.append(child)
                if child.actions:
                    waiting.append((child, child_state))
        return first

    def _node(self, state: State) -> Node:
        if len(self.nodes) >= self._max_nodes:
            raise TooBig(f"more than {self._max_nodes:,} histories")
        player = state.current_player()
        node = Node(len(self.nodes), player)
        self.nodes.append(node)
        if state.is_terminal():
            node.returns = tuple(state.returns())
        elif player < 0:
            outcomes = state.chance_outcomes()
            node.actions = tuple(action for action, _ in outcomes)
            node.chances = tuple(chance for _, chance in outcomes)
        else:
            node.actions = tuple(state.legal_actions())
            node.information_set = self._information_set(node, state)
        node.texts = tuple(state.action_to_string(player, action) for action in node.actions)
        return node

    def _information_set(self, node: Node, state: State) -> int:
        seat, key = node.player, state.information_state_string()
        number = self._numbers.setdefault((seat, key), len(self.information_sets))
        if number == len(self.information_sets):
            self.information_sets.append(InformationSet(seat, key, node.actions, state))
        self.information_sets[number].nodes.append(node)
        return number

    def behaviour(self, policy: Sequence[Sequence[float]], node: Node) -> Sequence[float]:
        """Return the probabilities of a node's actions: chance's, or by a policy on information
        sets.
        """
        return node.chances if node.player < 0 else policy[node.information_set]
