"""A process that judges episodes for another: one JSON line in, one JSON line out.

    python -m game_reasoning_arena.assessment.worker

The first line holds the settings; each later one is a list of episodes, answered by their lines.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import Prepared, make_judge
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import Judge
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation


def judge_from(setup: Mapping[str, Any]) -> Prepared:
    """Return the judge for a first line.

    Raises:
        UserError: it cannot be made.
    """
    return make_judge(
        OpenSpielSimulation.from_conf(setup["simulation"]),
        setup["by"],
        EvaluatorSettings(**setup["settings"]),
        setup["agents"],
        home=Path(setup["home"]),
        contents=setup["contents"],
        seating=setup["seating"],
    )


def judged_lines(judge: Judge, episodes: Iterable[Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """Return the lines of some episodes: their decisions, and their luck."""
    decisions, luck = bytearray(), bytearray()
    for episode in episodes:
        judged = judge.judge(episode)
        for decision in judged.decisions:
            decisions += encode(decision) + b"\n"
        for one in judged.luck:
            luck += encode(one) + b"\n"
    return bytes(decisions), bytes(luck)


def main() -> None:
    """Judge until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops this process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    lines = sys.stdin.buffer
    judge = judge_from(orjson.loads(lines.readline())).judge
    try:
        for line in lines:
            try:
                decisions, luck = judged_lines(judge, orjson.loads(line))
                answer = {"decisions": decisions.decode(), "luck": luck.decode()}
            except UserError as error:
                answer = {"problem": str(error)}
            answers.write(orjson.dumps(answer) + b"\n")
            answers.flush()
    finally:
        judge.close()


if __name__ == "__main__":
    main()
