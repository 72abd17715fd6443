"""Answers kept across runs, in one SQLite file that any number of processes may use at once.

The key covers everything that is sent, the settings of the backend, and the question's place in a
run (episode, seat, turn, attempt, sample), so that repeats of it never share one answer.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import asdict, replace

from game_reasoning_arena.errors import CacheError, UserError
from game_reasoning_arena.process.files import make_directory, open_to_append
from game_reasoning_arena.process.paths import cache_directory
from game_reasoning_arena.recording.encoding import encode, plain_data
from game_reasoning_arena.records import Asker, Reply, Request

log = logging.getLogger(__name__)

#: Milliseconds to wait for another process's write.
BUSY_MS = 30_000

#: Advice for errors about the file.
_WAYS = (
    "If it is damaged, delete it; XDG_CACHE_HOME=DIR keeps another one elsewhere, and cache=off "
    "goes without."
)


def request_key(request: Request, settings: Mapping[str, Any]) -> str:
    """Return a hash of everything that could change the answer, and of the question's place in a
    run.

    Args:
        request: the question.
        settings: the settings of the backend that may change its answers.
    """
    model = request.model
    sent = {
        "backend": settings,
        "model": model.name,
        "model_id": model.model_id,
        "model_path": model.model_path,
        "tokenizer_path": model.tokenizer_path,
        "chat_template": model.chat_template,
        "api_base": model.provider.api_base if model.provider else None,
        "engine": dict(model.engine),
        "extra": dict(model.extra),
        "messages": request.messages,
        "sampling": request.sampling.as_dict(),
        "seed": request.seed,
        "constraint": asdict(request.constraint) if request.constraint else None,
        "key": asdict(request.key),
    }
    text = orjson.dumps(sent, default=plain_data, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def check_cache() -> None:
    """Check that the store can be used.

    Raises:
        UserError: it cannot.
    """
    ResponseCache().close()


class ResponseCache:
    """The store of answers.

    An answer that cannot be stored is reported once and the run continues; its own directory holds
    the answer.

    Args:
        path: the SQLite file; made with its directory if missing.

    Raises:
        UserError: it cannot be opened, read and written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_directory() / "responses.sqlite"
        self._stores = True
        try:
            make_directory(self.path.parent)
            os.close(
                open_to_append(self.path, 0o600)
            )  # create it here, as SQLite would follow a link
            self._db = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None)
            try:
                self._begin()
            except sqlite3.Error:
                self._db.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"The response cache {self.path} cannot be used: {error}. {_WAYS}"
            ) from error

    def _begin(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS reply (key TEXT PRIMARY KEY, reply BLOB)")
        db.execute("BEGIN IMMEDIATE")
        try:  # fail now if it cannot be read or written
            db.execute("INSERT OR REPLACE INTO reply (key, reply) VALUES ('', '')")
            db.execute("SELECT key, reply FROM reply LIMIT 1").fetchone()
        finally:
            db.execute("ROLLBACK")

    def get(self, key: str) -> Reply | None:
        """Return the stored answer to the call with this key, marked as cached; None if there is
        none.

        Raises:
            CacheError: it cannot be read.
        """
        try:
            row = self._db.execute("SELECT reply FROM reply WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            values = orjson.loads(row[0])
            values["dropped"] = tuple(values["dropped"])
            return replace(Reply(**values), from_cache=True)
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            raise CacheError(
                f"the response cache {self.path} cannot be read any more: {error}. {_WAYS}"
            ) from error

    def put(self, key: str, reply: Reply) -> None:
        """Store an answer; an earlier answer to the same call stays."""
        if not self._stores:  # each try may wait for BUSY_MS
            return
        try:
            self._db.execute("INSERT OR IGNORE INTO reply VALUES (?, ?)", (key, encode(reply)))
        except sqlite3.Error as error:
            self._stores = False
            log.warning(
                "%s cannot be written: %s. This run stores no more answers there; its own "
                "directory holds them all.",
                self.path,
                error,
            )

    def wrap(self, asker: Asker, settings: Mapping[str, Any], *, reuse: bool) -> Asker:
        """Return ``asker`` with this store before it (``reuse``), or only behind it (record).

        Args:
            asker: a backend.
            settings: its settings that may change its answers.
            reuse: ask only for what is not stored.
        """
        return _Cached(self, asker, settings, reuse)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class _Cached:
    def __init__(
        self, cache: ResponseCache, asker: Asker, settings: Mapping[str, Any], reuse: bool
    ) -> None:
        self._cache = cache
        self._asker = asker
        self._settings = settings
        self._reuse = reuse

    async def complete(self, request: Request) -> Reply:
        key = request_key(request, self._settings)
        if self._reuse and (stored := self._cache.get(key)) is not None:
            return stored
        reply = await self._asker.complete(request)
        self._cache.put(key, reply)
        return reply
