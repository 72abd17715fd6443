"""The commands of `arena` and their lines in the overview."""

from __future__ import annotations

#: Commands by name: the module under ``commands`` and the line in the overview.
COMMANDS = {
    "compare": "compare runs and sweeps: rates with intervals, ratings, latency, cost",
    "assess": "measure every decision against the best one, and take luck out of results",
    "report": "one HTML page on which every game can be replayed",
    "merge": "put the shards of a run together into one run",
    "resume": "finish an unfinished run or sweep",
    "replay": "play a recorded run again without network",
    "verify": "replay known answers: random and optimal play of small games",
    "models": "the models of the catalog",
    "providers": "the API providers, and which keys are set",
    "doctor": "what is installed, what is missing, for what",
}
