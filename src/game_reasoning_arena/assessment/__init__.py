"""Assess recorded runs: compare every decision with the best one, and take out luck.

from game_reasoning_arena.assessment import EvaluatorSettings, assess_runs

assess_runs(["outputs/2026-11-22/10-23-45-123456"], EvaluatorSettings())
"""

from game_reasoning_arena.assessment.assess import Assessed, assess_run, assess_runs
from game_reasoning_arena.assessment.description import sentences
from game_reasoning_arena.assessment.recorded_run import check_assessable
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings

__all__ = [
    "Assessed",
    "EvaluatorSettings",
    "assess_run",
    "assess_runs",
    "check_assessable",
    "sentences",
]
