"""The episodes of some runs, packed for the report's page.

An index with a few numbers per episode is read when the page opens; the episodes themselves lie in
chunks that are unpacked when one is looked at. Both are JSON, gzipped and in base64, so nothing a
model wrote can end an element of the page. Texts of prompts are kept once per chunk.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import numpy as np
import orjson

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.page.index import Index, known, starts_of
from game_reasoning_arena.analysis.page.judgements import Judgements
from game_reasoning_arena.recording.frames import LoadedRuns

#: A chunk is closed when it holds this many characters of JSON, or this many episodes.
CHUNK_CHARS: Final = 400_000
CHUNK_EPISODES: Final = 200

_KEPT: Final = (
    "seat", "turn", "attempt", "sample", "model", "outcome", "action_text", "finish_reason",
    "latency_s", "ttft_s", "queue_s", "retries", "prompt_tokens", "completion_tokens",
    "reasoning_tokens", "cost_usd", "from_cache", "served_model", "error", "text", "reasoning",
)  # fmt: skip


class _Chunk:
    """Episodes that share a table of texts."""

    def __init__(self) -> None:
        self.episodes: list[bytes] = []
        self._texts: dict[str, int] = {}
        self.chars = 0

    @property
    def full(self) -> bool:
        """Whether the next episode belongs into another chunk."""
        return self.chars >= CHUNK_CHARS or len(self.episodes) >= CHUNK_EPISODES

    def add(self, episode: Mapping[str, Any]) -> None:
        """Add an episode; its responses are as :meth:`shown` returns them."""
        packed = orjson.dumps(episode)
        self.chars += len(packed)
        self.episodes.append(packed)

    def shown(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Return a line of responses as the page has it, with numbers for its messages' texts."""
        get, text = line.get, self._text
        kept: dict[str, Any] = dict(zip(_KEPT, map(get, _KEPT), strict=True))
        kept["messages"] = [
            [text(str(m.get("role"))), text(str(m.get("content")))] for m in get("messages") or ()
        ]
        return kept

    def _text(self, text: str) -> int:
        known = self._texts.setdefault(text, len(self._texts))
        if known == len(self._texts) - 1:
            self.chars += len(text)
        return known

    def pack(self) -> str:
        texts = orjson.dumps(list(self._texts))
        return pack(b'{"texts":' + texts + b',"episodes":[' + b",".join(self.episodes) + b"]}")


def pack(data: bytes) -> str:
    """Return text as gzip in base64; the same data give the same text."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode("ascii")


class EpisodeStore:
    """Walks over the episodes of a comparison once, giving chunks; the index is ready afterwards.

    Args:
        comparison: the runs; their ``episodes`` must have been loaded with moves.
        heed: called with the run and each line of its responses, since they are read only once.
    """

    def __init__(self, comparison: Comparison, heed: Callable[[int, dict[str, Any]], None]) -> None:
        self._heed = heed
        self._responses = _Responses(comparison.loaded)
        self._judgements = Judgements(comparison.judged, comparison.standings.limits)
        self._index = Index(comparison, self._judgements)

    def chunks(self) -> Iterator[str]:
        """Yield packed chunks, in order; episodes lie in the order of runs and numbers."""
        chunk, number = _Chunk(), 0
        shown = map(self._index.line, ("moves", "returns", "error"))
        lines = zip(self._index.keys, *shown, _asked(self._index), strict=True)
        for (run, episode), moves, returns, error, asked in lines:
            if chunk.full:
                yield chunk.pack()
                chunk, number = _Chunk(), number + 1
            self._index.place(number, len(chunk.episodes))
            responses = self._responses.of(run, episode)
            for line in responses:
                self._heed(run, line)
            chunk.add(
                {
                    "moves": moves or [],
                    "responses": [chunk.shown(line) for line in responses],
                    "returns": returns,
                    "error": known(error),
                    "asked": asked,
                    "decisions": self._judgements.of(run, episode),
                }
            )
        if chunk.episodes:
            yield chunk.pack()

    def index(self) -> str:
        """Return the packed index; complete once :meth:`chunks` is exhausted."""
        return pack(orjson.dumps(self._index.content()))


def _asked(index: Index) -> Iterator[dict[str, Any] | None]:
    """The prompt of each episode with its answers; None of games."""
    columns = map(index.line, ("scores", "group", "expected", "prompt", "answers"))
    for scores, group, expected, prompt, answers in zip(*columns, strict=True):
        yield (
            None
            if scores is None
            else {
                "group": known(group),
                "expected": known(expected),
                "prompt": str(prompt),
                "answers": list(answers or ()),
            }
        )


class _Responses:
    """The responses of each episode, read from the runs' files in the order of the episodes.

    Args:
        loaded: the runs; they know where each line of their responses is.
    """

    def __init__(self, loaded: LoadedRuns) -> None:
        self._readers = loaded.readers
        table = loaded.responses
        columns = [table[name].to_numpy() for name in _ORDER]
        # A resumed run may hold an outage and, later, the answer to the same question.
        order = np.lexsort(columns[::-1])
        self._offsets = loaded.response_offsets[order]
        run, episode = columns[0][order], columns[1][order]
        self._first = np.searchsorted(run, np.arange(len(self._readers) + 1))
        starts = starts_of(run, episode)
        counts = np.diff(np.append(starts, len(run))).tolist()
        keys = zip(run[starts].tolist(), episode[starts].tolist(), strict=True)
        self._counts = dict(zip(keys, counts, strict=True))
        self._run = -1
        self._lines: Iterator[dict[str, Any]] = iter(())

    def of(self, run: int, episode: int) -> list[dict[str, Any]]:
        """Return the responses of an episode; episodes are asked for in order, each once."""
        if run != self._run:
            own = self._offsets[self._first[run] : self._first[run + 1]]
            self._run, self._lines = run, self._readers[run].responses_from(own.tolist())
        return list(islice(self._lines, self._counts.get((run, episode), 0)))


#: What responses are sorted by.
_ORDER: Final = ("run", "episode", "turn", "seat", "attempt", "sample")
