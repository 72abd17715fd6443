"""Scorers of answers to prompts: trust in a user's code, and the judging model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.value_checks import Problems, check_sampling
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.preflight.players import resolved_model
from game_reasoning_arena.process.targets import PACKAGE, check_target
from game_reasoning_arena.records import Sampling
from game_reasoning_arena.simulation.prompts.checks import JUDGE

#: Sampling of a judge: room for reasons before its grade, and the same grade each time.
JUDGE_SAMPLING = Sampling(temperature=0.0, max_tokens=1000)


def trusted_scorer(
    simulation: Mapping[str, Any], trusted_targets: list[str], problems: Problems
) -> dict[str, Any]:
    """Return the ``simulation`` node, without a scorer whose code is not trusted.

    Args:
        simulation: the node.
        trusted_targets: the dotted prefixes that the user allows beside this package.
        problems: receives targets that are not trusted.
    """
    scorer = simulation.get("scorer")
    if not isinstance(scorer, Mapping):
        return dict(simulation)
    trusted = (f"{PACKAGE}.simulation.prompts", *trusted_targets)  # the rest scores nothing
    for where, node in (
        ("simulation.scorer", scorer),
        ("simulation.scorer.check", scorer.get("check")),
    ):
        if not isinstance(node, Mapping) or node.get("_target_") is None:
            continue
        target = str(node["_target_"]).replace(":", ".")
        try:
            check_target(target, trusted, where=f"{where}._target_")
        except UserError as error:
            problems.add(str(error))
            return {**simulation, "scorer": "none"}
    return dict(simulation)


def judging_player(
    simulation: Mapping[str, Any],
    catalog: Catalog | None,
    backend_confs: Mapping[str, Any],
    problems: Problems,
) -> list[PlayerSpec]:
    """Return the judging model as a player without a seat; empty if there is none.

    Its sampling is its own: the players' settings of a run or a sweep do not apply.

    Args:
        simulation: the node.
        catalog: resolves the model; None if the catalog itself is broken.
        backend_confs: the ``backend`` node.
        problems: receives the problems.
    """
    scorer = simulation.get("scorer")
    if scorer == JUDGE:
        scorer = {"type": JUDGE}
    if not isinstance(scorer, Mapping) or scorer.get("type") != JUDGE:
        return []
    where, asked = "simulation.scorer", scorer.get("model")
    given = scorer.get("sampling") or {}
    if not isinstance(given, Mapping):
        problems.add(f"{where}.sampling={given!r}: give {where}.sampling.temperature=... instead.")
        given = {}
    sampling = check_sampling(given, f"{where}.sampling", problems)
    model = resolved_model(asked, where, catalog, backend_confs, problems)
    if model is not None:
        sampling = sampling.merged(model.sampling)
    return [
        PlayerSpec(name=JUDGE, type="llm", model=model, sampling=sampling.merged(JUDGE_SAMPLING))
    ]


def judge_config(scorer: Any, judges: list[PlayerSpec]) -> Any:
    """Return ``simulation.scorer`` as it is recorded: the judge's values final."""
    if not judges or judges[0].model is None:
        return scorer
    kept = {} if isinstance(scorer, str) else dict(scorer)
    sampling = judges[0].sampling.as_config()
    return {"type": JUDGE, **kept, "model": judges[0].model.name, "sampling": sampling}
