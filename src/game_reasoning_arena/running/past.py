"""What an unfinished run directory holds already, ready to go on from.

Episodes that ended by an outage or by a spent budget are taken out of ``episodes.jsonl`` and
played again; the answers that their players gave are used again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.process.environment import load_environment
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import episode_of, response_of
from game_reasoning_arena.recording.versions import PROVENANCE
from game_reasoning_arena.records import (
    FINAL,
    CallKey,
    EpisodeRecord,
    ResponseRecord,
)

#: Where two runs ask different things though their configurations are the same.
UNSEEN_CHANGE = (
    "nothing that stands in it; so a file that it names was changed (prompt template, prompts, "
    "policy table), or another version of this program wrote it"
)


@dataclass(kw_only=True)
class Past:
    """A run's past; the empty one belongs to a new run."""

    run_id: str | None = None
    started_at: float | None = None
    sittings: list[tuple[float, float]] = field(default_factory=list)  # Unix times, begun and ended
    overrides: tuple[str, ...] = ()  # the words that it was begun with
    times_resumed: int = 0
    episodes: list[EpisodeRecord] = field(default_factory=list)
    responses: list[ResponseRecord] = field(default_factory=list)
    answers: dict[CallKey, Mapping[str, Any]] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    replaced: list[EpisodeRecord] = field(default_factory=list)  # not final, to be played again
    recalled: set[CallKey] = field(default_factory=set)
    extended: list[dict[str, Any]] = field(default_factory=list)  # each from, to, at (Unix time)
    provenances: list[dict[str, Any]] = field(default_factory=list)  # the last sitting's is last
    notes: list[str] = field(default_factory=list)

    @property
    def reached(self) -> int:
        """One more than the last episode of which anything is there."""
        numbers = [record.episode for record in (*self.episodes, *self.replaced)]
        numbers += [response.episode for response in self.responses]
        numbers += [key.episode for key in self.answers]
        return max(numbers, default=-1) + 1

    def __str__(self) -> str:
        """What there is, in a line."""
        answers = len(self.answers) + len(self.responses)
        return f"{len(self.episodes)} episodes and {answers} answers are there already"


def load_past(directory: Path) -> Past:
    """Read and repair a run directory.

    A torn last line, which a kill can leave, is cut off and said in ``notes``.

    Raises:
        UserError: there is no run in ``directory``, or a line in the middle of a file is damaged.
    """
    try:
        run = orjson.loads((directory / layout.RUN).read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"{directory} holds no run ({layout.RUN} is missing). Give a run directory, such as "
            "outputs/DATE/TIME."
        ) from None
    except orjson.JSONDecodeError as error:
        raise UserError(f"{directory / layout.RUN} is damaged: {error}") from error
    past = Past(
        run_id=run["run_id"],
        started_at=run.get("started_at"),
        overrides=tuple(run.get("overrides") or ()),
        times_resumed=run.get("resumed", 0) + 1,
        extended=list(run.get("extended") or ()),
        provenances=[
            *(run.get("earlier_provenance") or ()),
            {key: run[key] for key in PROVENANCE if key in run},
        ],
    )
    written = _last_written(directory)  # before anything is rewritten
    answered = 0.0
    kept_episodes: dict[int, EpisodeRecord] = {}
    path = directory / layout.EPISODES
    lines = _repaired_lines(path, past)
    last: dict[int, tuple[EpisodeRecord, dict[str, Any]]] = {}
    for number, line in lines:
        with _damage_told(path, number):
            episode = episode_of(line)
        last[episode.episode] = (episode, line)
    kept_lines = []
    for episode, line in last.values():
        if episode.status in FINAL:
            kept_episodes[episode.episode] = episode
            kept_lines.append(line)
        else:
            past.replaced.append(episode)
    if len(kept_lines) < len(lines):
        _rewrite(path, kept_lines)
    if len(last) < len(lines):
        past.notes.append(
            f"{path.name}: of an episode that stands there more than once, the last line counts; "
            f"{len(lines) - len(last)} were left out"
        )
    if past.replaced:
        past.notes.append(f"{len(past.replaced)} unfinished episodes are played again")
    past.episodes = list(kept_episodes.values())
    path = directory / layout.RESPONSES
    first_end = None  # of an answer; they stand in the order in which they came
    for number, line in _repaired_lines(path, past):
        with _damage_told(path, number):
            response = response_of(line)
        if response.started_at is not None:
            answered = max(answered, response.started_at + (response.latency_s or 0.0))
        if response.started_at is not None and response.outcome is not None and first_end is None:
            first_end = response.started_at + (response.latency_s or 0.0)
        began = response.started_at or 0.0
        past.totals.add_line(line, first=began < (first_end or 0.0))
        if response.outcome is None:
            continue
        if response.episode in kept_episodes:
            past.responses.append(response)
        else:
            past.answers[response.key] = line
    # A copied file is younger than what stands in it.
    past.sittings = _sittings(run, min(written, answered) if answered else written)
    return past


@contextmanager
def where_begun(directory: Path) -> Iterator[Path]:
    """Work where a run or sweep was begun, if that is still there: files that its configuration
    names by relative paths, modules of the user's own and ``.env`` are found again. Gives its
    directory as it is called there."""
    told = directory / layout.SWEEP
    if not told.is_file():
        told = directory / layout.RUN
    try:
        begun = orjson.loads(told.read_bytes()).get("cwd")
    except (OSError, orjson.JSONDecodeError):
        begun = None  # told by whoever reads the run
    if begun is None or not Path(begun).is_dir() or Path(begun) == Path.cwd():
        yield directory
        return
    there = directory.resolve()
    with chdir(begun):
        load_environment()
        yield there


def _last_written(directory: Path) -> float:
    names = (layout.RUN, layout.EPISODES, layout.RESPONSES)
    return max(path.stat().st_mtime for name in names if (path := directory / name).exists())


def _sittings(run: Mapping[str, Any], last_sign: float) -> list[tuple[float, float]]:
    """When the run was played, each begun and ended; one that was killed ended with its last line.

    Args:
        run: the content of ``run.json``.
        last_sign: when that was.
    """
    told = run.get("sittings") or [[run.get("started_at"), run.get("finished_at")]]
    return [
        (begun, max(begun, last_sign) if ended is None else ended)
        for begun, ended in told
        if begun is not None
    ]


@contextmanager
def _damage_told(path: Path, number: int) -> Iterator[None]:
    """A line that is JSON but no record is damage, and no fault of the program."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}, line {number} is no record of this program ({type(error).__name__}: "
            f"{error}). Mend or delete the line, then resume."
        ) from error


def _repaired_lines(path: Path, past: Past) -> list[tuple[int, dict[str, Any]]]:
    """The numbers and objects of the lines, each line once."""
    if not path.exists():
        return []
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
        past.notes.append(f"{path.name}: a torn last line of {len(data) - end} bytes was cut off")
    lines = []
    seen: set[bytes] = set()
    whole = data[:end].split(b"\n")[:-1]
    for number, line in enumerate(whole, start=1):
        if line in seen:
            continue
        seen.add(line)
        try:
            lines.append((number, orjson.loads(line)))
        except orjson.JSONDecodeError as error:
            raise UserError(
                f"{path}, line {number} is damaged in the middle of the file ({error}); a kill "
                "cannot do that. Mend or delete the line, then resume."
            ) from error
    if len(seen) < len(whole):
        past.notes.append(
            f"{path.name}: what stands there twice counts once ({len(whole) - len(seen)} lines)"
        )
    return lines


def _rewrite(path: Path, lines: list[dict[str, Any]]) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    fresh.replace(path)
