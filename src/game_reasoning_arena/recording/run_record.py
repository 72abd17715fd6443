"""``run.json``: the record of a run, with a type for every key.

:func:`read_run` is its one reader, :func:`write_run` its one writer. A missing key, as in older
runs, has its default; a value of another type is reported and has its default, too, so that a
damaged value costs no more than itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from game_reasoning_arena.errors import DamagedRecordError
from game_reasoning_arena.process.files import read_file, replace_file
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import problem_of
from game_reasoning_arena.recording.encoding import plain_data
from game_reasoning_arena.records import Whole

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
#: Unix seconds; ISO 8601 text in foreign runs.
Instant = float | str


class GitState(Struct, frozen=True, kw_only=True):
    """The commit with which a run was played, and whether there were uncommitted changes."""

    commit: str | None = None
    dirty: bool | None = None


class Provenance(Struct, frozen=True, kw_only=True):
    """The software and machine of one sitting of a run."""

    git: GitState | None = None
    packages: dict[str, str] = field(default_factory=dict)
    python: str | None = None
    platform: dict[str, Any] = field(default_factory=dict)
    engines: dict[str, dict[str, Any]] = field(default_factory=dict)


class Extension(Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """A change of the number of episodes, and when it was made (Unix time)."""

    before: Count
    after: Count
    at: float | None = None


class Part(Struct, frozen=True, kw_only=True):
    """A run that was merged into this one."""

    run_id: str | None = None
    directory: str | None = None
    shard: str | None = None
    status: str | None = None


class ProbeRecord(Struct, frozen=True, kw_only=True):
    """A model's answer to a tiny call before a run; ``question`` is the probe's key.

    ``learned`` holds the findings, in plain words.
    """

    model: str
    question: str | None = None
    text: str | None = None
    started_at: float | None = None
    latency_s: float | None = None
    retries: Count = 0
    prompt_tokens: Whole | None = None
    completion_tokens: Whole | None = None
    cost_usd: float | None = None
    served_model: str | None = None
    learned: tuple[str, ...] = ()


class RunRecord(Struct, frozen=True, kw_only=True):
    """The content of ``run.json``.

    ``identity`` is a hash of the questions; ``contents`` are hashes of the files that the
    configuration names; ``players`` holds type, model, backend and facts of each; ``engines`` holds
    the choices of engines in this process, by model; ``episodes`` counts episodes by status, beside
    those ``planned``; ``totals`` are those of :class:`game_reasoning_arena.metering.budget.Totals`;
    ``sittings`` are the start and end of each sitting (null while it goes on, or after a kill).
    """

    run_id: str | None = None
    format_version: int | None = None
    identity: str | None = None
    contents: dict[str, str] = field(default_factory=dict)
    game: str | None = None
    utility: tuple[float | None, float | None] | None = None  # least and greatest return
    seed: Whole | None = None
    overrides: tuple[str, ...] = ()
    cwd: str | None = None  # folder for relative paths of the configuration
    config_dir: str | None = None
    resumed: Count = 0
    extended: tuple[Extension, ...] = ()
    earlier_provenance: tuple[Provenance, ...] = ()
    unpaired: tuple[str, ...] = ()
    merged: tuple[Part, ...] = ()
    players: dict[str, dict[str, Any]] = field(default_factory=dict)
    judges: dict[str, dict[str, Any]] = field(default_factory=dict)
    git: GitState | None = None
    packages: dict[str, str] = field(default_factory=dict)
    python: str | None = None
    platform: dict[str, Any] = field(default_factory=dict)
    engines: dict[str, dict[str, Any]] = field(default_factory=dict)
    determinism: tuple[str, ...] = ()
    verified: dict[str, Any] | None = None
    status: str | None = None
    reason: str | None = None
    started_at: Instant | None = None
    finished_at: Instant | None = None
    sittings: tuple[tuple[float | None, float | None], ...] = ()
    duration_s: float | None = None
    episodes: dict[str, Count] = field(default_factory=dict)
    totals: dict[str, int | float | dict[str, Count] | None] = field(default_factory=dict)
    probe: tuple[ProbeRecord, ...] = ()
    notes: tuple[str, ...] = ()  # notices during the run
    event_loop_lag_s: dict[str, float | None] = field(default_factory=dict)

    @property
    def planned(self) -> int | None:
        """The number of planned episodes; None if unknown."""
        return self.episodes.get("planned")

    @property
    def counts(self) -> dict[str, int]:
        """The number of ended episodes, by status."""
        return {status: n for status, n in self.episodes.items() if status != "planned"}

    @property
    def provenance(self) -> Provenance:
        """The provenance of the last sitting."""
        return Provenance(
            git=self.git,
            packages=self.packages,
            python=self.python,
            platform=self.platform,
            engines=self.engines,
        )

    def total(self, name: str) -> Any:
        """Return one number of ``totals``; None if unknown."""
        value = self.totals.get(name)
        return None if isinstance(value, dict) else value


class TemplateRecord(Struct, frozen=True, kw_only=True):
    """The prompt template of a player: its name and the texts of its files."""

    name: str
    sources: dict[str, str] = field(default_factory=dict)


def template_of(player: Mapping[str, Any]) -> TemplateRecord | None:
    """Return the template that a run's player was asked with; None if unknown."""
    try:
        return msgspec.convert(player.get("template"), TemplateRecord)
    except msgspec.ValidationError:
        return None


_FIELDS = {found.name: found.type for found in msgspec.structs.fields(RunRecord)}
#: Keys of a player that readers use, and their types.
_OF_A_PLAYER = {"type": str | None, "model": str | None, "backend": str | None}


def decode_run(content: bytes) -> tuple[RunRecord, list[str]]:
    """Return the record in a ``run.json``, and the problems with single keys.

    Raises:
        DamagedRecordError: it holds no JSON object.
    """
    try:
        found = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedRecordError(f"it is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise DamagedRecordError("it holds no JSON object")
    problems: list[str] = []
    values = dict(_converted(found, problems))
    return RunRecord(**values), problems


def _converted(found: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    for name, kind in _FIELDS.items():
        if found.get(name) is None:  # absent, as in older runs, or unknown
            continue
        try:
            value = msgspec.convert(found[name], kind)
            if name == "players":
                _check_players(value)
        except (msgspec.ValidationError, OverflowError) as error:
            what = problem_of(error)
            problems.append(f"{name}{'.' if ': ' in what else ': '}{what}")
        else:
            yield name, value


def _check_players(players: Mapping[str, Mapping[str, Any]]) -> None:
    for player, facts in players.items():
        for key, kind in _OF_A_PLAYER.items():
            try:
                msgspec.convert(facts.get(key), kind)
            except msgspec.ValidationError as error:
                raise msgspec.ValidationError(f"{error} - at $.{player}.{key}") from error


def read_run(directory: Path) -> tuple[RunRecord, list[str]]:
    """Return a run directory's ``run.json``, and the problems with single keys.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read, or is no regular file.
        DamagedRecordError: it holds no JSON object.
    """
    return decode_run(read_file(directory / layout.RUN))


def run_or_none(directory: Path) -> RunRecord | None:
    """Return a run directory's ``run.json``, or None if it cannot be read."""
    try:
        return read_run(directory)[0]
    except (OSError, DamagedRecordError):
        return None


def encode_run(record: RunRecord) -> bytes:
    """Return the bytes of ``run.json``."""
    return msgspec.json.format(msgspec.json.encode(record, enc_hook=plain_data), indent=2) + b"\n"


def write_run(directory: Path, record: RunRecord) -> None:
    """Replace a run directory's ``run.json``; the caller ensures that no one else writes to it.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(directory / layout.RUN, encode_run(record))
