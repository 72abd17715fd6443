"""What is said once, before and while a run plays: what the probe learned, failures to mend."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from game_reasoning_arena.recording.mendable import Failures, limit_of
from game_reasoning_arena.records import Outcome, ResponseRecord

#: How a note of failures begins.
_COUNTED = re.compile(r"\S+: \d+ of \d+ answers ")

log = logging.getLogger(__name__)

#: Answers of a player after which they are looked at.
LOOKS = (8, 16, 32, 64)
#: Causes that may be chance in a few answers wait for the second look.
_LATER = frozenset({Outcome.ILLEGAL, Outcome.UNPARSABLE})


@dataclass(slots=True)
class Notices:
    """Failures that a setting would mend, by player.

    Args:
        options: each player's configuration.
    """

    options: Mapping[str, Mapping[str, Any]]
    _failures: dict[str, Failures] = field(default_factory=dict)
    _said: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What was said, with the counts as they are now, for ``run.json``."""
        now = {
            (player, cause): f"{player}: {sentence}"
            for player in {player for player, _ in self._said if player}
            for cause, sentence in self._mendable(player).items()
        }
        return [now.get(key, text) for key, text in self._said.items()]

    def say(self, note: str) -> None:
        """Say something of the run before it plays; kept for ``run.json``."""
        self._said["", note] = note
        log.warning("%s", note)

    def keep(self, notes: Iterable[str]) -> None:
        """Keep what an earlier sitting said, but for failures, which are counted again."""
        self._said.update({("", note): note for note in notes if not _COUNTED.match(note)})

    def answered(self, record: ResponseRecord, *, quiet: bool = False) -> None:
        """Count an answer; say what its player's answers have in common after some of them."""
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
        """Look at players that gave fewer answers than are looked at."""
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
        return self._failures[player].mendable(player, self.options.get(player, {}))
