"""The shape of a configuration: a dataclass per group, registered with Hydra under ``schema/``.

The YAML files in ``conf/`` inherit from these, so a misspelt key or a wrong type fails when the
configuration is composed. ``agents`` and ``provider`` are dictionaries whose keys the user chooses;
Hydra would refuse new keys in a typed dictionary, so their values are checked in ``preflight``
against :data:`AGENT_TYPES` and :class:`ProviderConf`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING


class Seats(StrEnum):
    """The seating of players over the episodes."""

    rotate = "rotate"
    fixed = "fixed"


class FailurePolicy(StrEnum):
    """The policy when a player has given no legal move in all its attempts."""

    forfeit = "forfeit"
    random = "random"
    raise_ = "raise"


class CacheMode(StrEnum):
    """The use of the response cache."""

    off = "off"
    record = "record"
    reuse = "reuse"


@dataclass(eq=False, repr=False)
class SamplingConf:
    """Sampling parameters; null means not set, except for the seed: null sends none."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] | None = None
    seed: str | None = "auto"


@dataclass(eq=False, repr=False)
class OnFailureConf:
    """The policy after an answer that is no legal move."""

    policy: str = "forfeit"  # FailurePolicy; checked in preflight, since `raise` is a keyword
    rethinks: int = 2
    feedback: bool = True


@dataclass(eq=False, repr=False)
class BudgetConf:
    """Limits of a run; null is no limit."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None


@dataclass(eq=False, repr=False)
class SweepConf:
    """Settings for carrying out a sweep (``arena -m``)."""

    # Jobs at once in this process; other launchers have settings of their own.
    parallel_jobs: int = 8
    # A sweep directory to resume, or `last`.
    resume: str | None = None
    # Of all jobs together; `budget` is each job's own.
    budget: BudgetConf = field(default_factory=BudgetConf)


@dataclass(eq=False, repr=False)
class CatalogConf:
    """Models and providers beside the shipped ones."""

    files: list[str] = field(default_factory=list)
    models: list[Any] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class ModelConf:
    """A model: its name, whose prefix selects the backend, and its settings."""

    name: str = MISSING
    # Its name in tables, plots and papers; null makes a short name of `name`.
    display_name: str | None = None
    description: str | None = None
    model_path: str | None = None
    tokenizer_path: str | None = None
    chat_template: str | None = None
    api_base: str | None = None
    api_key_env: str | None = None
    sampling: SamplingConf = field(default_factory=SamplingConf)
    engine: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    prices: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class ProviderConf:
    """An API provider; a configuration never holds the key itself."""

    api_key_env: str | None = None
    api_base: str | None = None
    description: str | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_concurrency: int | None = None
    # Further headers of every request; a value is the name of the variable that holds it.
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class AgentConf:
    """Settings of players of every type."""

    # Its name in tables, plots and papers; null takes the model's, or makes one.
    display_name: str | None = None


@dataclass(eq=False, repr=False)
class LLMAgentConf(AgentConf):
    """A language model at a seat."""

    type: str = "llm"
    model: str = MISSING
    sampling: SamplingConf = field(default_factory=SamplingConf)
    system_prompt: str | None = None
    template: str = "line"
    memory: bool = False
    votes: int = 1
    constrain_to_legal: bool = False
    show_legal_moves: bool = True


@dataclass(eq=False, repr=False)
class RandomAgentConf(AgentConf):
    """A player that is uniform over the legal moves."""

    type: str = "random"


@dataclass(eq=False, repr=False)
class HumanAgentConf(AgentConf):
    """A person at this terminal."""

    type: str = "human"


@dataclass(eq=False, repr=False)
class MCTSAgentConf(AgentConf):
    """Monte-Carlo tree search; information-set search where information is hidden."""

    type: str = "mcts"
    simulations: int = 100
    uct_c: float = 2.0
    rollouts: int = 1
    solve: bool = True


@dataclass(eq=False, repr=False)
class SolverAgentConf(AgentConf):
    """Optimal play where it can be computed."""

    type: str = "solver"
    iterations: int = 1000
    max_states: int = 2_000_000


@dataclass(eq=False, repr=False)
class BotAgentConf(AgentConf):
    """A bot of OpenSpiel's registry by name."""

    type: str = "bot"
    bot: str = MISSING
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class UCIAgentConf(AgentConf):
    """A chess engine that speaks UCI, such as Stockfish."""

    type: str = "uci"
    path: str = "stockfish"
    depth: int | None = None
    nodes: int | None = None
    movetime_ms: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class PolicyAgentConf(AgentConf):
    """A table file, or a Python callable from a trusted module."""

    type: str = "policy"
    table: str | None = None
    callable: str | None = None


#: Agent types by the word that `agents.player_N.type` takes.
AGENT_TYPES: dict[str, type] = {
    "llm": LLMAgentConf,
    "random": RandomAgentConf,
    "human": HumanAgentConf,
    "mcts": MCTSAgentConf,
    "solver": SolverAgentConf,
    "bot": BotAgentConf,
    "uci": UCIAgentConf,
    "policy": PolicyAgentConf,
}


@dataclass(eq=False, repr=False)
class OpenSpielConf:
    """A game of OpenSpiel, by the library's own game string."""

    type: str = "openspiel"
    game: str = MISSING
    max_moves: int | None = None
    # The rules that language models are shown; null for none.
    rules: str | None = None
    # auto | observation | information_state: which of the engine's texts a seat is shown.
    state: str = "auto"
    # auto | plain | grid | ...: how a board is drawn as text.
    board: str = "auto"


@dataclass(eq=False, repr=False)
class ColumnsConf:
    """The columns of a prompts file by what they hold; null for the usual names, false for none."""

    prompt: Any = None
    answer: Any = None
    choices: Any = None
    id: Any = None
    system: Any = None
    group: Any = None


@dataclass(eq=False, repr=False)
class PromptsConf:
    """A file of prompts, each answered by every agent, and scored where right answers are known."""

    type: str = "prompts"
    # A .jsonl, .csv, .tsv, .json, .parquet or .txt file (also .gz), or a directory of such.
    file: str = MISSING
    columns: ColumnsConf = field(default_factory=ColumnsConf)
    # The columns of CSV files that do not name them in their first line.
    header: list[str] | None = None
    # plain | choices | line | json, a .j2 file, or Jinja; null takes what the scorer reads.
    template: str | None = None
    # A scorer's name, or its settings with `type` or `_target_`; null takes choice or exact.
    scorer: Any = None
    repeats: int = 1
    # file | shuffled: the order in which rows are asked.
    order: str = "file"
    # The number of rows to draw by the run's seed.
    sample: int | None = None
    limit: int | None = None
    # Examples shown before each question, drawn by the run's seed.
    shots: int = 0
    shots_file: str | None = None
    shots_template: str | None = None


#: Values of ``simulation.type``, with the settings of each.
SIMULATION_TYPES: dict[str, type] = {"openspiel": OpenSpielConf, "prompts": PromptsConf}


@dataclass(eq=False, repr=False)
class ArenaConf:
    """A run."""

    seed: int = 0
    episodes: int = 10
    concurrency: int = 64
    seats: Seats = Seats.rotate
    sampling: SamplingConf = field(default_factory=SamplingConf)
    on_failure: OnFailureConf = field(default_factory=OnFailureConf)
    budget: BudgetConf = field(default_factory=BudgetConf)
    shard: str | None = None
    sweep: SweepConf = field(default_factory=SweepConf)
    probe: bool | None = None
    cache: CacheMode = CacheMode.off
    estimate: bool = False
    profile: bool = False
    assess: bool = False
    trusted_targets: list[str] = field(default_factory=list)
    catalog: CatalogConf = field(default_factory=CatalogConf)
    backend: Any = field(default_factory=dict)
    model: ModelConf = field(default_factory=ModelConf)
    provider: Any = field(default_factory=dict)
    agents: Any = field(default_factory=dict)
    simulation: Any = field(default_factory=dict)


def register() -> None:
    """Put the schemas into Hydra's store, in a group of their own that no option list shows."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    store.store(group="schema", name="arena", node=ArenaConf)
    store.store(group="schema/model", name="base", node=ModelConf)
    store.store(group="schema/simulation", name="openspiel", node=OpenSpielConf)
    store.store(group="schema/simulation", name="prompts", node=PromptsConf)
