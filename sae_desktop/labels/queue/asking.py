"""Puts many questions to a model: several at once, each once, none lost. Free of torch and Qt.

The caller's thread takes questions from their iterator, only as many as are about to be asked, and
hands on answers; threads of the queue ask. An answer is in the ledger before it is handed on.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from sae_desktop.jobs import JobContext
from sae_desktop.labels.chat import Answer, Ask, ChatError, ChatModel, ErrorKind
from sae_desktop.labels.queue.ledger import Ledger, request_of
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.pace import Pace
from sae_desktop.labels.queue.progress import End, QueueProgress, Tally, short_words, to_metrics
from sae_desktop.labels.queue.purse import Purse
from sae_desktop.labels.queue.worker import Left, Task, Worker

Key = TypeVar("Key", bound=Hashable)
_LOOK_SECONDS = 0.05
"""How often a cancel is looked for while nothing comes."""
_TELL_SECONDS = 0.25
_LEAVE_SECONDS = 2.0
"""How long threads that were told to end are waited for; the ledger takes what comes later."""
UNIT = "requests"
CAP = "most_cost"
"""The setting that may be changed while the job runs."""

Outcome = Answer | ChatError | Left


def ask_all(
    asks: Iterable[tuple[Key, Ask]],
    model: ChatModel,
    ledger: Ledger,
    limits: QueueLimits,
    context: JobContext,
    *,
    total: int = 0,
) -> Asking[Key]:
    """Return (key, answer or error) of each question, in the order in which they are answered.

    What the ledger has an answer to is not asked again. An error is of a question that was given
    up; where none of the further ones could fare better, UserError is raised after all that was
    answered was handed on. At the spending cap it ends, as after a person stopped the job.
    `total` is how many questions there are, for the progress. Close what is returned, and the
    model's connections are closed and what is under way is not waited for.
    """
    return Asking(asks, model, ledger, limits, context, total)


class Asking(Generic[Key]):
    """The iterator that `ask_all` returns."""

    def __init__(
        self,
        asks: Iterable[tuple[Key, Ask]],
        model: ChatModel,
        ledger: Ledger,
        limits: QueueLimits,
        context: JobContext,
        total: int,
    ) -> None:
        self._asks = iter(asks)
        self._model, self._ledger, self._context = model, ledger, context
        self._limits = limits
        self._pace, self._purse = Pace(limits), Purse(limits)
        self._tally = Tally(total)
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Task, Outcome]] = queue.SimpleQueue()
        self._open: dict[bytes, list[Key]] = {}
        """Digest of what is waiting or under way → who wants its answer."""
        self._told = 0.0
        self._ended: End = ""
        self._said: set[ErrorKind] = set()
        self._worker = Worker(model, ledger, limits, self._pace, self._purse, self._tally)
        self._threads: list[threading.Thread] = []
        self._answers = self._run()

    def __iter__(self) -> Iterator[tuple[Key, Answer | ChatError]]:
        return self

    def __next__(self) -> tuple[Key, Answer | ChatError]:
        return next(self._answers)

    def close(self) -> None:
        """End at once: requests under way are closed, not waited for."""
        self._answers.close()

    @property
    def progress(self) -> QueueProgress:
        """The figures as they are now; after the last answer, those of the whole."""
        return self._tally.now(
            cost=self._purse.spent,
            unsure=self._purse.unsure,
            most_cost=self._purse.cap,
            held_seconds=self._pace.held_seconds,
            ended=self._ended,
        )

    # ---------------------------------------------------------------- the caller's thread
    def _run(self) -> Generator[tuple[Key, Answer | ChatError], None, None]:
        self._say_interrupted()
        self._tell(at_once=True)
        more = True
        try:
            while True:
                self._look()
                if more and self._has_room() and self._results.empty():
                    more = yield from self._take()
                elif self._open:
                    yield from self._hand_on()
                else:
                    break
                self._tell()
            self._worker.look_back(self.progress)
            if self._worker.hopeless is not None:
                raise self._worker.hopeless
            self._ended = self._ended or "all"
        finally:
            self._end()

    def _look(self) -> None:
        """Do as the person asks: pause, stop, cancel, spend more or less."""
        if self._context.pause_requested:
            self._pace.pause(True)
        self._context.check_cancelled()
        self._pace.pause(False)
        cap = self._context.adjustments().get(CAP)
        if cap is not None:
            self._purse.set_cap(max(cap, 0.0))
        if self._context.stop_requested:
            self._start_no_more("stopped")

    def _has_room(self) -> bool:
        return not self._pace.ended and len(self._open) < 2 * self._limits.at_once

    def _take(self) -> Generator[tuple[Key, Answer | ChatError], None, bool]:
        """Take a question; return whether there was one."""
        taken = next(self._asks, None)
        if taken is None:
            return False
        key, ask = taken
        request = request_of(self._model.name, ask)
        if request.digest in self._open:
            self._open[request.digest].append(key)
            return True
        answer = self._ledger.answer(request)
        if answer is not None:
            self._tally.add(kept=1)
            yield key, answer
            return True
        self._open[request.digest] = [key]
        self._tasks.put(Task(request, ask))
        if len(self._threads) < self._limits.at_once:
            thread = threading.Thread(
                target=self._work, name=f"request {len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return True

    def _hand_on(self) -> Generator[tuple[Key, Answer | ChatError], None, None]:
        """Wait a little for an outcome and yield it."""
        try:
            task, outcome = self._results.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            return
        keys = self._open.pop(task.request.digest)
        if self._worker.hopeless is not None:
            self._start_no_more("")
        if isinstance(outcome, Left):
            self._start_no_more("cap" if outcome.why == "cap" else "")
            return
        if isinstance(outcome, Answer):
            self._tally.answered(outcome, len(keys))
        else:
            self._tally.failed(outcome.kind, len(keys))
            self._say_once(outcome)
        for key in keys:
            yield key, outcome

    def _start_no_more(self, why: End) -> None:
        """Let what is under way finish, and start nothing more."""
        self._ended = self._ended or why
        self._pace.end()
        self._purse.end()

    def _end(self) -> None:
        self._start_no_more("")
        if self._open:
            self._model.close()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + _LEAVE_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        self._tell(at_once=True)

    # ---------------------------------------------------------------- the queue's threads
    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._results.put((task, self._worker.outcome(task)))

    # ---------------------------------------------------------------- what is said
    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and now - self._told < _TELL_SECONDS:
            return
        self._told = now
        progress = self.progress
        # Where it ends early, there was no more to do than was done.
        total = progress.done if progress.ended else progress.total
        self._context.progress(progress.done, total, UNIT, short_words(progress))
        self._context.metric(progress.done, to_metrics(progress))

    def _say_interrupted(self) -> None:
        found = self._ledger.take_over()
        if not found.count:
            return
        self._tally.add(interrupted=found.count)
        one = found.count == 1
        charged = (
            f" The server may have charged up to {found.unsure:,.4g} for {'it' if one else 'them'}."
            if found.unsure
            else ""
        )
        self._context.log(
            f"{found.count:,} {'request was' if one else 'requests were'} under way when the "
            f"program ended last time, and no answer had come. They are asked again where this "
            f"job needs them.{charged}"
        )

    def _say_once(self, error: ChatError) -> None:
        """Say why questions fail, each kind of reason once; all are counted."""
        if error.kind not in self._said:
            self._said.add(error.kind)
            self._context.log(f"A request failed: {error.what}")
