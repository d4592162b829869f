"""What was asked of models and what they answered: an SQLite file of the project.

A request is known by a digest of all that made it, the model's name included. Its row is written
before it is made and again with its answer before anybody sees that; so an answer is paid for
once, whatever becomes of the program. No key is ever handed to the ledger.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Answer, Ask, ChatError

State = Literal["waiting", "asked", "answered", "failed"]
"""waiting: to be made (again). asked: under way. failed: given up until it is asked for again."""

SCHEMA_VERSION = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    asker TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    prompt_bytes INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    answer_tokens INTEGER NOT NULL DEFAULT 0,
    cost REAL NOT NULL DEFAULT 0,
    unsure REAL NOT NULL DEFAULT 0,
    reserved REAL NOT NULL DEFAULT 0,
    asked REAL NOT NULL DEFAULT 0,
    ended REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    told TEXT NOT NULL DEFAULT '',
    answer BLOB
);
CREATE INDEX IF NOT EXISTS requests_open ON requests(state) WHERE state != 'answered';
CREATE INDEX IF NOT EXISTS requests_by_model ON requests(model, state);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_alive: set[str] = set()
"""Askers of this process. The project's lock keeps every other process from asking."""


class Request(msgspec.Struct, frozen=True):
    """A request as the ledger knows it."""

    digest: bytes
    model: str
    prompt_bytes: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger holds, of one model or of all."""

    waiting: int = 0
    asked: int = 0
    answered: int = 0
    failed: int = 0
    attempts: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    prompt_bytes: int = 0
    """Of what was answered."""
    cost: float = 0.0
    unsure: float = 0.0
    """At most, of attempts that were interrupted: the server may have charged for them or not."""


class Interrupted(msgspec.Struct, frozen=True):
    """Requests that were under way when the program ended, and at most what they cost."""

    count: int = 0
    unsure: float = 0.0


def request_of(model: str, ask: Ask) -> Request:
    """Return what a question to a model is known by."""
    told = msgspec.json.encode((model, ask), order="deterministic")
    size = sum(len(message.content.encode()) for message in ask.messages)
    return Request(hashlib.blake2b(told, digest_size=16).digest(), model, size)


class Ledger:
    """The requests of one project. Each change is one transaction, on disk when it returns.

    May be used from several threads. Raises UserError where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._asker = uuid.uuid4().hex
        self._lock = threading.RLock()
        with self._told():
            self._database = sqlite3.connect(path, timeout=10.0, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise
        _alive.add(self._asker)

    def _prepare(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise UserError(
                f"“{self.path.name}” was written by a newer SAE Desktop.",
                next_step="Update SAE Desktop to ask more of models in this project.",
            )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")  # an answer may have cost money
        self._database.executescript(_SCHEMA)

    # ---------------------------------------------------------------- questions
    def answer(self, request: Request) -> Answer | None:
        """Return the answer a request was given, whenever that was; None: it has none."""
        with self._told(), self._lock:
            row = self._database.execute(
                "SELECT answer FROM requests WHERE digest = ? AND state = 'answered'",
                (request.digest,),
            ).fetchone()
            return None if row is None else msgspec.json.decode(row[0], type=Answer)

    def state(self, request: Request) -> State | None:
        """Return how far a request is; None: it was never made."""
        with self._told(), self._lock:
            row = self._database.execute(
                "SELECT state FROM requests WHERE digest = ?", (request.digest,)
            ).fetchone()
            return None if row is None else row[0]

    def totals(self, model: str = "") -> Totals:
        """Return what there is of one model; empty: of all."""
        query = (
            "SELECT state, count(*), sum(attempts), sum(prompt_tokens), sum(answer_tokens), "
            "sum(iif(state = 'answered', prompt_bytes, 0)), sum(cost), sum(unsure) FROM requests "
            "WHERE (? = '' OR model = ?) GROUP BY state"
        )
        with self._told(), self._lock:
            rows = self._database.execute(query, (model, model)).fetchall()
        sums = zip(*(row[2:] for row in rows), strict=True)
        attempts, prompt, answer, size, cost, unsure = [sum(s) for s in sums] or [0] * 6
        return Totals(
            **{row[0]: row[1] for row in rows},
            attempts=attempts,
            prompt_tokens=prompt,
            answer_tokens=answer,
            prompt_bytes=size,
            cost=cost,
            unsure=unsure,
        )

    # ---------------------------------------------------------------- changes
    def take_over(self) -> Interrupted:
        """Put what an ended program left under way back among the waiting; return what it was."""
        with self._change() as database:
            known = sorted(_alive)
            among = f"state = 'asked' AND asker NOT IN ({','.join('?' * len(known))})"
            count, unsure = database.execute(
                f"SELECT count(*), total(reserved) FROM requests WHERE {among}", known
            ).fetchone()
            database.execute(
                "UPDATE requests SET state = 'waiting', unsure = unsure + reserved, reserved = 0, "
                f"error = 'closed', told = 'The program ended meanwhile.' WHERE {among}",
                known,
            )
            return Interrupted(count, unsure)

    def begin(self, request: Request, reserved: float) -> None:
        """Note that a request is about to be made, and at most what it will cost."""
        with self._change() as database:
            database.execute(
                "INSERT INTO requests(digest, model, state, asker, attempts, prompt_bytes, "
                "reserved, asked) VALUES (?, ?, 'asked', ?, 1, ?, ?, ?) "
                "ON CONFLICT (digest) DO UPDATE SET state = 'asked', asker = excluded.asker, "
                "attempts = attempts + 1, reserved = excluded.reserved, asked = excluded.asked",
                (
                    request.digest, request.model, self._asker, request.prompt_bytes, reserved,
                    time.time(),
                ),
            )  # fmt: skip

    def keep(self, request: Request, answer: Answer, cost: float) -> None:
        """Keep an answer and what it cost."""
        with self._change() as database:
            database.execute(
                "UPDATE requests SET state = 'answered', answer = ?, prompt_tokens = ?, "
                "answer_tokens = ?, cost = ?, reserved = 0, ended = ?, error = '', told = '' "
                "WHERE digest = ?",
                (
                    msgspec.json.encode(answer), answer.prompt_tokens, answer.answer_tokens, cost,
                    time.time(), request.digest,
                ),
            )  # fmt: skip

    def put_off(
        self, request: Request, error: ChatError, unsure: float, *, failed: bool = False
    ) -> None:
        """Note that a request was not answered, why, and at most what it cost all the same."""
        with self._change() as database:
            database.execute(
                "UPDATE requests SET state = ?, unsure = unsure + ?, reserved = 0, ended = ?, "
                "error = ?, told = ? WHERE digest = ?",
                (
                    "failed" if failed else "waiting", unsure, time.time(), error.kind, error.what,
                    request.digest,
                ),
            )  # fmt: skip

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._told(), self._lock, self._database:
            yield self._database

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise UserError(
                f"The record of requests “{self.path.name}” cannot be read or written: {error}.",
                kept="What was answered until then is kept in it; labels and notes are elsewhere.",
                next_step="Free disk space where there is none. Where the file is damaged, move it "
                "elsewhere: what it held is then asked, and paid for, again.",
            ) from error

    def close(self) -> None:
        with self._lock:
            self._database.close()
        _alive.discard(self._asker)
