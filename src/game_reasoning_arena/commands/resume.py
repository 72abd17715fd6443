"""`arena resume DIR`: finish a run or a sweep without asking any recorded question again.

arena resume outputs/2026-11-22/10-23-45-123456
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.configuration.demands import words_to_trust
from game_reasoning_arena.configuration.trust import TRUST_OPTION, Trust, add_trust_option, trusting
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.preflight.experiment import (
    BACKEND_NOT_IDENTITY,
    NOT_IDENTITY,
    Experiment,
    changed_files,
)
from game_reasoning_arena.process.files import read_file, replace_file
from game_reasoning_arena.process.yaml_text import check_end
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import as_yaml, flatten
from game_reasoning_arena.recording.decoding import record_or_none
from game_reasoning_arena.recording.reader import RunReader
from game_reasoning_arena.recording.run_record import Extension, RunRecord, run_or_none
from game_reasoning_arena.records import FINAL
from game_reasoning_arena.running.recovery import recovered_run

if TYPE_CHECKING:
    from game_reasoning_arena.running.past import Past

HELP = """Finish an unfinished run: answers that are on disk are used again, only the rest is asked
for. KEY=VALUE words may change how it is carried out (concurrency, budget.*, backend limits), and
episodes=MORE extends a run of a game; any other change of what is asked is refused."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directory", type=Path, help="a run or sweep directory")
    parser.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE")
    add_trust_option(parser)


def run(args: argparse.Namespace) -> int:
    """Resume; return the run's exit code.

    Raises:
        UserError: there is no run, or the words change its questions.
    """
    directory: Path = args.directory
    for word in args.overrides:
        if "=" not in word:
            raise UserError(f"{word} is no KEY=VALUE; one directory is resumed at a time.")
    with trusting(Trust.of_file(directory, args.overrides, args.trust, TRUST_OPTION)):
        return _resume(directory, args.overrides, args.trust)


def _resume(directory: Path, overrides: list[str], trust: list[str]) -> int:
    if (directory / layout.SWEEP).is_file():
        from game_reasoning_arena.running.past import where_begun
        from game_reasoning_arena.sweeping.sweep import resume_sweep, words_to_resume

        with where_begun(directory) as directory:
            if not overrides:
                return resume_sweep(directory)
            from game_reasoning_arena.commands.play import run_hydra

            return run_hydra(words_to_resume(directory, overrides))
    from game_reasoning_arena.recording.versions import changed_versions
    from game_reasoning_arena.recording.writer import DirectoryLock
    from game_reasoning_arena.running.past import load_past, where_begun
    from game_reasoning_arena.running.provenance import provenance
    from game_reasoning_arena.running.result_table import show_result
    from game_reasoning_arena.running.runner import run as play
    from game_reasoning_arena.sweeping.logs import job_log

    recovered_run(directory)  # raises if the directory holds nothing of a run
    with DirectoryLock(directory), where_begun(directory) as directory:
        if (lost := _lost(directory / layout.CONFIG)) is not None:
            sys.stderr.write(f"{_config_again(directory, lost)}\n")
        experiment = experiment_of(directory, overrides)
        record, _ = recovered_run(directory)
        mended = _mended_code(directory, experiment, record)
        if not mended:
            _refuse_changes(directory, experiment, record)
        past = load_past(directory, experiment)
        _write_down(directory, experiment, record, past)
        past.notes += mended
        past.earlier_notices = (*past.earlier_notices, *mended)
        if changed := changed_versions(past.provenances[-1], provenance(experiment)):
            past.notes.append(f"what is there was played with other versions: {', '.join(changed)}")
        for note in past.notes:
            sys.stderr.write(f"{note}\n")
        sys.stderr.write(f"{past}\n")
        with job_log(directory):
            result = play(experiment, directory, overrides=overrides, past=past)
    show_result(result, words=[*overrides, *(["--trust", ",".join(trust)] if trust else [])])
    return result.exit_code


def experiment_of(
    directory: Path, overrides: list[str] | None = None, *, checked: bool = True
) -> Experiment:
    """Return the experiment of a run directory's ``config.yaml``.

    Args:
        directory: a run directory.
        overrides: further ``KEY=VALUE`` words.
        checked: whether to ask the backends if they can serve now (keys, engines).

    Raises:
        UserError: there is no config.yaml, or it cannot be used.
    """
    from game_reasoning_arena.preflight.preparation import prepare
    from game_reasoning_arena.preflight.session import compose_with_catalog

    path = directory / layout.CONFIG
    try:
        read_file(path)
    except FileNotFoundError:
        raise UserError(
            f"{directory} holds no run ({layout.CONFIG} is missing). Give a run directory, such as "
            "outputs/DATE/TIME."
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    words = ["--config", str(path), *(overrides or [])]
    record = run_or_none(directory) or RunRecord()
    try:
        cfg, catalog = compose_with_catalog(words)
        return prepare(cfg, check_backends=checked, played=not checked, begun=True, catalog=catalog)
    except ConfigProblems as error:
        begun = record.cwd
        if begun is None or Path(begun).is_dir():
            raise
        gone = (
            f"{directory} was begun in {begun}, which is not there any more, so files that it "
            f"names were looked for in {Path.cwd()}. Call this where they are now."
        )
        raise ConfigProblems([*error.problems, gone]) from error


def files_changed_since(directory: Path, experiment: Experiment) -> list[str]:
    """Return the settings of files that changed since a run was begun, as ``KEY=PATH``."""
    then = run_or_none(directory) or RunRecord()
    return changed_files(then.contents, experiment.contents, experiment.config)


def _lost(path: Path) -> str | None:
    """Return what a power failure did to a configuration, None if nothing can be seen.

    What a person wrote wrongly is no such loss: it is theirs to correct.
    """
    try:
        content = read_file(path)
        check_end(content)
    except FileNotFoundError:
        return "missing"
    except OSError:  # reported where it is read
        return None
    except ValueError as error:
        return f"damaged ({error})"
    if not content.strip():
        return "damaged (it is empty)"
    return "damaged (it holds zero bytes)" if b"\0" in content else None


def _config_again(directory: Path, lost: str) -> str:
    """Write a lost ``config.yaml`` anew; return a note on it.

    Args:
        directory: of the run.
        lost: what happened to the file, after "is".

    Raises:
        UserError: its content cannot be reconstructed.
    """
    from game_reasoning_arena.preflight.preparation import prepare
    from game_reasoning_arena.preflight.session import compose_words
    from game_reasoning_arena.sweeping.files import JobFile

    path = directory / layout.CONFIG
    for file in sorted((directory.resolve().parent / layout.JOBS).glob("*.json")):
        job = record_or_none(file, JobFile)
        if job is not None and Path(job.directory).name == directory.resolve().name:
            _write_config(path, job.config, lost)
            return f"{path} is {lost}; it is made anew from {file}"
    record, _ = recovered_run(directory)
    words = [word for word in record.overrides if not word.lstrip("+~").startswith("hydra")]
    try:
        experiment = prepare(compose_words(words), check_backends=False, played=True)
    except ConfigProblems as error:
        raise ConfigProblems(
            [
                f"{path} is {lost}, and the words that the run was begun with are no help:",
                *error.problems,
            ]
        ) from error
    if record.identity is None or experiment.identity != record.identity:
        raise UserError(
            f"{path} is {lost}, so what the run asks is unknown: the words that it was begun with "
            f"({' '.join(words) or 'none'}) make another run here. Put the file back, or begin a "
            "new run. What was played can still be read by `arena compare`."
        )
    _write_config(path, experiment.config, lost)
    return f"{path} is {lost}; it is made anew from the words that the run was begun with"


def _write_config(path: Path, config: Mapping[str, Any], lost: str) -> None:
    try:
        replace_file(path, as_yaml(config))
    except OSError as error:
        raise UserError(
            f"{path} is {lost}, and it cannot be made anew: {error.strerror or error}. Correct the "
            f"permissions of {path.parent}, or resume a copy of it."
        ) from error


def _reached(directory: Path) -> int:
    """Return one more than the number of the last episode with any line."""
    reader = RunReader(directory, notice=lambda _: None)
    numbers = [line["episode"] for line in (*reader.episodes(), *reader.responses())]
    return max(numbers, default=-1) + 1


def _refuse_changes(directory: Path, experiment: Experiment, record: RunRecord) -> None:
    from game_reasoning_arena.configuration.command_line import read_plain_file
    from game_reasoning_arena.running.past import UNSEEN_CHANGE

    before = flatten(read_plain_file(directory / layout.CONFIG))
    same_shard = before.get("shard") == experiment.config["shard"]
    if same_shard and record.identity in (None, experiment.identity):
        return  # a lost identity is computed anew
    planned = record.planned
    if (
        planned is not None
        and record.identity == experiment.identity_of(planned)
        and experiment.begins_like(planned)
    ):
        if (directory.resolve().parent / layout.SWEEP).is_file():
            raise UserError(
                f"{directory} is a job of a sweep, whose jobs keep their number of episodes. Start "
                "the sweep anew with more."
            )
        if (reached := _reached(directory)) > experiment.episodes:
            raise UserError(
                f"episodes={experiment.episodes}: {directory} has come to episode {reached} "
                "already; nothing that was played is taken out of a run."
            )
        return
    now = flatten(experiment.config)
    changed = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    asked = [key for key in changed if _asked_for(key, before, now)]
    changes = [
        f"  {key}: {before.get(key, 'not set')} -> {now.get(key, 'not set')}"
        for key in asked or [key for key in changed if key.startswith("catalog.")]
    ]
    files = files_changed_since(directory, experiment)
    changes += [f"  the file of {changed} has another content" for changed in files]
    begin = f": {_new_run(directory, experiment)}" if files and len(changes) == len(files) else "."
    raise UserError(
        f"{directory} was begun with another configuration, so its answers cannot be used:\n"
        + ("\n".join(changes) or f"  {UNSEEN_CHANGE}")
        + f"\nTake the changes back, or start a new run{begin}\nOf what is asked, only the number "
        "of episodes of a game can change, where the run is no shard."
    )


def _new_run(directory: Path, experiment: Experiment) -> str:
    """Return the command that begins a new run of the same configuration."""
    words = ["arena", "--config", str(directory / layout.CONFIG)]
    if trust := words_to_trust(experiment.config):
        words.append(f"trusted_targets=[{trust[-1]}]")
    return shlex.join(words)


def _mended_code(directory: Path, experiment: Experiment, record: RunRecord) -> list[str]:
    """Return a note on each class of the user's own whose file was changed and may be.

    It may if nothing else was changed, and no episode has come to its end: then no result is the
    old code's.
    """
    then, now = record.contents, experiment.contents
    changed = {key: then[key] for key in then.keys() & now.keys() if then[key] != now[key]}
    before = experiment.identity_of(experiment.episodes, {**now, **changed})
    code_alone = changed and all(key.endswith("._target_") for key in changed)
    if not code_alone or record.identity != before or experiment.shard is not None:
        return []
    if any(e["status"] in FINAL for e in RunReader(directory, notice=lambda _: None).episodes()):
        return []
    return [
        f"the file of {file} was changed before any episode had come to its end"
        for file in files_changed_since(directory, experiment)
    ]


def _asked_for(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether the user changed a question by this key; other models bring other entries."""
    group, _, rest = key.partition(".")
    if rest.endswith("display_name"):
        return False
    if group == "backend":
        prefix, _, setting = rest.partition(".")
        kept = f"backend.{prefix}._target_"
        return kept in before and kept in now and setting not in BACKEND_NOT_IDENTITY
    return group == "shard" or group not in (*NOT_IDENTITY, "catalog")


def _renamed(written: Mapping[str, Any], experiment: Experiment) -> list[str]:
    """Return a sentence for each player with another name in tables than before."""
    before = flatten(written)
    return [
        f"{player.name} is now called {player.display_name}"
        for player in experiment.players
        if player.display_name is not None
        and player.display_name != before.get(f"agents.{player.name}.display_name")
    ]


def _write_down(directory: Path, experiment: Experiment, record: RunRecord, past: Past) -> None:
    """Record another number of episodes and display names, and no other setting of this sitting."""
    from game_reasoning_arena.configuration.command_line import read_plain_file

    changed = record.identity not in (None, experiment.identity)
    before = record.planned
    if changed and before is not None and before != experiment.episodes:
        step = Extension(before=before, after=experiment.episodes, at=time.time())
        past.extended.append(step)
        past.notes.append(f"{before} episodes were planned, now {experiment.episodes}")
    path = directory / layout.CONFIG
    written = read_plain_file(path)
    past.notes += _renamed(written, experiment)
    config: dict[str, Any] = {**written, "episodes": experiment.episodes}
    named = {p.name: p.display_name for p in experiment.players if p.display_name is not None}
    if named and isinstance(agents := config.get("agents"), Mapping):
        config["agents"] = {
            name: {**agent, "display_name": named[name]} if name in named else agent
            for name, agent in agents.items()
        }
    if config != written:
        replace_file(path, as_yaml(config))
