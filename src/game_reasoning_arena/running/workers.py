"""The tasks that play a run's episodes, as many at once as its concurrency allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from game_reasoning_arena.agents.base_agent import Agent
from game_reasoning_arena.errors import ArenaError, CacheError, Interrupted, UserError
from game_reasoning_arena.process.event_loop import Rest
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.running.episode_faults import EpisodeFaults
from game_reasoning_arena.running.ledger import Ledger

#: Episodes that begin before the event loop looks at its sockets again.
STARTED_TOGETHER = 8


async def play_episodes(
    ledger: Ledger, todo: Iterator[EpisodePlan], agents: Mapping[str, Agent]
) -> None:
    """Let as many tasks as ``concurrency`` allows take episodes from one list."""
    faults, rest = EpisodeFaults(ledger), Rest()
    people = any(player.type == "human" for player in ledger.experiment.players)
    tasks: list[asyncio.Task[None]] = []
    try:
        # A person plays one game after the other.
        at_once = 1 if people else ledger.experiment.concurrency
        for number in range(min(at_once, ledger.planned)):
            worker = _worker(ledger, todo, agents, faults, rest)
            tasks.append(asyncio.create_task(worker, name=f"worker {number}"))
            if number % STARTED_TOGETHER == 0:
                # Otherwise all prompts would be written and all connections opened before the first
                # request is sent.
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        faults.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _worker(
    ledger: Ledger,
    todo: Iterator[EpisodePlan],
    agents: Mapping[str, Agent],
    faults: EpisodeFaults,
    rest: Rest,
) -> None:
    """Play one episode after the other until none is left or the run ends."""
    play, meter = ledger.experiment.simulation.play, ledger.meter
    for plan in todo:
        if meter.stopping is not None or meter.budget_note is not None:
            return
        try:
            ledger.episode(await play(plan, agents, ledger.run_id))
        except Interrupted as error:  # by the meter, or by a person who quits
            meter.stop(str(error))
        except CacheError as error:  # calls in flight are paid for, so they finish
            ledger.failure = ledger.failure or error
            meter.stop(str(error))
        except UserError as error:  # the engine cannot continue this episode
            faults.take(plan, error)
        except ArenaError:
            raise
        except Exception as error:
            faults.take(plan, error)
        if rest.due:
            await rest.take()
