"""Failures of a model that a setting would fix, found in its answers and described in a sentence.

A model that thinks 1,000 tokens under a limit of 250 loses every game, and its results look like
weak play. Runs report this while they play, and comparisons for any run directory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from game_reasoning_arena.records import Outcome

#: A failure is reported if at least this share of the answers failed so.
SHARE = 0.25
#: And if at least so many failed, where there are few answers.
LEAST = 3
#: The limit proposed for models that think, and the smallest for others.
FOR_THINKING = 4000
FOR_WRITING = 1000


@dataclass(slots=True)
class Failures:
    """Counts of a player's answers by what went wrong.

    Attributes:
        answers: all answers.
        causes: failed ones by outcome; unparsable ones only where nothing was declared.
        thinking: answers that were cut or empty and hold reasoning.
        limit: the token limit of the first answers that were cut; None where it is not known.
    """

    answers: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    thinking: int = 0
    limit: int | None = None

    def add(
        self,
        outcome: str | None,
        *,
        thought: bool,
        declared: bool,
        limit: int | None,
        count: int = 1,
    ) -> None:
        """Count answers of one kind; an outage (no outcome) is none."""
        if outcome is None:
            return
        self.answers += count
        if outcome == Outcome.UNPARSABLE and declared:
            return
        if outcome in _CAUSES:
            self.causes[outcome] += count
        if outcome in (Outcome.TRUNCATED, Outcome.EMPTY):
            self.thinking += count * thought
        if outcome == Outcome.TRUNCATED:
            self.limit = self.limit or limit

    def mendable(
        self, player: str, options: Mapping[str, Any], simulation: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        """Return a sentence for each frequent cause of failures that a setting would fix.

        Args:
            player: the player's name, as in ``agents.player_0``.
            options: its configuration.
            simulation: the run's; prompts have one template for all players.
        """
        prompts = simulation if (simulation or {}).get("type") == "prompts" else None
        least = min(LEAST, max(1, self.answers // 2))
        found = {}
        for cause, count in self.causes.most_common():
            if count >= max(least, SHARE * self.answers):
                sentence = self._sentence(cause, player, options, prompts)
                if sentence is not None:
                    found[cause] = f"{count} of {self.answers} answers {sentence}"
        return found

    def _sentence(
        self,
        cause: str,
        player: str,
        options: Mapping[str, Any],
        prompts: Mapping[str, Any] | None,
    ) -> str | None:
        where = f"agents.{player}"
        if cause == Outcome.TRUNCATED:
            return self._cut(where)
        if cause == Outcome.EMPTY:
            if self.thinking:
                return f"were empty (they think). Set sampling.max_tokens={FOR_THINKING}."
            return "were empty; finish_reason in responses.jsonl says how each ended."
        if cause == Outcome.REFUSED:
            this = "what this is" if prompts is not None else "that this is a game"
            return f"were refused. {where}.system_prompt can say {this}."
        if cause == Outcome.CONTEXT_OVERFLOW:
            if options.get("memory"):
                return f"had prompts that did not fit the context. Set {where}.memory=false."
            return "had prompts that did not fit the context. Take a model with a larger one."
        if cause == Outcome.ILLEGAL:
            if options.get("show_legal_moves") is False:
                return f"named no legal move. {where}.show_legal_moves=true lists them."
            return None
        if prompts is not None:
            mend = _other_form(prompts)
        else:
            other = "line" if options.get("template") == "json" else "json"
            mend = f"{where}.template={other} asks for another form"
        return f"held no answer in the declared form. Look at some in responses.jsonl; {mend}."

    def _cut(self, where: str) -> str:
        thinks = self.thinking * 2 >= self.causes[Outcome.TRUNCATED]
        at = f"max_tokens={self.limit}" if self.limit else "the model's own token limit"
        more = FOR_THINKING if thinks else FOR_WRITING
        more = max(more, 4 * self.limit if self.limit else 0)
        return (
            f"were cut at {at}{' (they think)' if thinks else ''}. Set "
            f"sampling.max_tokens={more}, or {where}.sampling.max_tokens={more} for this player "
            "alone."
        )


def _other_form(prompts: Mapping[str, Any]) -> str:
    """Return how to have prompts answered in another form; template and scorer go together."""
    scorer = prompts.get("scorer")
    scorer = dict(scorer) if isinstance(scorer, Mapping) else {}
    template = prompts.get("template")
    read = "json" if scorer.get("read") == "json" else "line"
    if template in ("line", "json") and template != read:
        reads = _flow({**scorer, "read": template})
        return f"simulation.template={template} asks for what 'simulation.scorer={reads}' reads"
    other = "line" if read == "json" else "json"
    reads = _flow({**scorer, "read": other})
    return f"simulation.template={other} 'simulation.scorer={reads}' ask for another form"


def _flow(scorer: Mapping[str, Any]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in scorer.items()) + "}"


_CAUSES = frozenset(
    {
        Outcome.TRUNCATED,
        Outcome.EMPTY,
        Outcome.REFUSED,
        Outcome.CONTEXT_OVERFLOW,
        Outcome.ILLEGAL,
        Outcome.UNPARSABLE,
    }
)


def limit_of(requested: Mapping[str, Any], sent: Mapping[str, Any]) -> int | None:
    """Return the token limit of a call, as it was sent or else as it was asked for."""
    for settings in (sent, requested):
        for name in ("max_tokens", "max_completion_tokens"):
            value = settings.get(name)
            if isinstance(value, int):
                return value
    return None
