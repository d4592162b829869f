"""The processes of a training as one group: what they exchange, and which of them is missing.

Tensors go through torch's collectives (gloo, or NCCL between cards). What is small and rare, such
as settings and errors, goes through the store at which the processes met, as JSON; there each also
leaves a sign of life every second, so that of a lost or a hung rank its number can be told.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from sae_desktop.devices.abilities import collectives
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.training.ranks.launched import TIMEOUT_VARIABLE, Place

_POLL_SECONDS = 0.05
_LOOK_SECONDS = 0.5
"""Between two looks at how the others are."""
_BEAT_SECONDS = 1.0
_SILENT_SECONDS = 4.0
"""Without a sign of life, after which a rank counts as the one for which an exchange failed."""
_PATIENCE_SECONDS = 60.0
"""The same where nothing has failed: a library that is being loaded may keep a thread waiting."""
_HEARD_SECONDS = 6.0
"""For which a rank that failed waits until rank 0 has taken note of why."""
_JOIN_SECONDS = 120.0
"""For which ranks wait for one another when they start."""


class RankLostError(UserError):
    """Another rank ended, or does not answer."""

    def __init__(self, what: str, *, next_step: str, tells: bool) -> None:
        super().__init__(
            what,
            kept="What was learned up to the last checkpoint is kept.",
            next_step=next_step,
        )
        self.tells = tells
        """Whether this rank is the one to tell a person: the first of those that are left."""


class Failure(msgspec.Struct, frozen=True):
    """Why a rank ended; what it would have told a person."""

    rank: int
    what: str
    kept: str = ""
    next_step: str = ""
    cancelled: bool = False


class _Beat(msgspec.Struct, frozen=True):
    """A sign of life."""

    number: int
    step: int
    exchanging: bool
    """Whether it is in an exchange, waiting for the others if need be."""


class Exchanged(NamedTuple):
    """What a rank has handed to the others over some steps."""

    steps: int
    bytes: int
    seconds: float
    """In exchanges, waiting for the others included."""
    of: float
    """Seconds in all."""


class Ranks:
    """The group, seen from one of its processes. Use as a context manager."""

    def __init__(
        self, place: Place, device: torch.device, interrupted: Callable[[], None] = lambda: None
    ) -> None:
        """Meet the others; `interrupted` raises to end a wait.

        Raises UserError where the port is taken or the others do not come.
        """
        self.place, self.device = place, device
        self.step = 0
        """Shown to the others; whoever takes steps sets it."""
        self._seconds, self._bytes, self._began = 0.0, 0, (0, 0.0)
        self._interrupted = interrupted
        self._exchanging, self._ended_at = False, 0.0
        self._lost: Exception | None = None
        self._meeting = _meet(place)
        self._store = _named(place, self._meeting)
        self._done = threading.Event()
        threading.Thread(target=self._show_life, name="sign of life", daemon=True).start()
        # NCCL's own watch would end the process before it could say which rank is missing.
        os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")
        try:
            dist.init_process_group(
                collectives(device), store=PrefixStore("group", self._store), rank=place.rank,
                world_size=place.count, timeout=timedelta(seconds=place.timeout),
            )  # fmt: skip
        except (RuntimeError, ValueError) as error:
            self._done.set()
            raise UserError(
                f"Rank {place.rank} of {place.count} could not join the others: {error}",
                kept="Nothing was changed.",
                next_step="Check that all of them are started with the same program, and that "
                "their machines can reach one another.",
            ) from error

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        with suppress(RuntimeError, ValueError):
            dist.destroy_process_group()

    # ------------------------------------------------------------ tensors
    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by the sum of everybody's."""
        self._exchange(lambda: dist.all_reduce(tensor), tensor)
        return tensor

    def least_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by the smallest of everybody's numbers."""
        self._exchange(lambda: dist.all_reduce(tensor, dist.ReduceOp.MIN), tensor)
        return tensor

    def gathered(self, tensor: Tensor) -> Tensor:
        """Return everybody's tensors, all of one shape, along a new first dimension."""
        found = [torch.empty_like(tensor) for _ in range(self.place.count)]
        self._exchange(lambda: dist.all_gather(found, tensor), tensor)
        return torch.stack(found)

    def take_over(self, tensors: Sequence[Tensor]) -> None:
        """Replace everybody's tensors by those of rank 0."""
        for tensor in tensors:
            self._exchange(lambda one=tensor.data: dist.broadcast(one, 0), tensor)  # type: ignore[misc]

    def _exchange(self, work: Callable[[], object], tensor: Tensor) -> None:
        if self._lost is not None:
            raise self._lost
        began, self._exchanging = time.perf_counter(), True
        try:
            work()
        except RuntimeError as error:
            took = time.perf_counter() - began
            self._lost = self._why(error, waited=took >= 0.9 * self.place.timeout)
            raise self._lost from error
        finally:
            self._exchanging = False
            self._ended_at = time.perf_counter()
            self._seconds += self._ended_at - began
            self._bytes += tensor.numel() * tensor.element_size()

    def start_counting(self, step: int) -> None:
        """Count from here what is exchanged; `step` are those taken so far."""
        self._seconds, self._bytes, self._began = 0.0, 0, (step, time.perf_counter())

    def counted(self) -> Exchanged:
        """Return what was exchanged since then, until the last exchange."""
        step, began = self._began
        return Exchanged(self.step + 1 - step, self._bytes, self._seconds, self._ended_at - began)

    # ------------------------------------------------------------ words
    def told(self, topic: str, own: Any) -> list[Any]:
        """Return what everybody says on a topic, plain data, in the order of ranks.

        Raises the UserError with which one of them has failed, or RankLostError.
        """
        self._say(f"{topic}/{self.place.rank}", own)
        return [self._heard(f"{topic}/{rank}", rank) for rank in range(self.place.count)]

    def of_leader(self, topic: str, make: Callable[[], Any]) -> Any:
        """Return what `make` gives on rank 0, plain data."""
        if self.place.leads:
            self._say(topic, make())
        return self._heard(topic, 0)

    def _say(self, key: str, data: Any) -> None:
        try:
            self._store.set(key, msgspec.json.encode(data).decode())
        except RuntimeError as error:
            raise self._no_meeting(error) from error

    def _heard(self, key: str, rank: int) -> Any:
        """Wait for what a rank says, however long it takes as long as it shows signs of life."""
        seen, since, look = None, time.monotonic(), 0.0
        while True:
            try:
                if self._store.check([key]):
                    return msgspec.json.decode(self._store.get(key))
                now = time.monotonic()
                if now >= look:
                    look, beat = now + _LOOK_SECONDS, self._beat(rank)
                    for failure in self._failures():
                        raise self._ended(failure)
                    if beat != seen:
                        seen, since = beat, now
            except RuntimeError as error:
                raise self._no_meeting(error) from error
            self._interrupted()
            if now - since > (_JOIN_SECONDS if seen is None else _PATIENCE_SECONDS):
                self._lost = self._gone([rank], hung=False)
                raise self._lost
            time.sleep(_POLL_SECONDS)

    def part(self) -> None:
        """End together, once rank 0 is done: whoever keeps the meeting place leaves last."""
        self.of_leader("end", lambda: True)
        if not self.place.leads:
            self._say(f"left/{self.place.rank}", True)
            return
        with suppress(UserError):
            for rank in range(1, self.place.count):
                self._heard(f"left/{rank}", rank)

    # ------------------------------------------------------------ who is missing
    def fail(self, failure: Failure) -> bool:
        """Tell the others why this rank ends; return whether rank 0 has taken note."""
        self._done.set()
        key = f"heard/{self.place.rank}"
        try:
            self._store.set(f"failed/{self.place.rank}", msgspec.json.encode(failure).decode())
            until = time.monotonic() + _HEARD_SECONDS
            while not (self.place.leads or failure.cancelled) and time.monotonic() < until:
                if self._store.check([key]):
                    return True
                time.sleep(_POLL_SECONDS)
        except RuntimeError:
            return False
        return False

    def _failures(self) -> list[Failure]:
        others = [r for r in range(self.place.count) if r != self.place.rank]
        found = [rank for rank in others if self._store.check([f"failed/{rank}"])]
        return [
            msgspec.json.decode(self._store.get(f"failed/{rank}"), type=Failure) for rank in found
        ]

    def _ended(self, failure: Failure) -> Exception:
        if failure.cancelled:
            self._lost = JobCancelledError()
            return self._lost
        with suppress(RuntimeError):
            if self.place.leads:
                self._store.set(f"heard/{failure.rank}", "1")
        found = RankLostError(
            f"Rank {failure.rank} of {self.place.count} ended: {failure.what}",
            next_step=failure.next_step or _AGAIN,
            tells=self.place.leads,  # rank 0 tells of its own failure itself
        )
        if failure.kept:
            found.kept = failure.kept
        self._lost = found
        return found

    def _why(self, error: RuntimeError, *, waited: bool) -> Exception:
        """Find out which rank an exchange has failed for."""
        try:
            first = self._beats()
            until = time.monotonic() + _SILENT_SECONDS
            while time.monotonic() < until:
                failures = self._failures()
                if failures:
                    return self._ended(failures[0])
                time.sleep(_POLL_SECONDS)
            second = self._beats()
        except RuntimeError as second_error:
            return self._no_meeting(second_error)
        others = [rank for rank in range(self.place.count) if rank != self.place.rank]
        silent = [rank for rank in others if first[rank] == second[rank]]
        if silent:
            return self._gone(silent, hung=waited)
        busy = [r for r in others if (beat := second[r]) is not None and not beat.exchanging]
        if waited and busy:
            return self._gone(busy, hung=True)
        return RankLostError(
            f"The exchange between the {self.place.count} ranks failed in step {self.step + 1:,}: "
            f"{error}",
            next_step=_AGAIN,
            tells=self.place.leads,
        )

    def _gone(self, ranks: list[int], *, hung: bool) -> RankLostError:
        named = f"Rank {ranks[0]}" if len(ranks) == 1 else f"Ranks {', '.join(map(str, ranks))}"
        many, at = len(ranks) > 1, f"at step {self.step + 1:,}"
        if hung:
            what = (
                f"{named} of {self.place.count} {'have' if many else 'has'} not answered for "
                f"{self.place.timeout:g} seconds, {at}, so the training was ended."
            )
        else:
            what = (
                f"{named} of {self.place.count} {'were' if many else 'was'} lost {at}: the process "
                "ended without a word, was stopped, or cannot be reached."
            )
        left = [rank for rank in range(self.place.count) if rank not in ranks]
        way = f"{_AGAIN} To wait longer, set {TIMEOUT_VARIABLE} (seconds)." if hung else _AGAIN
        return RankLostError(what, next_step=way, tells=self.place.rank == min(left))

    def _no_meeting(self, error: RuntimeError) -> RankLostError:
        return RankLostError(
            f"Rank {self.place.rank} of {self.place.count} can no longer reach {self.place.host}, "
            f"port {self.place.port}, where the ranks meet: {error}",
            next_step=_AGAIN,
            tells=True,
        )

    def _beats(self) -> list[_Beat | None]:
        return [self._beat(rank) for rank in range(self.place.count)]

    def _beat(self, rank: int) -> _Beat | None:
        """Return a rank's last sign of life; None before the first."""
        key = f"alive/{rank}"
        if not self._store.check([key]):
            return None
        return msgspec.json.decode(self._store.get(key), type=_Beat)

    def _show_life(self) -> None:
        """Leave a sign of life every second, over a connection of its own."""
        number = 0
        with suppress(RuntimeError, UserError):
            store = _named(self.place, _client(self.place))
            while True:
                beat = _Beat(number, self.step, self._exchanging)
                store.set(f"alive/{self.place.rank}", msgspec.json.encode(beat).decode())
                if self._done.wait(_BEAT_SECONDS):
                    return
                number += 1


_AGAIN = (
    "Start the same command again: it resumes from the last checkpoint, on any number of processes."
)


def _meet(place: Place) -> TCPStore:
    if place.served or not place.leads:
        return _client(place)
    try:
        return TCPStore(
            place.host, place.port, is_master=True, wait_for_workers=False,
            timeout=timedelta(seconds=_JOIN_SECONDS),
        )  # fmt: skip
    except RuntimeError as error:
        taken = "EADDRINUSE" in str(error) or "already in use" in str(error)
        raise UserError(
            f"Port {place.port} of “{place.host}”, where the ranks meet, "
            + ("is already in use." if taken else f"cannot be opened: {error}"),
            kept="Nothing was changed.",
            next_step="Choose another one: torchrun --master-port, or torchrun --standalone, which "
            "takes a free one.",
        ) from error


def _client(place: Place) -> TCPStore:
    try:
        return TCPStore(
            place.host, place.port, is_master=False, wait_for_workers=False,
            timeout=timedelta(seconds=_JOIN_SECONDS),
        )  # fmt: skip
    except RuntimeError as error:
        raise UserError(
            f"Rank {place.rank} of {place.count} cannot reach “{place.host}”, port {place.port}, "
            f"where the ranks meet: {error}",
            kept="Nothing was changed.",
            next_step="Check that rank 0 is started, and that its machine can be reached.",
        ) from error


def _named(place: Place, store: TCPStore) -> PrefixStore:
    """What one attempt says is not heard by the next."""
    return PrefixStore(f"sae-desktop/{place.attempt}", store)
