"""One question put to a model until it is answered or given up: from a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Answer, Ask, ChatError, ChatModel
from sae_desktop.labels.queue.ledger import Ledger, Request
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.pace import Pace, backoff
from sae_desktop.labels.queue.progress import QueueProgress, Tally
from sae_desktop.labels.queue.purse import Purse, likely_prompt_tokens, most_answer_tokens

LONGEST_HOLD = 3600.0
"""Seconds: a server that asks for a longer wait is left alone until a person starts again."""
_IN_A_ROW = 20
"""Failures without an answer between them, after which the further ones are not tried."""
_CHARGED = {"timeout", "malformed", "closed", "unreachable"}
"""Errors after which the server may have answered all the same, and charged for it."""


@dataclass(frozen=True)
class Task:
    request: Request
    ask: Ask


@dataclass(frozen=True)
class Left:
    """A question that was not put, or not answered, because the queue ends."""

    why: Literal["cap", "ended"]


class Worker:
    """Shared by the threads that ask. Whatever is sent is in the ledger, with what became of it."""

    def __init__(
        self, model: ChatModel, ledger: Ledger, limits: QueueLimits, pace: Pace, purse: Purse,
        tally: Tally,
    ) -> None:  # fmt: skip
        self._model, self._ledger, self._limits = model, ledger, limits
        self._pace, self._purse, self._tally = pace, purse, tally
        self._lock = threading.Lock()
        self._in_a_row = self._held_in_a_row = 0
        self._last: ChatError | None = None
        self.hopeless: Exception | None = None
        """Why no further question is worth putting; None: go on."""

    def outcome(self, task: Task) -> Answer | ChatError | Left:
        """Return the answer, why it was given up, or that the queue ended before.

        Where further questions could fare no better, `hopeless` says why from then on.
        """
        try:
            return self._outcome(task)
        except Exception as error:  # told by the caller's thread
            self._give_up_all(error)
            return Left("ended")

    def _outcome(self, task: Task) -> Answer | ChatError | Left:
        attempt = held = 0
        while self._pace.enter(self._guess(task)):
            outcome = self._attempt(task, last=attempt + 1 >= self._limits.attempts)
            if not isinstance(outcome, ChatError):
                return outcome
            if not _may_pass(outcome):
                return self._given_up(outcome)
            asks_to_wait = outcome.kind == "rate" or outcome.retry_after is not None
            if asks_to_wait:
                held += 1
                self._hold(outcome, held)
            if outcome.kind == "rate":
                continue  # the server read nothing of it: no attempt
            attempt += 1
            if attempt >= self._limits.attempts:
                return self._given_up(outcome)
            if not asks_to_wait:
                self._pace.sleep(backoff(attempt))
        return Left("ended")

    def _guess(self, task: Task) -> int:
        return likely_prompt_tokens(task.request.prompt_bytes) + most_answer_tokens(task.ask)

    def _attempt(self, task: Task, *, last: bool) -> Answer | ChatError | Left:
        most = self._purse.most(task.ask)
        taken = self._guess(task)
        spent = unsure = 0.0
        try:
            if not self._purse.set_aside(most):
                return Left("ended" if self._pace.ended else "cap")
            try:
                self._ledger.begin(task.request, most)
                self._tally.add(attempts=1)
                unsure = most  # until it is known what became of it
                answer = self._model.ask(task.ask)
                spent, unsure = self._purse.paid(answer, task.ask), 0.0
                taken = answer.prompt_tokens + answer.answer_tokens
                self._ledger.keep(task.request, answer, spent)
            except ChatError as error:
                unsure = most if error.sent and error.kind in _CHARGED else 0.0
                given_up = not _may_pass(error) or (last and error.kind != "rate")
                failed = given_up and not error.fatal
                self._ledger.put_off(task.request, error, unsure, failed=failed)
                if not error.fatal:
                    return error
                if not (error.kind == "closed" and self._pace.ended):
                    self._give_up_all(_kept(error.what, error.next_step))  # before others start
                return Left("ended")
            finally:
                self._purse.settle(most, spent=spent, unsure=unsure)
        finally:
            self._pace.leave(taken - self._guess(task))
        self._pace.went_well()
        with self._lock:
            self._in_a_row = self._held_in_a_row = 0
        return answer

    def _hold(self, error: ChatError, held: int) -> None:
        """Let all wait as long as the server asks, and ever longer where that is not enough."""
        wait = max(error.retry_after or 0.0, backoff(held))
        if wait > LONGEST_HOLD:
            raise _kept(
                f"The server asks to wait {wait / 3600:,.1f} hours. It says: {error.what}",
                "Start it again later: it resumes where it stopped.",
            ) from error
        with self._lock:
            self._held_in_a_row += 1
            count = self._held_in_a_row
        if count > _IN_A_ROW * self._limits.at_once:
            raise self._no_better(error, count) from error
        self._pace.hold(wait)

    def _given_up(self, error: ChatError) -> ChatError:
        with self._lock:
            self._in_a_row += 1
            self._last = error
            count = self._in_a_row
        at_once = self._limits.at_once
        if count >= (at_once if error.kind == "unreachable" else max(_IN_A_ROW, at_once)):
            self._give_up_all(self._no_better(error, count))
        return error

    def look_back(self, progress: QueueProgress) -> None:
        """At the end: where nothing was ever answered, the server is at fault, not a question."""
        with self._lock:
            error, count = self._last, self._in_a_row
        if error is not None and error.passing and not (progress.answered or progress.kept):
            self.hopeless = self.hopeless or self._no_better(error, count)

    def _give_up_all(self, error: Exception) -> None:
        self.hopeless = self.hopeless or error
        self._pace.end()

    def _no_better(self, error: ChatError, count: int) -> UserError:
        failed = "A request failed" if count == 1 else f"{count:,} requests in a row failed"
        return _kept(
            f"{failed}. The reason of the last one: {error.what}",
            error.next_step or "Start it again once the server answers: it resumes.",
        )


def _kept(what: str, next_step: str) -> UserError:
    return UserError(
        what,
        kept="The answers received so far are kept, and are not asked for again.",
        next_step=next_step,
    )


def _may_pass(error: ChatError) -> bool:
    """Whether to ask once more: a garbled answer may come whole the next time."""
    return error.passing or error.kind == "malformed"
