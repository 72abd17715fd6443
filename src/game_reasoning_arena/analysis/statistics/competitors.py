"""Who is compared: players of many runs, gathered by what they are.

Two players are the same competitor when their settings are equal: type, model, sampling as it was
asked for, and every option of the agent. A label names the model (or the type) and whatever differs
from others of the same name. Where settings meet themselves, the players' names tell them apart.
When runs repeat the very same deals with the same settings and names, they are told apart by run,
since then the runs are what is compared. The same two under exchanged names, as a sweep of every
model against every model plays them, are more games of the same pairing.

What is shown is a name: the ``display_name`` of the agent, or a short one with that of its model
(see :mod:`names`). It tells competitors apart, and never decides who is one.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from game_reasoning_arena.analysis.statistics.names import apart, short_names
from game_reasoning_arena.process.text import plain
from game_reasoning_arena.recording.config_text import frozen
from game_reasoning_arena.recording.frames import LoadedRuns

#: Players without a draw of their own, and a stand-in that never draws, whatever its temperature.
_STEADY_TYPES = frozenset({"uci"})
_STEADY_MODELS = frozenset({"scripted_first"})

#: (row of runs, player's name).
PlayerKey = tuple[int, str]


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
    """A label, which is nobody else's, with the settings behind it.

    ``asked`` is True when a model is asked. ``full`` is the label with the whole name of the model
    and the settings by their keys. ``unsplit`` is the label without the run, where runs are told
    apart. ``twin_of`` is the label without the player's name where the settings met themselves,
    else None. ``given`` and ``model_given`` are names that this player and its model were given.
    ``draws`` is False where the settings leave nothing to chance, so that the same player in the
    same place makes the same moves.
    """

    label: str
    settings: Mapping[str, Any]
    asked: bool
    unsplit: str
    full: str
    twin_of: str | None = None
    given: str | None = None
    model_given: str | None = None

    @property
    def draws(self) -> bool:
        """Whether its moves may differ from one time to the next."""
        if self.asked:
            steady = self.settings.get("temperature") == 0 or self.settings.get("top_k") == 1
            return not steady and self.settings.get("model") not in _STEADY_MODELS
        return self.settings.get("type") not in _STEADY_TYPES

    def as_dict(self) -> dict[str, Any]:
        """Return what the label stands for, for JSON."""
        return {"full": self.full, "asked": self.asked, "settings": dict(self.settings)}


def competitors(loaded: LoadedRuns) -> dict[PlayerKey, Competitor]:
    """Return the competitor behind every player of every run."""
    recorded = _MostOften(loaded)
    settings = {
        (run, name): _settings(loaded, run, name, recorded)
        for run in range(len(loaded.readers))
        for name in players(loaded, run)
    }
    labels = {competitor: plain(label) for competitor, label in _labels(settings).items()}
    given = {competitor: _given(loaded, *competitor) for competitor in settings}
    models = _first_of(
        (str(settings[competitor]["model"]), name) for competitor, (_, name) in given.items()
    )
    own = _first_of((labels[competitor], name) for competitor, (name, _) in given.items())
    names = short_names(labels.values(), own, {plain(model): models[model] for model in models})
    often = Counter((run, label) for (run, _), label in labels.items())
    # The same settings twice in one run are known by the players' names.
    tails = {
        (run, player): f" as {plain(player)}" if often[run, label] > 1 else ""
        for (run, player), label in labels.items()
    }
    shown = {
        label + tails[competitor]: names[label] + tails[competitor]
        for competitor, label in labels.items()
    }
    shown = apart({full: [name, f"{name} ({full})"] for full, name in shown.items()})
    found = {}
    for competitor, mine in settings.items():
        full = labels[competitor] + tails[competitor]
        found[competitor] = Competitor(
            label=shown[full],
            settings=mine,
            asked=mine.get("model") is not None,
            unsplit=shown[full],
            full=full,
            twin_of=names[labels[competitor]] if tails[competitor] else None,
            given=given[competitor][0],
            model_given=given[competitor][1],
        )
    return found


def model_names(competitors: Mapping[PlayerKey, Competitor]) -> dict[str, str]:
    """Return the name that is shown of each model, or of a type where there is no model."""
    bases = {
        one: str(c.settings.get("model") or c.settings.get("type"))
        for one, c in competitors.items()
    }
    given = _first_of((bases[one], c.model_given) for one, c in competitors.items())
    return short_names(bases.values(), models=given)


def _first_of(pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """The first name that each was given."""
    found: dict[str, str] = {}
    for key, name in pairs:
        if name is not None:
            found.setdefault(key, name)
    return found


def _given(loaded: LoadedRuns, run: int, player: str) -> tuple[str | None, str | None]:
    """The names that a player and its model were given."""
    config = loaded.readers[run].config
    agents, catalog = config.get("agents"), config.get("catalog")
    agent = agents.get(player) if isinstance(agents, Mapping) else None
    agent = agent if isinstance(agent, Mapping) else {}
    entries = catalog.get("models") if isinstance(catalog, Mapping) else None
    model = loaded.readers[run].run.players.get(player, {}).get("model") or agent.get("model")
    entry = next(
        (one for one in entries or () if isinstance(one, Mapping) and one.get("name") == model), {}
    )
    return _name(agent.get("display_name")), _name(entry.get("display_name"))


def _name(value: Any) -> str | None:
    return " ".join(plain(value).split()) or None if isinstance(value, str) else None


def players(loaded: LoadedRuns, run: int) -> list[str]:
    """Return the names of a run's players, from whatever names them."""
    reader = loaded.readers[run]
    seated = reader.run.players or reader.config.get("agents") or {}
    names = list(seated)
    seen = loaded.episodes.loc[loaded.episodes["run"] == run, "seats"]
    names += [name for seats in seen.head(8) if seats for name in seats]
    if not names:
        mine = loaded.responses
        names = sorted(mine.loc[mine["run"] == run, "player"].dropna().unique())
    return list(dict.fromkeys(names))


def run_names(loaded: LoadedRuns) -> list[str]:
    """Return a short name per run: what its path does not share with the others."""
    paths = [os.path.abspath(reader.path) for reader in loaded.readers]
    if len(paths) == 1:
        return [plain(Path(paths[0]).name)]
    common = os.path.commonpath(paths)
    return [plain(os.path.relpath(path, common)) for path in paths]


def _settings(loaded: LoadedRuns, run: int, player: str, recorded: _MostOften) -> dict[str, Any]:
    reader = loaded.readers[run]
    known = reader.run.players.get(player, {})
    agents = reader.config.get("agents")
    agent = dict((agents or {}).get(player) or {}) if isinstance(agents, dict) else {}
    agent.pop("sampling", None)
    agent.pop("display_name", None)
    model = known.get("model") or agent.get("model")
    own_class = agent.pop("_target_", None)
    kind = known.get("type") or agent.get("type") or own_class or ("llm" if model else "unknown")
    if kind == "llm" and model is None:
        model = recorded.of(run, player, "model")
    asks = kind == "llm" or known.get("model") is not None
    settings = {"type": kind, "model": model if asks else None}
    settings.update((k, v) for k, v in agent.items() if k not in settings and v is not None)
    if asks:
        requested = recorded.of(run, player, "requested")
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


class _MostOften:
    """The value that most of a player's responses have, of columns that are asked for."""

    def __init__(self, loaded: LoadedRuns) -> None:
        self._loaded = loaded
        self._found: dict[str, dict[PlayerKey, Any]] = {}

    def of(self, run: int, player: str, column: str) -> Any:
        """Return it; None without responses."""
        if column not in self._found:
            self._found[column] = self._counted(column)
        return self._found[column].get((run, player))

    def _counted(self, column: str) -> dict[PlayerKey, Any]:
        table = self._loaded.responses
        if column not in table:
            return {}
        keys = ["run", "player", column]
        counts: Any = table.groupby(keys, sort=False, observed=True).size()
        often = counts.sort_values(ascending=False, kind="stable").reset_index()
        first = often.drop_duplicates(["run", "player"])
        return {
            (int(run), str(player)): value
            for run, player, value in zip(*(first[key] for key in keys), strict=True)
        }


def _labels(settings: Mapping[PlayerKey, Mapping[str, Any]]) -> dict[PlayerKey, str]:
    groups: dict[str, list[PlayerKey]] = defaultdict(list)
    for competitor, mine in settings.items():
        groups[str(mine.get("model") or mine["type"])].append(competitor)
    labels: dict[PlayerKey, str] = {}
    for base, members in groups.items():
        varying = [
            key
            for key in dict.fromkeys(key for competitor in members for key in settings[competitor])
            if len({frozen(settings[competitor].get(key)) for competitor in members}) > 1
        ]
        for competitor in members:
            own = settings[competitor]
            parts = [
                f"{key}={short_value(own[key])}" for key in varying if own.get(key) is not None
            ]
            labels[competitor] = f"{base} ({', '.join(parts)})" if parts else base
    return labels


def short_value(value: Any) -> str:
    """Return a setting's value as labels show it: a long one by its hash."""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    if len(text) <= 24 and "\n" not in text:
        return text
    return "#" + hashlib.sha256(text.encode()).hexdigest()[:6]
