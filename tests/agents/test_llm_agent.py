"""A language model at a seat: attempts, feedback, policies, votes, memory, constraints, records."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.base_agent import OnFailure, PlayerSpec
from game_reasoning_arena.agents.checks import option_problems
from game_reasoning_arena.agents.llm_agent import elect
from game_reasoning_arena.agents.randomness import Stream
from game_reasoning_arena.errors import (
    BudgetReached,
    ContextOverflowError,
    Interrupted,
    PlayerFailure,
    TransientError,
)
from game_reasoning_arena.records import MoveBy, Outcome, Reply, Request, Status
from tests.simulation.playing import Oracle, first_legal, in_turn, legal_moves, llm, play, player

GAME = {"game": "tic_tac_toe", "rules": "Three in a row.", "max_moves": 1}
RANDOM = player("random")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (llm(votes=0), "agents.player_0.votes=0"),
        (llm(votes=3, temperature=0.0), "same answer"),
        (llm(template="lnie"), "Did you mean 'line'"),
        (llm(memory="yes"), "agents.player_0.memory='yes'"),
    ],
)
def test_wrong_options_are_explained(spec: PlayerSpec, says: str) -> None:
    (problem,) = option_problems(spec)
    assert says in problem


def test_a_legal_answer_is_one_request_and_one_record() -> None:
    oracle = Oracle(first_legal)
    (episode,), (record,) = play(GAME, [llm(), RANDOM], asker=oracle)
    (request,) = oracle.requests
    assert [move.text for move in episode.moves] == ["x(0,0)"]
    assert (record.outcome, record.action, record.action_text) == (Outcome.LEGAL, 0, "x(0,0)")
    assert record.text == "Thinking.\nFinal Answer: x(0,0)"
    assert record.messages == request.messages
    assert [message["role"] for message in record.messages] == ["system", "user"]
    assert (record.player, record.seat, record.turn, record.attempt) == ("player_0", 0, 0, 0)
    assert record.parse_form == "line"
    assert record.latency_s is None
    assert record.constrained is False
    assert request.seed is not None
    assert 0 <= request.seed < 2**31


def test_failures_are_told_and_asked_again() -> None:
    oracle = in_turn(
        "Final Answer: x(7,7)",
        Reply(text="I was going to", finish_reason="length"),
        "Final Answer: x(1,1)",
    )
    (episode,), records = play(GAME, [llm(), RANDOM], asker=oracle)
    assert [r.outcome for r in records] == [Outcome.ILLEGAL, Outcome.TRUNCATED, Outcome.LEGAL]
    assert [r.attempt for r in records] == [0, 1, 2]
    assert [m["role"] for m in records[2].messages] == ["system"] + ["user", "assistant"] * 2 + [
        "user"
    ]
    assert "x(7,7) is not a legal move" in records[1].messages[-1]["content"]
    assert "more briefly" in records[2].messages[-1]["content"]
    assert len({request.seed for request in oracle.requests}) == 3
    assert episode.moves[0].by is MoveBy.PLAYER


def test_feedback_on_an_empty_answer_makes_no_empty_message() -> None:
    oracle = in_turn("", "Final Answer: x(1,1)")
    _, records = play(GAME, [llm(), RANDOM], asker=oracle)
    assert [m["role"] for m in records[1].messages] == ["system", "user"]
    assert "was empty" in records[1].messages[-1]["content"]


def test_without_feedback_the_same_question_is_asked_again() -> None:
    oracle = in_turn("no", "Final Answer: x(1,1)")
    _, records = play(
        GAME, [llm(), RANDOM], asker=oracle, on_failure=OnFailure(rethinks=1, feedback=False)
    )
    assert records[0].messages == records[1].messages
    assert oracle.requests[0].seed != oracle.requests[1].seed


def test_forfeit_names_the_last_cause() -> None:
    oracle = in_turn("Final Answer: x(7,7)", "no")
    (episode,), _ = play(GAME, [llm(), RANDOM], asker=oracle, on_failure=OnFailure(rethinks=1))
    assert episode.status is Status.FORFEIT
    assert episode.forfeit is not None
    assert (episode.forfeit.player, episode.forfeit.cause) == ("player_0", Outcome.UNPARSABLE)
    assert episode.winner == "player_1"
    assert episode.returns is None
    assert episode.moves == ()


def test_a_random_substitute_is_ours() -> None:
    policy = OnFailure("random", rethinks=0)
    conf = GAME | {"max_moves": 3}
    (episode,), records = play(
        conf, [llm(), RANDOM], asker=Oracle(lambda _: "no"), on_failure=policy
    )
    assert episode.status is Status.COMPLETED
    assert [move.by for move in episode.moves] == [
        MoveBy.SUBSTITUTE,
        MoveBy.PLAYER,
        MoveBy.SUBSTITUTE,
    ]
    assert all(record.action is None for record in records)
    (again,), _ = play(conf, [llm(), RANDOM], asker=Oracle(lambda _: "no"), on_failure=policy)
    assert again.moves == episode.moves


def test_raise_stops() -> None:
    with pytest.raises(PlayerFailure, match="player_0 gave no legal move in episode 0, turn 0"):
        play(
            GAME,
            [llm(), RANDOM],
            asker=Oracle(lambda _: "no"),
            on_failure=OnFailure("raise", rethinks=0),
        )


def test_a_prompt_that_does_not_fit_is_not_tried_again() -> None:
    oracle = in_turn(ContextOverflowError("too long", status=400))
    (episode,), (record,) = play(GAME, [llm(), RANDOM], asker=oracle)
    assert record.outcome is Outcome.CONTEXT_OVERFLOW
    assert record.error == {"kind": "context_overflow", "message": "too long", "status": 400}
    assert episode.forfeit is not None
    assert episode.forfeit.cause is Outcome.CONTEXT_OVERFLOW


def test_an_outage_is_recorded_and_is_no_bad_move() -> None:
    error = TransientError("down", status=503)
    error.retries = 4
    error.timing = {"latency_s": 0.5}
    (episode,), (record,) = play(GAME, [llm(), RANDOM], asker=in_turn(error))
    assert (episode.status, episode.error) == (Status.ERROR, "transient: down")
    assert (episode.winner, episode.forfeit, episode.returns) == (None, None, None)
    assert (record.outcome, record.text, record.action) == (None, None, None)
    assert record.error == {"kind": "transient", "message": "down", "status": 503}
    assert (record.retries, record.latency_s) == (4, 0.5)


def test_a_spent_budget_and_an_interruption_leave_no_record() -> None:
    (episode,), records = play(GAME, [llm(), RANDOM], asker=in_turn(BudgetReached("1 USD")))
    assert (episode.status, episode.error, records) == (Status.BUDGET, "1 USD", [])
    with pytest.raises(Interrupted):
        play(GAME, [llm(), RANDOM], asker=in_turn(Interrupted("stop")))


def test_memory_keeps_the_conversation_and_tells_only_what_is_new() -> None:
    conf = GAME | {"max_moves": 3}
    with_memory, without = Oracle(first_legal), Oracle(first_legal)
    play(conf, [llm(memory=True), RANDOM], asker=with_memory)
    play(conf, [llm(memory=False), RANDOM], asker=without)
    first, second = with_memory.requests
    assert [m["role"] for m in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[:2] == first.messages
    assert second.messages[2]["content"] == "Thinking.\nFinal Answer: x(0,0)"
    assert len(without.requests[1].messages) == 2
    assert "player 0: x(0,0)" in without.requests[1].messages[1]["content"]


def test_memory_of_a_turn_without_an_answer_makes_no_two_messages_of_the_user() -> None:
    oracle = in_turn("", "Final Answer: x(2,2)")
    policy = OnFailure("random", rethinks=0)
    _, records = play(
        GAME | {"max_moves": 3}, [llm(memory=True), RANDOM], asker=oracle, on_failure=policy
    )
    first, second = (record.messages for record in records)
    assert [message["role"] for message in second] == ["system", "user"]
    assert second[-1]["content"].startswith(first[-1]["content"] + "\n\n")
    assert second[-1]["content"].count("Legal moves") == 2


def test_votes_are_asked_together_and_the_majority_is_played() -> None:
    said = ["x(0,0)", "x(1,1)", "x(2,2)", "x(1,1)", "nonsense"]

    def answer(request: Request) -> str:
        return f"Final Answer: {said[request.key.sample]}"

    oracle = Oracle(answer)
    (episode,), records = play(GAME, [llm(votes=5), RANDOM], asker=oracle)
    assert episode.moves[0].text == "x(1,1)"
    assert [r.sample for r in records] == [0, 1, 2, 3, 4]
    assert Counter(r.outcome for r in records) == {Outcome.LEGAL: 4, Outcome.ILLEGAL: 1}
    assert len({request.seed for request in oracle.requests}) == 5


def test_one_outage_among_votes_is_an_outage_and_the_others_are_kept() -> None:
    def answer(request: Request) -> str | TransientError:
        return TransientError("down") if request.key.sample == 1 else "Final Answer: x(1,1)"

    (episode,), records = play(GAME, [llm(votes=3), RANDOM], asker=Oracle(answer))
    assert episode.status is Status.ERROR
    assert [r.outcome for r in records] == [Outcome.LEGAL, None, Outcome.LEGAL]


def test_ties_are_broken_by_the_seed_alone() -> None:
    tied = [Verdict(Outcome.LEGAL, action=a) for a in (5, 3, 3, 5, 8)]
    chosen = [elect(tied, Stream(seed)).action for seed in range(40)]
    assert set(chosen) == {3, 5}
    assert chosen == [elect(list(reversed(tied)), Stream(seed)).action for seed in range(40)]


@pytest.mark.parametrize("template", ["line", "json"])
def test_a_constraint_holds_exactly_the_answers_that_are_read(template: str) -> None:
    def choose(request: Request) -> str:
        assert request.constraint is not None
        return request.constraint.choices[4]

    spec = llm(template=template, constrain_to_legal=True)
    oracle = Oracle(choose)
    (episode,), (record,) = play(GAME, [spec, RANDOM], asker=oracle)
    assert (record.outcome, record.parse_form, record.constrained) == (
        Outcome.LEGAL,
        template,
        True,
    )
    assert episode.moves[0].text == "x(1,1)"
    constraint = oracle.requests[0].constraint
    assert constraint is not None
    assert len(constraint.choices) == 9
    if template == "json":
        assert constraint.json_schema is not None
        allowed = constraint.json_schema["properties"]["action"]["enum"]
        assert [json.loads(choice)["action"] for choice in constraint.choices] == allowed


def test_legal_moves_can_be_kept_from_the_model() -> None:
    oracle = in_turn("Final Answer: x(7,7)", "Final Answer: x(1,1)")
    _, records = play(GAME, [llm(show_legal_moves=False), RANDOM], asker=oracle)
    shown = "".join(message["content"] for message in records[1].messages)
    assert "Legal moves" not in shown
    assert "x(2,2)" not in shown


def test_request_seeds_hang_on_the_question_alone() -> None:
    conf = {"game": "tic_tac_toe"}
    together, one_by_one = Oracle(first_legal), Oracle(first_legal)
    play(conf, [llm(), RANDOM], asker=together, episodes=4)
    play(conf, [llm(), RANDOM], asker=one_by_one, episodes=4, together=False)
    assert {r.key: r.seed for r in together.requests} == {
        r.key: r.seed for r in one_by_one.requests
    }
    other = Oracle(first_legal)
    play(conf, [llm(), RANDOM], asker=other, episodes=4, seed=1)
    seeds = {r.seed for r in together.requests}
    assert len(seeds) == len(together.requests)
    assert not seeds & {r.seed for r in other.requests}


def test_what_the_model_sees_is_what_the_test_helpers_read() -> None:
    oracle = Oracle(first_legal)
    play(GAME, [llm(), RANDOM], asker=oracle)
    assert legal_moves(oracle.requests[0]) == [f"x({r},{c})" for r in range(3) for c in range(3)]
