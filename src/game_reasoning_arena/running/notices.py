"""Notices that are given once, before and during a run: the probe's findings, fixable failures."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from game_reasoning_arena.recording.mendable import Failures, limit_of
from game_reasoning_arena.records import Outcome, ResponseRecord

#: The beginning of a notice about failures.
_COUNTED = re.compile(r"\S+: \d+ of \d+ answers ")

log = logging.getLogger(__name__)

#: A player's failures are examined after so many answers.
LOOKS = (8, 16, 32, 64)
#: Causes that may be chance in a few answers wait for the second examination.
_LATER = frozenset({Outcome.ILLEGAL, Outcome.UNPARSABLE})


@dataclass(slots=True)
class Notices:
    """Failures that a setting would fix, by player.

    Args:
        options: each player's configuration.
        simulation: the configuration of what is played.
    """

    options: Mapping[str, Mapping[str, Any]]
    simulation: Mapping[str, Any]
    _failures: dict[str, Failures] = field(default_factory=dict)
    _said: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Return all notices with their current counts, for ``run.json``."""
        now = {
            (player, cause): f"{player}: {sentence}"
            for player in {player for player, _ in self._said if player}
            for cause, sentence in self._mendable(player).items()
        }
        return [now.get(key, text) for key, text in self._said.items()]

    def add(self, note: str) -> None:
        """Log a notice about the run before it plays; keep it for ``run.json``."""
        self._said["", note] = note
        log.warning("%s", note)

    def keep(self, notes: Iterable[str]) -> None:
        """Keep the notices of an earlier sitting, except failures, which are counted again."""
        self._said.update({("", note): note for note in notes if not _COUNTED.match(note)})

    def answered(self, record: ResponseRecord, *, quiet: bool = False) -> None:
        """Count an answer; after some answers log what a player's failures have in common."""
        failures = self._failures.setdefault(record.player, Failures())
        before = failures.answers
        failures.add(
            record.outcome,
            thought=bool(record.reasoning or record.reasoning_tokens),
            declared=record.parse_form is not None,
            limit=limit_of(record.requested, record.sent),
        )
        if failures.answers != before and failures.answers in LOOKS:
            self._look(record.player, failures, quiet=quiet)

    def ended(self) -> None:
        """Examine players with fewer answers than the first threshold."""
        for player, failures in self._failures.items():
            if failures.answers < LOOKS[0]:
                self._look(player, failures, last=True)

    def _look(
        self, player: str, failures: Failures, *, quiet: bool = False, last: bool = False
    ) -> None:
        for cause, sentence in self._mendable(player).items():
            if cause in _LATER and failures.answers < LOOKS[1] and not last:
                continue
            if (player, cause) in self._said:
                continue
            note = self._said[player, cause] = f"{player}: {sentence}"
            if not quiet:
                log.warning("%s", note)

    def _mendable(self, player: str) -> dict[str, str]:
        options = self.options.get(player, {})
        return self._failures[player].mendable(player, options, self.simulation)
