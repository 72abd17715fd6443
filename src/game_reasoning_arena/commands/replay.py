"""`arena replay DIR`: play a recorded run again from its own answers.

arena replay outputs/2026-11-22/10-23-45-123456
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import orjson
from msgspec import to_builtins

from game_reasoning_arena.agents.human_agent import RECORDED
from game_reasoning_arena.agents.prompting import is_file, recorded_templates
from game_reasoning_arena.backends.replay_backend import Recording
from game_reasoning_arena.commands.record_checks import judged_otherwise, not_as_written
from game_reasoning_arena.commands.resume import experiment_of, files_changed_since
from game_reasoning_arena.configuration.trust import TRUST_OPTION, Trust, add_trust_option, trusting
from game_reasoning_arena.errors import ConfigProblems, DamagedRecordError, UserError
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import episode_of
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.recording.run_record import run_or_none, template_of
from game_reasoning_arena.records import EpisodePlan

HELP = """Play a recorded run again from its own answers: no network, no key. Every move must come
out the same, and every answer be judged the same; the command confirms it, or shows what differs
from the record (exit code 1)."""

#: The most differences that are listed.
MOST_LISTED = 20

_NEEDED = (
    "A replay needs what {} names as it was when the run was begun: files (prompts, policy tables) "
    "by the same path, modules of trusted_targets. Only prompt templates are kept in the run."
)
_AS_RECORDED = f"its text in {layout.RUN} is used"

#: Fields of an episode that do not belong to the game; a prompt's name is no part of a question.
_OF_THE_RUN = ("run_id", "duration_s", "prompt")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument(
        "--output", type=Path, help="keep the replayed run here (default: not kept)"
    )
    add_trust_option(parser)


def run(args: argparse.Namespace) -> int:
    """Replay; return 0 if everything recorded came out the same, else 1.

    Raises:
        UserError: there is no recorded run, or ``--output`` holds one already.
    """
    directory: Path = args.directory
    if (directory / layout.SWEEP).is_file():
        raise UserError(f"{directory} holds a sweep. {_runs_of(directory)}")
    if not (directory / layout.RESPONSES).is_file():
        raise UserError(f"{directory} holds no recorded run ({layout.RESPONSES} is missing).")
    from game_reasoning_arena.running.past import where_begun

    with ExitStack() as stack:
        output = args.output
        if output is None:
            kept = tempfile.TemporaryDirectory(prefix="arena-replay-")
            output = Path(stack.enter_context(kept))
        elif (output / layout.RUN).exists():
            raise UserError(f"--output {output} holds a run already. Choose another directory.")
        output = output.resolve()
        directory = stack.enter_context(where_begun(directory))
        stack.enter_context(recorded_templates(_templates(directory)))
        stack.enter_context(
            trusting(Trust.of_file(args.directory, allowed=args.trust, option=TRUST_OPTION))
        )
        return _replay(directory, output)


def _templates(directory: Path) -> dict[str, dict[str, str]]:
    """Return the texts of the run's own templates, by path; note on stderr those without a file."""
    record = run_or_none(directory)
    found: dict[str, dict[str, str]] = {}
    for player in record.players.values() if record is not None else ():
        kept = template_of(player)
        if kept is not None and is_file(kept.name):
            found[kept.name] = kept.sources
    for name in found:
        if not Path(name).expanduser().is_file():
            sys.stderr.write(f"the prompt template {name} is not here: {_AS_RECORDED}\n")
    return found


def _runs_of(sweep: Path) -> str:
    runs = sorted(path.parent for path in sweep.glob(f"*/{layout.RUN}"))
    if not runs:
        return "It has no runs yet."
    named = "\n".join(f"  arena replay {run}" for run in runs[:10])
    more = f"\n  ... ({len(runs)} in all)" if len(runs) > 10 else ""
    return f"Replay its runs one by one:\n{named}{more}"


def _replay(directory: Path, output: Path) -> int:
    from game_reasoning_arena.running.runner import run as play

    was = _episodes(directory) if (directory / layout.EPISODES).is_file() else {}
    if not was:
        raise UserError(
            f"{directory} holds no episode that was played to its end, so there is nothing to "
            f"replay. Finish it with `arena resume {directory}`."
        )
    try:
        experiment = experiment_of(directory, checked=False)
    except ConfigProblems as error:
        raise ConfigProblems([*error.problems, _NEEDED.format(layout.CONFIG)]) from error
    if changed := files_changed_since(directory, experiment):
        raise UserError(
            f"{directory} was played with another content of {', '.join(changed)}, so its answers "
            "are to other questions. Put the files back as they were, then replay it."
        )
    experiment = _recorded(experiment, directory, frozenset(was))
    recording = Recording(directory)
    result = play(experiment, output, replace_askers=lambda _: recording, quiet=True)
    if result.reason:
        sys.stdout.write(f"the replay stopped: {result.reason}\n")
    now = _episodes(output)
    differing = [
        number for number, episode in was.items() if now.get(number) not in (None, episode)
    ]
    missing = [number for number in was if number not in now]
    same = len(was) - len(differing) - len(missing)
    sys.stdout.write(
        f"{same} of {len(was)} recorded episodes came out the same from {len(recording)} recorded "
        "answers\n"
    )
    found = [
        f"episode {number} {'was not played' if number in missing else 'came out differently'}"
        for number in sorted(differing + missing)
    ]
    found = [*not_as_written(directory), *found, *judged_otherwise(directory, output)]
    for sentence in found[:MOST_LISTED]:
        sys.stdout.write(f"  {sentence}\n")
    if len(found) > MOST_LISTED:
        sys.stdout.write(f"  ... ({len(found)} in all)\n")
    return 1 if found else 0


@dataclass(frozen=True, kw_only=True)
class _Recorded(Experiment):
    """An experiment of which only finished episodes are played again."""

    finished: frozenset[int]

    def plans(self) -> list[EpisodePlan]:
        """Return the recorded episodes."""
        return [plan for plan in super().plans() if plan.episode in self.finished]


def _recorded(experiment: Experiment, directory: Path, finished: frozenset[int]) -> _Recorded:
    """Return the finished episodes, with the moves of people in them."""
    moves: dict[tuple[int, int], list[int]] = {}
    last = {
        line["episode"]: line.get("moves") or () for line in read_lines(directory / layout.EPISODES)
    }
    for episode in finished:
        for move in last[episode]:
            moves.setdefault((episode, move["seat"]), []).append(move["action"])
    players = tuple(
        replace(player, options={**player.options, RECORDED: moves})
        if player.type == "human"
        else player
        for player in experiment.players
    )
    kept = {field.name: getattr(experiment, field.name) for field in fields(experiment)}
    return _Recorded(**{**kept, "players": players}, finished=finished)


def _episodes(directory: Path) -> dict[int, bytes]:
    found = {}
    for line in read_lines(directory / layout.EPISODES):
        if line["status"] not in ("completed", "forfeit"):
            continue
        try:
            played: Any = to_builtins(episode_of(line))
        except DamagedRecordError:
            played = line
        game = {key: value for key, value in played.items() if key not in _OF_THE_RUN}
        found[line["episode"]] = orjson.dumps(game, option=orjson.OPT_SORT_KEYS)
    return found
