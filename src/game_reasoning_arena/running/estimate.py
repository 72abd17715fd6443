"""Estimate a run's use from a few episodes played by a stand-in; nothing is asked or written.

Calls are counted over dry episodes in which ``scripted_random`` replaces the models. Prompt tokens
are characters divided by four, which is within about 20 % for English on current tokenizers;
completion tokens are ``max_tokens``, the most that an answer can have. Most runs cost less, but
none is guaranteed to: models may need rethinks, and play longer games than a stand-in.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from game_reasoning_arena.errors import ArenaError, Fault
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.process.faults import describe_fault
from game_reasoning_arena.records import Asker, Model, Reply, Request, ResponseRecord
from game_reasoning_arena.simulation.players import make_agent

if TYPE_CHECKING:
    from game_reasoning_arena.preflight.experiment import Experiment

DRY_EPISODES = 20
CHARACTERS_PER_TOKEN = 4
STAND_IN = Model(name="scripted_random", backend="scripted", model_id="random")


@dataclass
class Usage:
    """The use of one model over the dry episodes."""

    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    def scaled(self, factor: float) -> Usage:
        """Return the use of a whole run."""
        return Usage(
            calls=round(self.calls * factor),
            prompt_tokens=self.prompt_tokens * factor,
            completion_tokens=self.completion_tokens * factor,
        )

    def plus(self, other: Usage) -> Usage:
        """Return the sum of both."""
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class _Counting:
    def __init__(self, asker: Asker, usage: dict[str, Usage]) -> None:
        self._asker = asker
        self._usage = usage

    async def complete(self, request: Request) -> Reply:
        usage = self._usage[request.model.name]
        usage.calls += 1
        characters = sum(len(message["content"]) for message in request.messages)
        usage.prompt_tokens += characters / CHARACTERS_PER_TOKEN
        usage.completion_tokens += request.sampling.max_tokens or 0
        return await self._asker.complete(replace(request, model=STAND_IN))


def estimate(experiment: Experiment) -> dict[str, Usage]:
    """Return the usage of the whole run by model name.

    Raises:
        Fault: a player of a class of the user's own fails in a dry episode.
    """
    from game_reasoning_arena.backends.scripted_backend import ScriptedBackend

    usage: dict[str, Usage] = defaultdict(Usage)
    plans = experiment.plans()
    dry = plans[:DRY_EPISODES]

    def ignore(_: ResponseRecord) -> None:
        """Ignore a record: dry episodes are not recorded."""

    async def play() -> None:
        asker = _Counting(ScriptedBackend(), usage)
        agents = {
            player.name: make_agent(
                player,
                asker=asker if player.model else None,
                record=ignore,
                run_id="estimate",
                seed=experiment.seed,
                on_failure=experiment.on_failure,
                simulation=experiment.simulation,
            )
            for player in experiment.asked
        }
        async with AsyncExitStack() as stack:
            for agent in agents.values():
                stack.push_async_callback(agent.aclose)
                await agent.start()
            for plan in dry:
                await experiment.simulation.play(plan, agents, "estimate")

    try:
        run_coroutine(play())
    except ArenaError:
        raise
    except Exception as error:
        raise Fault(f"a dry episode failed: {describe_fault(error)}.") from error
    factor = len(plans) / len(dry) if dry else 0.0
    return {name: one.scaled(factor) for name, one in usage.items()}


def print_estimate(jobs: Mapping[str, Experiment]) -> int:
    """Print the use of each job and of all together; return exit code 0.

    Args:
        jobs: by what distinguishes them; a single run has the empty name.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    several = len(jobs) > 1
    for column in (
        *(["job"] if several else []),
        *("model", "calls", "prompt tokens", "completion tokens"),
        "price, about",
    ):
        named = column in ("job", "model")
        table.add_column(column, justify="left" if named else "right", overflow="fold")
    unknown: list[str] = []
    all_used, dry = Usage(), 0
    prices: dict[str, float] = dict.fromkeys(jobs, 0.0)  # sum of the known prices
    for name, experiment in jobs.items():
        usage = estimate(experiment)
        dry = max(dry, min(DRY_EPISODES, len(experiment.plans())))
        for model in experiment.models:
            one = usage.get(model.name, Usage())
            free = experiment.backends[model.backend].free
            price = 0.0 if free else _price(model, one)
            if price is None:
                unknown.append(model.name)
            prices[name] += price or 0.0
            all_used = all_used.plus(one)
            table.add_row(*([name] if several else []), model.name, *_numbers(one, price))
    known = sum(prices.values())
    if several:
        table.add_row("all jobs", "", *_numbers(all_used, None if unknown else known))
    if not table.row_count:
        sys.stdout.write("No player asks a model, so nothing would be used.\n")
        return 0
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    console.print(table)
    if unknown:
        if known:
            console.print(f"known prices together: ${known:,.4f}")
        names = ", ".join(dict.fromkeys(unknown))
        console.print(f"price unknown: {names}", markup=False, soft_wrap=True)
    for name, experiment in jobs.items():
        limit = experiment.budget["usd"]
        if limit is not None and prices[name] > limit:
            console.print(
                f"budget.usd={limit:g} may end {name or 'the run'} before it is finished",
                markup=False,
                soft_wrap=True,
            )
    console.print(
        f"Estimated from {dry} dry episodes of a stand-in{' per job' if several else ''}: prompt "
        "tokens as characters/4, every answer max_tokens long, which few are. Rethinks and longer "
        "games, which are not counted, would cost more. Nothing was asked and nothing was written.",
        soft_wrap=True,
    )
    return 0


def _numbers(used: Usage, price: float | None) -> tuple[str, str, str, str]:
    return (
        f"{used.calls:,}",
        f"{used.prompt_tokens:,.0f}",
        f"{used.completion_tokens:,.0f}",
        "unknown" if price is None else f"${price:,.4f}",
    )


def _price(model: Model, used: Usage) -> float | None:
    """Return USD; None where the price is unknown."""
    from game_reasoning_arena.backends import prices
    from game_reasoning_arena.backends.openai.usage import Usage as Tokens

    tokens = Tokens(
        prompt_tokens=round(used.prompt_tokens), completion_tokens=round(used.completion_tokens)
    )
    return prices.cost_usd(model, tokens)
