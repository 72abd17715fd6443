"""`arena resume DIR`: finish a run or a sweep without asking again for anything it has.

arena resume outputs/2026-11-22/10-23-45-123456
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.recording import layout

if TYPE_CHECKING:
    from game_reasoning_arena.running.past import Past

HELP = """Finish an unfinished run: answers that are on disk are used again, only the rest is asked
for. KEY=VALUE words may change how it is carried out (concurrency, budget.*, backend limits), and
episodes=MORE extends a run of a game; any other change of what is asked is refused."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directory", type=Path, help="a run or sweep directory")
    parser.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE")


def run(args: argparse.Namespace) -> int:
    """Resume; the run's exit code.

    Raises:
        UserError: no run is there, or the words change what it asks.
    """
    directory: Path = args.directory
    if (directory / layout.SWEEP).is_file():
        from game_reasoning_arena.running.past import where_begun
        from game_reasoning_arena.sweeping.sweep import resume_sweep, words_to_resume

        with where_begun(directory) as directory:
            if not args.overrides:
                return resume_sweep(directory)
            from game_reasoning_arena.commands.play import run_hydra

            return run_hydra(words_to_resume(directory, args.overrides))
    from game_reasoning_arena.recording.versions import changed_versions
    from game_reasoning_arena.recording.writer import DirectoryLock
    from game_reasoning_arena.running.past import load_past, where_begun
    from game_reasoning_arena.running.provenance import provenance
    from game_reasoning_arena.running.result_table import show_result
    from game_reasoning_arena.running.runner import run as play
    from game_reasoning_arena.sweeping.logs import job_log

    if not (directory / layout.RUN).is_file():
        raise UserError(
            f"{directory} holds no run ({layout.RUN} is missing). Give a run directory, such as "
            "outputs/DATE/TIME."
        )
    with DirectoryLock(directory), where_begun(directory) as directory:
        past = load_past(directory)
        experiment = experiment_of(directory, args.overrides)
        _refuse_changes(directory, experiment, past)
        _set_length(directory, experiment, past)
        if changed := changed_versions(past.provenances[-1], provenance(experiment)):
            past.notes.append(f"what is there was played with other versions: {', '.join(changed)}")
        for note in past.notes:
            sys.stderr.write(f"{note}\n")
        sys.stderr.write(f"{past}\n")
        with job_log(directory):
            result = play(experiment, directory, overrides=args.overrides, past=past)
    show_result(result, words=args.overrides)
    return result.exit_code


def experiment_of(
    directory: Path, overrides: list[str] | None = None, *, checked: bool = True
) -> Experiment:
    """The experiment that a run directory's ``config.yaml`` describes.

    Args:
        directory: a run directory.
        overrides: further ``KEY=VALUE`` words.
        checked: ask the backends whether they could serve now (keys, engines).

    Raises:
        UserError: there is no config.yaml, or it cannot be used.
    """
    from game_reasoning_arena.preflight.preparation import prepare
    from game_reasoning_arena.preflight.session import compose_words

    path = directory / layout.CONFIG
    if not path.is_file():
        raise UserError(
            f"{directory} holds no run ({layout.CONFIG} is missing). Give a run directory, such as "
            "outputs/DATE/TIME."
        )
    words = ["--config", str(path), *(overrides or [])]
    run = run_json(directory)
    config_dir = run.get("config_dir")
    if config_dir is not None and not Path(config_dir).is_dir():
        config_dir = None  # what it held stands in config.yaml
    try:
        cfg = compose_words(words, config_dir)
        return prepare(cfg, check_backends=checked, played=not checked)
    except ConfigProblems as error:
        begun = run.get("cwd")
        if begun is None or Path(begun).is_dir():
            raise
        gone = (
            f"{directory} was begun in {begun}, which is not there any more, so files that it "
            f"names were looked for in {Path.cwd()}. Call this where they are now."
        )
        raise ConfigProblems([*error.problems, gone]) from error


def run_json(directory: Path) -> dict[str, Any]:
    """The content of ``run.json``, or nothing where it cannot be read."""
    import orjson

    try:
        content = orjson.loads((directory / layout.RUN).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}  # told by whoever reads the run
    return content if isinstance(content, dict) else {}


def files_changed_since(directory: Path, experiment: Experiment) -> list[str]:
    """The settings that name files which were changed since a run was begun, as ``KEY=PATH``."""
    from game_reasoning_arena.preflight.experiment import changed_files

    then = run_json(directory).get("contents") or {}
    return changed_files(then, experiment.contents, experiment.config)


def _refuse_changes(directory: Path, experiment: Experiment, past: Past) -> None:
    from game_reasoning_arena.configuration.command_line import read_plain_file
    from game_reasoning_arena.running.past import UNSEEN_CHANGE

    before = _flat(read_plain_file(directory / layout.CONFIG))
    same_shard = before.get("shard") == experiment.config["shard"]
    run = run_json(directory)
    if same_shard and run.get("identity") == experiment.identity:
        return
    planned = (run.get("episodes") or {}).get("planned")
    if (
        isinstance(planned, int)
        and run.get("identity") == experiment.identity_of(planned)
        and experiment.begins_like(planned)
    ):
        if (directory.resolve().parent / layout.SWEEP).is_file():
            raise UserError(
                f"{directory} is a job of a sweep, whose jobs keep their number of episodes. Start "
                "the sweep anew with more."
            )
        if past.reached > experiment.episodes:
            raise UserError(
                f"episodes={experiment.episodes}: {directory} has come to episode {past.reached} "
                "already; nothing that was played is taken out of a run."
            )
        return
    now = _flat(dict(experiment.config))
    changed = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    asked = [key for key in changed if _asked_for(key, before, now)]
    changes = [
        f"  {key}: {before.get(key, 'not set')} -> {now.get(key, 'not set')}"
        for key in asked or [key for key in changed if key.startswith("catalog.")]
    ]
    changes += [
        f"  the file of {changed} has another content"
        for changed in files_changed_since(directory, experiment)
    ]
    raise UserError(
        f"{directory} was begun with another configuration, so its answers cannot be used:\n"
        + ("\n".join(changes) or f"  {UNSEEN_CHANGE}")
        + "\nTake the changes back, or start a new run. Of what is asked, only the number of "
        "episodes of a game can change, where the run is no shard."
    )


def _asked_for(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a person changed what is asked by this key; other models bring other entries."""
    from game_reasoning_arena.preflight.experiment import BACKEND_NOT_IDENTITY, NOT_IDENTITY

    group, _, rest = key.partition(".")
    if group == "backend":
        prefix, _, setting = rest.partition(".")
        kept = f"backend.{prefix}._target_"
        return kept in before and kept in now and setting not in BACKEND_NOT_IDENTITY
    return group == "shard" or group not in (*NOT_IDENTITY, "catalog")


def _set_length(directory: Path, experiment: Experiment, past: Past) -> None:
    """Write down another number of episodes, and nothing else that was said for this sitting."""
    from game_reasoning_arena.configuration.command_line import read_plain_file
    from game_reasoning_arena.recording.config_text import as_yaml

    run = run_json(directory)
    if run.get("identity") != experiment.identity:
        before = run["episodes"]["planned"]
        past.extended.append({"from": before, "to": experiment.episodes, "at": time.time()})
        past.notes.append(f"{before} episodes were planned, now {experiment.episodes}")
    path = directory / layout.CONFIG
    config = read_plain_file(path)
    if config.get("episodes") != experiment.episodes:
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(as_yaml({**config, "episodes": experiment.episodes}), encoding="utf-8")
        fresh.replace(path)


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(node, dict) and node:
        flat: dict[str, Any] = {}
        for key, value in node.items():
            flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
        return flat
    return {prefix: node}
