"""Prepare the experiment of a stored job: in a worker, or when a sweep is resumed."""

from __future__ import annotations

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.value_checks import with_types
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.preflight.preparation import prepare
from game_reasoning_arena.sweeping.files import JobFile


def stored_experiment(
    job: JobFile, *, check_backends: bool = True, catalog: Catalog | None = None
) -> Experiment:
    """Return the experiment of a job as its sweep checked it.

    Its configuration is complete except for the files that it names, and the catalog entries of
    models that it does not describe. If these have changed the experiment, it is refused.

    Args:
        job: the content of ``.jobs/N.json``; relative paths start in the working directory.
        check_backends: whether to ask the backends if they can serve here and now.
        catalog: a catalog already read.

    Raises:
        ConfigProblems: it cannot be run here.
        UserError: it would be another experiment.
    """
    cfg = with_types(job.config)
    experiment = prepare(cfg, check_backends=check_backends, catalog=catalog)
    if job.identity not in (None, experiment.identity):
        raise UserError(
            f"{job.directory} would ask something else now than when its sweep was checked, "
            "though its configuration is the same: a file that it names was changed (prompt "
            "template, prompts, policy table, a class of yours), or the catalog's entry of one of "
            "its models, or the program is of another version here. Take the change back, or start "
            "a new sweep."
        )
    return experiment
