"""Frozen records that cross every boundary; this module imports nothing local.

The dataclasses ending in ``Record`` are the lines of a run directory: their field names are the
contract between running and analysing. Times are seconds unless a name says otherwise; a value
that is not known is None, never 0.

Records of every call or move are msgspec Structs: frozen like dataclasses, but three to ten times
faster to make, change and encode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Protocol, TypedDict

from msgspec import Meta, Struct
from msgspec import field as struct_field

#: The version of the run directory's format; readers warn about others.
FORMAT_VERSION = 1

#: Numbers as a line of a run directory may hold them; a line with others is damaged.
Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # of an episode, a turn
Place = Annotated[int, Meta(ge=0, le=2**15 - 1)]  # a seat, an attempt, a sample
SeatOrChance = Annotated[int, Meta(ge=-1, le=2**15 - 1)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

DEFAULT_MAX_TOKENS = 250
DEFAULT_TEMPERATURE = 0.1


class Message(TypedDict):
    """One chat message, as it is sent."""

    role: str
    content: str


class Outcome(StrEnum):
    """The outcome of an answer. Each attempt with an answer has exactly one."""

    LEGAL = "legal"
    ILLEGAL = "illegal"  # well-formed, but no legal move
    UNPARSABLE = "unparsable"  # no well-formed final answer, or an ambiguous one
    TRUNCATED = "truncated"  # cut by max_tokens before a final answer
    EMPTY = "empty"  # nothing but white space
    REFUSED = "refused"  # the provider reports that the model refused or a filter acted
    CONTEXT_OVERFLOW = "context_overflow"  # the prompt did not fit the model
    ANSWERED = "answered"  # prompts without a game: any text


#: Outcomes that are a model's failures.
FAILURES = (
    Outcome.ILLEGAL,
    Outcome.UNPARSABLE,
    Outcome.TRUNCATED,
    Outcome.EMPTY,
    Outcome.REFUSED,
    Outcome.CONTEXT_OVERFLOW,
)


class MoveBy(StrEnum):
    """The chooser of a move."""

    PLAYER = "player"
    CHANCE = "chance"
    SUBSTITUTE = "substitute"  # ours, after the player failed (on_failure.policy=random)


class Status(StrEnum):
    """The status of an episode or a run."""

    RUNNING = "running"
    COMPLETED = "completed"
    FORFEIT = "forfeit"  # episodes only
    ERROR = "error"  # episodes: an outage; runs: something failed
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


#: Exit codes of a run or a sweep, by how it ended; wrong input is 2.
EXIT_CODES = {
    Status.COMPLETED: 0,
    Status.ERROR: 1,
    Status.BUDGET: 3,
    Status.INTERRUPTED: 130,
}

#: Final statuses of episodes; a resumed run plays the others again.
FINAL = frozenset({Status.COMPLETED, Status.FORFEIT})


#: The value of ``Sampling.seed`` for sending none; ``sampling.seed: null`` in configurations.
NO_SEED = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Sampling parameters; None means not set, so that the provider's own default holds.

    ``seed`` is :data:`NO_SEED` where requests carry none; otherwise each carries one of its own.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] | None = None
    seed: str | None = None

    def merged(self, fallback: Sampling) -> Sampling:
        """Return these parameters, with unset ones taken from ``fallback``."""
        return Sampling(
            temperature=fallback.temperature if self.temperature is None else self.temperature,
            max_tokens=fallback.max_tokens if self.max_tokens is None else self.max_tokens,
            top_p=fallback.top_p if self.top_p is None else self.top_p,
            top_k=fallback.top_k if self.top_k is None else self.top_k,
            stop=fallback.stop if self.stop is None else self.stop,
            seed=fallback.seed if self.seed is None else self.seed,
        )

    @property
    def seeded(self) -> bool:
        """Whether requests carry a seed."""
        return self.seed != NO_SEED

    def as_config(self) -> dict[str, Any]:
        """Return all parameters as a configuration has them; without ``seed`` if seeds are sent."""
        names = ("temperature", "max_tokens", "top_p", "top_k", "stop")
        conf = dict.fromkeys(names) | self.as_dict()
        return conf if self.seeded else conf | {"seed": None}

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters that are set, by the OpenAI protocol's names."""
        pairs = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "stop": list(self.stop) if self.stop is not None else None,
        }
        return {key: value for key, value in pairs.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """An API provider: its address and the *name* of the variable that holds its key.

    ``requests_per_minute``, ``tokens_per_minute`` and ``max_concurrency`` are None when unlimited.
    ``api_key_env`` is None for a keyless server.
    """

    name: str
    api_key_env: str | None = None
    api_base: str | None = None
    description: str = ""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_concurrency: int | None = None
    # Further headers of every request, with the *names* of the variables that hold their values.
    headers: Mapping[str, str] = field(default_factory=dict)
    # True when the provider is one that LiteLLM itself knows, so that LiteLLM's route is used
    # (unless ``api_base`` is set: then the OpenAI protocol is spoken to that address).
    known_to_litellm: bool = False

    @property
    def variables(self) -> list[str]:
        """The names of the variables that hold its secrets."""
        return [*([self.api_key_env] if self.api_key_env else []), *self.headers.values()]


#: Prices in a model's entry, with their names in LiteLLM's table.
PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached_input": "cache_read_input_token_cost",
    "reasoning": "output_cost_per_reasoning_token",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model ready to be called: the catalog's entry, resolved.

    ``name`` is the full name with its prefix (``litellm_groq/openai/gpt-oss-20b``), ``backend``
    the prefix, ``model_id`` the name on the wire (``openai/gpt-oss-20b``; for vLLM the served
    name). ``provider`` is None for engines in this process.
    """

    name: str
    backend: str
    model_id: str
    provider: Provider | None = None
    display_name: str | None = None
    description: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    model_path: str | None = None
    tokenizer_path: str | None = None
    chat_template: str | None = None
    #: Engine settings by the engine's own argument names (vLLM).
    engine: Mapping[str, Any] = field(default_factory=dict)
    #: More fields of the request body, passed unchanged (``reasoning_effort``, ...).
    extra: Mapping[str, Any] = field(default_factory=dict)
    #: USD per million tokens, by the names in ``PRICES``; empty: as LiteLLM's table has it.
    prices: Mapping[str, float] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """The unit of limits: one provider at one address, or one local engine."""
        if self.provider is None:
            return self.name
        return f"{self.provider.name}@{self.provider.api_base or 'default'}"


class CallKey(Struct, frozen=True, kw_only=True):
    """The place of a question in a run; with ``seed`` it decides all randomness of the call."""

    episode: int = 0
    seat: int = 0
    turn: int = 0
    attempt: int = 0
    sample: int = 0


class Constraint(Struct, frozen=True, kw_only=True):
    """The only answers allowed: exact texts, and the same as a JSON schema where that exists."""

    choices: tuple[str, ...]
    json_schema: Mapping[str, Any] | None = None


class Request(Struct, frozen=True, kw_only=True):
    """One question to a model."""

    model: Model
    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int | None = None
    key: CallKey = struct_field(default_factory=CallKey)
    constraint: Constraint | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """One answer, with everything that the provider reported.

    ``latency_s`` is the provider's time: from the request on the wire to the last byte.
    ``queue_s`` is the client's wait before that (limits, back-off, a full engine queue),
    ``client_s`` the client's own processing. ``decode_s`` is last token minus first.
    ``sent`` holds the parameters sent, ``dropped`` the names of those left out.
    ``retries`` counts the failed requests before this one. ``finish_reason`` is the protocol's word
    (stop, length, content_filter, tool_calls), or the provider's own where none of them fits;
    ``details`` holds the rest: the provider's own ``finish_reason`` where it differs, the
    text of a ``refusal``, the names of ``parts`` that hold no text, and the ``reported_usd`` where
    ``cost_usd`` is the provider's own word and not tokens at known prices.
    """

    text: str
    reasoning: str | None = None
    finish_reason: str | None = None
    refused: bool = False
    started_at: float | None = None  # Unix time
    latency_s: float | None = None
    ttft_s: float | None = None
    decode_s: float | None = None
    queue_s: float | None = None
    client_s: float | None = None
    retries: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    served_model: str | None = None
    sent: Mapping[str, Any] = struct_field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    from_cache: bool = False  # stored from an identical call of an earlier run
    details: Mapping[str, Any] = struct_field(default_factory=dict)


class EpisodePlan(Struct, frozen=True, kw_only=True):
    """One episode to be played: its number, its seed, and the player at each seat.

    Episodes with the same ``seed`` have the same chance outcomes; seat rotation makes such groups.
    """

    episode: int
    seed: int
    seats: tuple[str, ...]


class ResponseRecord(Struct, frozen=True, kw_only=True):
    """One line of ``responses.jsonl``: one attempt (one sample of it, when votes are taken).

    ``outcome`` is None if there was no answer; ``error`` then holds ``kind``, ``message`` and
    ``status``. ``seed`` is the episode's; the request's own is in ``sent``.

    Of prompts with right answers, ``score`` is what the answer is worth (0 to 1; None where a judge
    or a coroutine says so later, see the episode's ``scores``), ``scored_as`` by which rule,
    ``answer_text`` the answer in its plainest form. On a judge's own line ``score`` is its grade;
    ``label`` is the score of the scorer that the judge is checked against.
    """

    run_id: str
    episode: Index
    seed: Whole
    seat: Place
    player: str
    turn: Index
    attempt: Place
    sample: Place
    model: str
    backend: str
    provider: str | None
    messages: tuple[Message, ...]
    text: str | None
    reasoning: str | None
    outcome: Outcome | None
    action: Whole | None
    action_text: str | None
    parse_form: str | None
    finish_reason: str | None
    started_at: float | None
    latency_s: float | None
    ttft_s: float | None
    decode_s: float | None
    queue_s: float | None
    client_s: float | None
    retries: Whole
    prompt_tokens: Whole | None
    completion_tokens: Whole | None
    reasoning_tokens: Whole | None
    cached_tokens: Whole | None
    cost_usd: float | None
    requested: Mapping[str, Any]
    sent: Mapping[str, Any]
    dropped: tuple[str, ...]
    constrained: bool
    served_model: str | None
    error: Mapping[str, Any] | None
    from_cache: bool = False
    score: float | None = None
    scored_as: str | None = None
    answer_text: str | None = None
    label: float | None = None
    details: Mapping[str, Any] = struct_field(default_factory=dict)

    @property
    def key(self) -> CallKey:
        """The place in the run of the question that this answers."""
        return CallKey(
            episode=self.episode,
            seat=self.seat,
            turn=self.turn,
            attempt=self.attempt,
            sample=self.sample,
        )


class Move(Struct, frozen=True, kw_only=True):
    """One move of an episode; ``turn`` and ``player`` are None for chance, whose seat is -1.

    ``turn`` counts decision nodes from 0; the moves of a simultaneous node share it.
    """

    turn: Index | None
    seat: SeatOrChance
    player: str | None
    action: Whole
    text: str
    by: MoveBy


class Forfeit(Struct, frozen=True, kw_only=True):
    """The player that lost by failing, and the outcome of its last attempt.

    ``also`` holds the others that failed in the same turn, where players move at the same time;
    they lost, too, and none of them counts as winner.
    """

    seat: Place
    player: str
    cause: Outcome
    also: tuple[Forfeit, ...] = ()

    @property
    def seats(self) -> tuple[int, ...]:
        """All players that failed."""
        return (self.seat, *(other.seat for other in self.also))


class EpisodeRecord(Struct, frozen=True, kw_only=True):
    """One line of ``episodes.jsonl``.

    ``seats[i]`` is the player at seat i. ``returns[i]`` belongs to seat i and is None unless the
    game was played to its end (or to ``max_moves``: then ``move_limit`` is true). ``winner`` is a
    player's name, None for a draw and for games in which no single player is best. Episodes that
    share ``seed`` are the same deal with the players at different seats. ``prompt`` is the ``id``
    that a prompts file gives, or else the prompt's number in it, from 0; None for games. Of prompts
    with right answers, ``expected`` is the right one, ``group`` the prompt's, and ``scores[i]``,
    ``answers[i]`` and ``labels[i]`` belong to seat i: what the answer is worth (0 to 1, None where
    no answer was had), the answer in its plainest form, and what a judge is checked against.
    """

    run_id: str
    episode: Index
    seed: Whole
    game: str
    seats: tuple[str, ...]
    status: Status
    winner: str | None
    returns: tuple[float, ...] | None
    forfeit: Forfeit | None
    move_limit: bool
    turns: Index
    moves: tuple[Move, ...]
    duration_s: float
    error: str | None = None
    prompt: Whole | str | None = None
    group: str | None = None
    expected: str | None = None
    scores: tuple[float | None, ...] | None = None
    answers: tuple[str | None, ...] | None = None
    labels: tuple[float | None, ...] | None = None


class Asker(Protocol):
    """Anything that answers requests: a backend, or a wrapper that counts, replays or stops."""

    async def complete(self, request: Request) -> Reply:
        """Answer, or raise BackendError, BudgetReached or Interrupted."""
        ...
