"""A model for tests that answers by a script, in this process, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sae_desktop.labels.chat import Answer, Ask, ChatError, Message

Reply = Callable[[str, int], Answer]
"""Prompt, and how many times it was asked before → the answer, or a ChatError raised."""


def ask_of(prompt: str, **settings: object) -> Ask:
    return Ask((Message("user", prompt),), **settings)  # type: ignore[arg-type]


def answer_of(text: str, prompt_tokens: int = 10, answer_tokens: int = 5) -> Answer:
    return Answer(text=text, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens)


class ScriptedModel:
    """A ChatModel. `open_gate` False: nobody is answered until it opens or the model is closed."""

    name = "scripted"

    def __init__(self, reply: Reply | None = None, *, open_gate: bool = True) -> None:
        self._reply = reply or (lambda prompt, before: answer_of(prompt.upper()))
        self._lock = threading.Lock()
        self.gate = threading.Event()
        if open_gate:
            self.gate.set()
        self.asked: list[str] = []
        self.under_way = self.most_at_once = 0
        self.closed = False

    def ask(self, ask: Ask) -> Answer:
        prompt = ask.messages[-1].content
        with self._lock:
            before = self.asked.count(prompt)
            self.asked.append(prompt)
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            self.gate.wait()
            if self.closed:
                raise ChatError("closed", "It was closed.")
            return self._reply(prompt, before)
        finally:
            with self._lock:
                self.under_way -= 1

    def close(self) -> None:
        self.closed = True
        self.gate.set()
