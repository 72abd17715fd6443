"""Who is compared: players of many runs, gathered by what they are.

Two players are the same competitor when their settings are equal: type, model, sampling as it was
asked for, and every option of the agent. A label names the model (or the type) and whatever differs
from others of the same name. Where settings meet themselves, the players' names tell them apart.
When runs repeat the very same deals with the same settings and names, they are told apart by run,
since then the runs are what is compared. The same two under exchanged names, as a sweep of every
model against every model plays them, are more games of the same pairing.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from game_reasoning_arena.analysis.tables.plain import plain
from game_reasoning_arena.recording.frames import LoadedRuns

#: Players without a draw of their own, and a stand-in that never draws, whatever its temperature.
_STEADY_TYPES = frozenset({"uci"})
_STEADY_MODELS = frozenset({"scripted_first"})

#: (row of runs, player's name).
Who = tuple[int, str]


#: Settings of ``simulation`` that say how prompts are asked, by what they are called in labels.
ASKED_HOW: Final = {
    "template": "row_template",
    "shots": "shots",
    "shots_file": "shots_file",
    "shots_template": "shots_template",
    "scorer": "scorer",
}


@dataclass(frozen=True, slots=True)
class Competitor:
    """A label with the settings behind it; ``asked`` is True when a model is asked.

    ``unsplit`` is the label without the run, where runs are told apart.
    ``twin_of`` is the label without the player's name where the settings met themselves, else None.
    ``draws`` is False where the settings leave nothing to chance, so that the same player in the
    same place makes the same moves.
    """

    label: str
    settings: Mapping[str, Any]
    asked: bool
    unsplit: str
    twin_of: str | None = None

    @property
    def draws(self) -> bool:
        """Whether its moves may differ from one time to the next."""
        if self.asked:
            steady = self.settings.get("temperature") == 0 or self.settings.get("top_k") == 1
            return not steady and self.settings.get("model") not in _STEADY_MODELS
        return self.settings.get("type") not in _STEADY_TYPES


def competitors(loaded: LoadedRuns) -> dict[Who, Competitor]:
    """The competitor behind every player of every run."""
    settings = {
        (run, name): _settings(loaded, run, name)
        for run in range(len(loaded.readers))
        for name in players(loaded, run)
    }
    labels = _labels(settings)
    often = Counter((run, label) for (run, _), label in labels.items())
    found = {}
    for who, own in settings.items():
        (run, name), label = who, plain(labels[who])
        twin = often[run, labels[who]] > 1  # the same settings twice in one run
        asked = own.get("model") is not None
        shown = f"{label} as {plain(name)}" if twin else label
        found[who] = Competitor(shown, own, asked, shown, label if twin else None)
    return found


def players(loaded: LoadedRuns, run: int) -> list[str]:
    """The names of a run's players, from whatever tells them."""
    reader = loaded.readers[run]
    told = reader.run.players or reader.config.get("agents") or {}
    names = list(told)
    seen = loaded.episodes.loc[loaded.episodes["run"] == run, "seats"]
    names += [name for seats in seen.head(8) if seats for name in seats]
    if not names:
        mine = loaded.responses
        names = sorted(mine.loc[mine["run"] == run, "player"].dropna().unique())
    return list(dict.fromkeys(names))


def run_names(loaded: LoadedRuns) -> list[str]:
    """A short name per run: what its path does not share with the others."""
    paths = [os.path.abspath(reader.path) for reader in loaded.readers]
    if len(paths) == 1:
        return [plain(Path(paths[0]).name)]
    common = os.path.commonpath(paths)
    return [plain(os.path.relpath(path, common)) for path in paths]


def _settings(loaded: LoadedRuns, run: int, player: str) -> dict[str, Any]:
    reader = loaded.readers[run]
    told = reader.run.players.get(player, {})
    agents = reader.config.get("agents")
    agent = dict((agents or {}).get(player) or {}) if isinstance(agents, dict) else {}
    agent.pop("sampling", None)
    model = told.get("model") or agent.get("model")
    own_class = agent.pop("_target_", None)
    kind = told.get("type") or agent.get("type") or own_class or ("llm" if model else "unknown")
    if kind == "llm" and model is None:
        model = _first(loaded, run, player, "model")
    asks = kind == "llm" or told.get("model") is not None
    settings = {"type": kind, "model": model if asks else None}
    settings.update((k, v) for k, v in agent.items() if k not in settings and v is not None)
    if asks:
        requested = _first(loaded, run, player, "requested")
        settings.update(orjson.loads(requested) if requested else {})
        settings.update(_asked_how(reader.config.get("simulation")))
    return settings


def _asked_how(simulation: Any) -> dict[str, Any]:
    """How prompts were asked and scored, which is a part of who answers: templates, examples."""
    if not isinstance(simulation, Mapping) or simulation.get("type") != "prompts":
        return {}
    found = {name: simulation.get(key) for key, name in ASKED_HOW.items()}
    if isinstance(scorer := found["scorer"], Mapping):
        found["scorer"] = scorer.get("type") or scorer.get("_target_")
    return {name: value for name, value in found.items() if value is not None}


def _first(loaded: LoadedRuns, run: int, player: str, column: str) -> Any:
    """The value most of a player's responses have; None without responses."""
    table = loaded.responses
    if column not in table:
        return None
    mine = table.loc[(table["run"] == run) & (table["player"] == player), column].dropna()
    return None if mine.empty else mine.value_counts().index[0]


def _labels(settings: Mapping[Who, Mapping[str, Any]]) -> dict[Who, str]:
    groups: dict[str, list[Who]] = defaultdict(list)
    for who, mine in settings.items():
        groups[str(mine.get("model") or mine["type"])].append(who)
    labels: dict[Who, str] = {}
    for base, members in groups.items():
        varying = [
            key
            for key in dict.fromkeys(key for who in members for key in settings[who])
            if len({_frozen(settings[who].get(key)) for who in members}) > 1
        ]
        for who in members:
            own = settings[who]
            parts = [f"{key}={_short(own[key])}" for key in varying if own.get(key) is not None]
            labels[who] = f"{base} ({', '.join(parts)})" if parts else base
    return labels


def _frozen(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    if len(text) <= 24 and "\n" not in text:
        return text
    return "#" + hashlib.sha256(text.encode()).hexdigest()[:6]
