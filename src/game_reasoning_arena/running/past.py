"""Continue an unfinished run directory.

Episodes that ended by an outage or by a spent budget are removed from ``episodes.jsonl`` and
played again; the recorded answers of their players are used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from game_reasoning_arena.agents.asking import PENDING
from game_reasoning_arena.errors import DamagedRecordError
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.metering.probe import probe_reply
from game_reasoning_arena.process.files import read_json
from game_reasoning_arena.process.paths import working_in
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import episode_of, response_of
from game_reasoning_arena.recording.run_record import (
    Extension,
    ProbeRecord,
    Provenance,
    RunRecord,
)
from game_reasoning_arena.records import (
    FINAL,
    CallKey,
    EpisodeRecord,
    Outcome,
    ResponseRecord,
)
from game_reasoning_arena.running.recovery import recovered_run
from game_reasoning_arena.running.repair import damage_reported, repaired_lines, rewrite_lines

if TYPE_CHECKING:
    from game_reasoning_arena.agents.base_agent import PlayerSpec
    from game_reasoning_arena.preflight.experiment import Experiment

#: Where two runs ask different questions though their configurations are the same.
UNSEEN_CHANGE = (
    "nothing that stands in it; so a file that it names was changed (prompt template, prompts, "
    "policy table, a class of yours), or another version of this program wrote it"
)


@dataclass(kw_only=True)
class Past:
    """What an unfinished run directory holds; empty for a new run."""

    run_id: str | None = None
    started_at: float | None = None
    sittings: list[tuple[float, float]] = field(default_factory=list)  # Unix times, begun and ended
    overrides: tuple[str, ...] = ()  # the words with which it was begun
    times_resumed: int = 0
    episodes: list[EpisodeRecord] = field(default_factory=list)
    responses: list[ResponseRecord] = field(default_factory=list)
    answers: dict[CallKey, Mapping[str, Any]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    replaced: list[EpisodeRecord] = field(default_factory=list)  # not final, to be played again
    recalled: set[CallKey] = field(default_factory=set)
    extended: list[Extension] = field(default_factory=list)
    provenances: list[Provenance] = field(default_factory=list)  # the last sitting's is last
    probes: tuple[ProbeRecord, ...] = ()
    earlier_notices: tuple[str, ...] = ()  # notes of ``run.json``
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the contents in one line."""
        answers = len(self.answers) + len(self.responses)
        return f"{len(self.episodes)} episodes and {answers} answers are there already"


def load_past(directory: Path, experiment: Experiment | None = None) -> Past:
    """Read and repair a run directory.

    A torn last line, which a kill or a power failure leaves, is cut off and reported in ``notes``.
    An episode with lost answers is played again.

    Args:
        directory: of the run; the caller holds its lock.
        experiment: the run's experiment, to check its lines against; None checks only the lines.

    Raises:
        UserError: there is no run in ``directory``, or damage in it could give other results than
            an undisturbed run.
    """
    record, notes = recovered_run(directory)
    past = Past(
        run_id=record.run_id,
        started_at=_seconds(record.started_at),
        overrides=record.overrides,
        times_resumed=record.resumed + 1,
        extended=list(record.extended),
        provenances=[*record.earlier_provenance, record.provenance],
        probes=record.probe,
        earlier_notices=record.notes,
        notes=notes,
    )
    for probe in record.probe:
        past.totals.add(probe_reply(probe), first=True)
    written = _last_written(directory)  # before anything is rewritten
    path = directory / layout.EPISODES
    episodes = _read_episodes(path, past)
    answers = list(_read_responses(directory / layout.RESPONSES, past))
    check_answered_once(directory, (r for r, _ in answers))
    if experiment is not None:
        check_plans(directory, experiment, (e for e, _ in episodes), (r for r, _ in answers))
        lost = incomplete(experiment, [e for e, _ in episodes], (r for r, _ in answers))
    else:
        lost = set()
    _sort_episodes(path, past, episodes, lost)
    _sort_answers(past, answers)
    answered = max((_end_of(r) for r, _ in answers if r.started_at is not None), default=0.0)
    # A copied file is newer than its contents.
    past.sittings = _sittings(record, min(written, answered) if answered else written)
    return past


#: A record and its line.
_Episodes = list[tuple[EpisodeRecord, dict[str, Any]]]
_Responses = list[tuple[ResponseRecord, dict[str, Any]]]


def _read_episodes(path: Path, past: Past) -> _Episodes:
    found: _Episodes = []
    ended: dict[int, int] = {}
    for number, line in repaired_lines(path, past.notes):
        with damage_reported(path, number):
            episode = episode_of(line)
        if episode.status in FINAL and ended.setdefault(episode.episode, number) != number:
            raise DamagedRecordError(
                f"{path}, lines {ended[episode.episode]} and {number}: episode {episode.episode} "
                "came to its end twice, and differently. Delete one of them, then resume."
            )
        found.append((episode, line))
    return found


def _read_responses(path: Path, past: Past) -> Iterator[tuple[ResponseRecord, dict[str, Any]]]:
    for number, line in repaired_lines(path, past.notes):
        with damage_reported(path, number):
            yield response_of(line), line


def check_plans(
    directory: Path,
    experiment: Experiment,
    episodes: Iterable[EpisodeRecord],
    answers: Iterable[ResponseRecord],
) -> None:
    """Refuse lines of episodes that this run does not have.

    Raises:
        DamagedRecordError: names the first one.
    """
    plans = {plan.episode: plan for plan in experiment.plans()}
    for episode in episodes:
        plan = plans.get(episode.episode)
        found = (episode.seed, episode.seats, episode.game)
        if plan is None or found != (plan.seed, plan.seats, experiment.simulation.name):
            what = "is none of this run's" if plan is None else "has another seed, game or seats"
            raise DamagedRecordError(
                f"{directory / layout.EPISODES}: episode {episode.episode} {what}. Delete its "
                "line, then resume."
            )
    judges = {judge.name for judge in experiment.judges}
    for response in answers:
        plan = plans.get(response.episode)
        sits = plan.seats[response.seat : response.seat + 1] if plan is not None else ()
        if not sits or response.player not in {*sits, *judges}:
            raise DamagedRecordError(
                f"{directory / layout.RESPONSES}: an answer of {response.player} in episode "
                f"{response.episode}, seat {response.seat}, is none of this run's. Delete its "
                "line, then resume."
            )


def check_answered_once(directory: Path, answers: Iterable[ResponseRecord]) -> None:
    """Refuse two answers to one question; a question that was changed may be asked again.

    Raises:
        DamagedRecordError: names the first one.
    """
    questions: dict[CallKey, int] = {}
    for r in answers:
        if r.outcome is None:
            continue
        question = hash(orjson.dumps(r.messages))
        if questions.get(r.key) == question:
            raise DamagedRecordError(
                f"{directory / layout.RESPONSES}: episode {r.episode}, seat {r.seat}, turn "
                f"{r.turn}, attempt {r.attempt} was answered twice, and differently. Delete one of "
                "the two lines, then resume."
            )
        questions[r.key] = question


#: Outcomes of the answers to one decision, by attempt and sample.
_Given = dict[int, dict[int, Outcome]]


def incomplete(
    experiment: Experiment,
    episodes: Sequence[EpisodeRecord],
    responses: Iterable[ResponseRecord],
) -> set[int]:
    """Return the finished episodes with missing moves, answers or grades, as after a power
    failure.
    """
    asked = {player.name: player for player in experiment.players if player.model is not None}
    judges = {judge.name for judge in experiment.judges}
    given: dict[tuple[int, int, int], _Given] = {}
    to_grade: set[tuple[int, int]] = set()
    grades: dict[tuple[int, int], dict[int, ResponseRecord]] = {}
    for r in responses:
        if r.outcome is None:
            continue
        if r.player in judges:
            grades.setdefault((r.episode, r.seat), {})[r.attempt] = r
            continue
        given.setdefault((r.episode, r.seat, r.turn), {}).setdefault(r.attempt, {})[r.sample] = (
            r.outcome
        )
        if r.scored_as == f"judge:{PENDING}":
            to_grade.add((r.episode, r.seat))
    plans = {plan.episode: plan for plan in experiment.plans()}
    lost = {
        episode
        for (episode, seat, _), attempts in given.items()
        if (player := asked.get(plans[episode].seats[seat])) is not None
        and not _all_given(experiment, player, attempts)
    }
    scores = {e.episode: e.scores or () for e in episodes}
    lost |= {
        episode
        for episode, seat in to_grade
        if not _graded(experiment, grades.get((episode, seat), {}), scores.get(episode, ())[seat:])
    }
    seats = {(episode, seat) for episode, seat, _ in given}
    lost |= {e.episode for e in episodes if _moves_missing(e, set(asked), given.keys(), seats)}
    return lost & {episode.episode for episode in episodes if episode.status in FINAL}


def _moves_missing(
    episode: EpisodeRecord,
    asked: Set[str],
    given: Set[tuple[int, int, int]],
    answered: Set[tuple[int, int]],
) -> bool:
    """Return whether a move or the answer to a question is missing.

    Args:
        episode: a finished one.
        asked: the players that are models.
        given: episode, seat and turn of each question with an answer.
        answered: episode and seat of them.
    """
    number = episode.episode
    if episode.returns is not None:
        turns = {move.turn for move in episode.moves if move.turn is not None}
        if len(turns) < episode.turns:
            return True
    moved = [(number, m.seat, m.turn) for m in episode.moves if m.player in asked]
    failed = episode.forfeit.seats if episode.forfeit is not None else ()
    sat = [seat for seat, name in enumerate(episode.seats) if name in asked]
    needed = failed if episode.moves or failed else sat if episode.returns is None else ()
    return not all(place in given for place in moved) or any(
        (number, seat) not in answered for seat in needed if seat in sat
    )


def _graded(
    experiment: Experiment, grades: Mapping[int, ResponseRecord], scores: Sequence[float | None]
) -> bool:
    """Return whether all grades of an answer are there, and the last is its score."""
    if not grades or sorted(grades) != [*range(len(grades))]:
        return False
    last = grades[len(grades) - 1]
    tries = experiment.config["simulation"]["scorer"].get("rethinks", 1) + 1
    ended = last.score is not None or last.outcome is Outcome.CONTEXT_OVERFLOW
    return (ended or len(grades) >= tries) and scores[:1] == (last.score,)


def _all_given(experiment: Experiment, player: PlayerSpec, attempts: _Given) -> bool:
    """Return whether no answer to one decision of a finished episode is missing.

    Of a player of the user's own, or in a set of prompts, nobody knows how often it is asked.
    """
    if player.type != "llm" or experiment.config["simulation"].get("type") == "prompts":
        return True
    votes = range(int(player.options.get("votes", 1)))
    if sorted(attempts) != [*range(len(attempts))]:
        return False
    if any(sorted(samples) != [*votes] for samples in attempts.values()):
        return False
    last = attempts[len(attempts) - 1].values()
    return len(attempts) > experiment.on_failure.rethinks or not _LAST.isdisjoint(last)


#: Outcomes after which a player is not asked again.
_LAST = frozenset({Outcome.LEGAL, Outcome.CONTEXT_OVERFLOW})


def _sort_episodes(path: Path, past: Past, episodes: _Episodes, lost: Set[int]) -> None:
    """Keep the finished episodes; remove the others from the file, to be played again."""
    kept = [(e, line) for e, line in episodes if e.status in FINAL and e.episode not in lost]
    numbers = {episode.episode for episode, _ in kept}
    unfinished = {
        e.episode: e for e, _ in episodes if e.status not in FINAL and e.episode not in numbers
    }
    past.episodes = [episode for episode, _ in kept]
    past.replaced = list(unfinished.values())
    if len(kept) < len(episodes):
        rewrite_lines(path, [line for _, line in kept])
    again = len(episodes) - len(kept) - len(past.replaced) - len(lost)
    if again > 0:
        past.notes.append(
            f"{path.name}: of an episode that stands there more than once, the line of its end "
            f"counts; {again} were left out"
        )
    if lost:
        past.notes.append(f"{len(lost)} episodes are played again, for answers in them were lost")
    if past.replaced:
        past.notes.append(f"{len(past.replaced)} unfinished episodes are played again")


def _sort_answers(past: Past, answers: _Responses) -> None:
    """Count all use; keep the answers of finished episodes, and those to be used again."""
    ended = {record.episode for record in past.episodes}
    first_end = None  # of an answer; they are in the order of arrival
    for response, line in answers:
        if response.started_at is not None and response.outcome is not None and first_end is None:
            first_end = _end_of(response)
        began = response.started_at or 0.0
        past.totals.add_line(line, first=began < (first_end or 0.0))
        if response.outcome is None:
            continue
        if response.episode in ended:
            past.responses.append(response)
            continue
        past.answers[response.key] = line


def _end_of(response: ResponseRecord) -> float:
    return (response.started_at or 0.0) + (response.latency_s or 0.0)


@contextmanager
def where_begun(directory: Path) -> Iterator[Path]:
    """Work in the directory where a run or sweep was begun, if it still exists; yield its name.

    Relative paths in its configuration are then found again. Modules, ``.env`` and ``conf/`` are
    still those of the user's working directory: the run directory may be somebody else's.
    """
    file = directory / layout.SWEEP
    if not file.is_file():
        file = directory / layout.RUN
    begun = (read_json(file) or {}).get("cwd")
    if not isinstance(begun, str) or not Path(begun).is_dir() or Path(begun) == Path.cwd():
        yield directory
        return
    there = directory.resolve()
    with working_in(Path(begun)):
        yield there


def _seconds(instant: float | str | None) -> float | None:
    return None if isinstance(instant, str) else instant


def _last_written(directory: Path) -> float:
    names = (layout.RUN, layout.EPISODES, layout.RESPONSES)
    return max(path.stat().st_mtime for name in names if (path := directory / name).exists())


def _sittings(record: RunRecord, last_sign: float) -> list[tuple[float, float]]:
    """Return the start and end of each sitting of the run (Unix times).

    Args:
        record: the content of ``run.json``.
        last_sign: time of the last line of a sitting that was killed.
    """
    sittings = record.sittings or ((_seconds(record.started_at), _seconds(record.finished_at)),)
    return [
        (begun, max(begun, last_sign if ended is None else ended))
        for begun, ended in sittings
        if begun is not None
    ]
