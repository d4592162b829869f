"""What requests cost, and the cap that no request may be able to exceed."""

from __future__ import annotations

import threading

from sae_desktop.errors import UserError
from sae_desktop.labels.chat import Answer, Ask
from sae_desktop.labels.queue.limits import QueueLimits

_MILLION = 1_000_000
_MARKS_PER_MESSAGE = 16
"""Tokens, at most, that a chat template puts around a message."""
_BYTES_PER_TOKEN = 4.0
"""Of English; what a prompt takes is guessed by it until the server has counted one."""


def most_prompt_tokens(ask: Ask) -> int:
    """Return a count that no tokenizer exceeds: a token stands for at least a byte."""
    size = sum(len(m.content.encode()) + _MARKS_PER_MESSAGE for m in ask.messages)
    return size + _MARKS_PER_MESSAGE


def likely_prompt_tokens(prompt_bytes: int) -> int:
    return round(prompt_bytes / _BYTES_PER_TOKEN)


def most_answer_tokens(ask: Ask) -> int:
    return ask.most_tokens


class Purse:
    """Money is set aside before a request is made, so that requests under way at the same time
    cannot exceed the cap together."""

    def __init__(self, limits: QueueLimits) -> None:
        """Raises UserError for a cap without a price, which could not hold."""
        if limits.most_cost and not (limits.price_in or limits.price_out):
            raise UserError(
                "A spending limit needs prices: without them every request costs nothing.",
                kept="Nothing was asked.",
                next_step="Give the price of a million tokens, or take the limit away.",
            )
        self._limits = limits
        self.cap = limits.most_cost
        """0: none."""
        self._changed = threading.Condition()
        self._set_aside = 0.0
        self._under_way = 0
        self._ended = False
        self.spent = 0.0
        self.unsure = 0.0

    def cost(self, prompt_tokens: int, answer_tokens: int) -> float:
        limits = self._limits
        return (prompt_tokens * limits.price_in + answer_tokens * limits.price_out) / _MILLION

    def most(self, ask: Ask) -> float:
        """Return at most what a request costs."""
        return self.cost(most_prompt_tokens(ask), most_answer_tokens(ask))

    def set_aside(self, amount: float) -> bool:
        """Wait until an amount is certain to be there; False: it never will be."""
        with self._changed:
            while not self._ended:
                left = self.cap - self.spent - self.unsure - self._set_aside
                if not self.cap or amount <= left:
                    self._set_aside += amount
                    self._under_way += 1
                    return True
                if not self._under_way:
                    return False
                self._changed.wait()
        return False

    def set_cap(self, cap: float) -> None:
        """Change the cap meanwhile; what is under way is paid for all the same."""
        with self._changed:
            self.cap = cap
            self._changed.notify_all()

    def settle(self, amount: float, *, spent: float = 0.0, unsure: float = 0.0) -> None:
        """Give back what was set aside, less what was, or may have been, spent."""
        with self._changed:
            self._set_aside -= amount
            self._under_way -= 1
            self.spent += spent
            self.unsure += unsure
            self._changed.notify_all()

    def paid(self, answer: Answer, ask: Ask) -> float:
        """Return what an answer cost. A server that does not count is taken to have charged for
        as much as there can be."""
        prompt = answer.prompt_tokens or most_prompt_tokens(ask)
        size = len((answer.text + answer.thoughts).encode())
        return self.cost(prompt, answer.answer_tokens or min(size, most_answer_tokens(ask)))

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
