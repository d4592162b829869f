"""A language model of this machine that the engine runs itself, one question at a time."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import torch

from sae_desktop.jobs import JobContext
from sae_desktop.labels.chat import Answer, AnsweredToken, Ask, ChatError
from sae_desktop.labels.models.thoughts import answer_begins, split_thoughts
from sae_desktop.language_model.load import (
    LanguageModel,
    load_model,
    load_reader,
    require_causal,
)
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.vocabulary import special_tokens
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import Step, continuations
from sae_desktop.steering.interventions import Positions


class PromptReader:
    """Reads questions as a model of this machine does, without its weights."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader
        found = set(special_tokens(reader.tokenizer).values()) - {""}
        names = sorted(found, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, names)) or r"(?!)")

    @property
    def window(self) -> int:
        """Tokens that it reads at once, the answer among them."""
        return self._reader.context_size

    def prompt_tokens(self, ask: Ask) -> int:
        """Return how many tokens a question is to this model."""
        return len(self.ids(ask))

    def ids(self, ask: Ask) -> list[int]:
        """Return a question's tokens, the special ones before it included."""
        before, _ = self._reader.window_tokens
        ids = self._reader.encode(self.prompt(ask))
        start = list(before)
        return ids if ids[: len(start)] == start else start + ids

    def prompt(self, ask: Ask) -> str:
        """Return what the template makes of the turns; plain turns where there is none.

        What a text says of special tokens is taken apart, so that no context ends its own turn.
        """
        tokenizer = self._reader.tokenizer
        said = [
            {"role": m.role, "content": self._special.sub(_apart, m.content)} for m in ask.messages
        ]
        if getattr(tokenizer, "chat_template", None):
            for turns in (said, _without_system(said)):
                try:
                    return render_chat(
                        tokenizer, turns, add_generation_prompt=True, name=self._reader.name
                    )
                except TemplateRefusedError:  # some know no system
                    continue
        return "\n\n".join([*(turn["content"] for turn in said), ""])


class LocalModel:
    """Implements ChatModel. Questions wait for one another; jobs share the model’s own lock."""

    def __init__(self, lm: LanguageModel, seconds: float) -> None:
        """`seconds`: for a whole answer. Raises UserError for an encoder."""
        require_causal(lm, "Answering")
        self._lm, self._seconds = lm, seconds
        self._prompts = PromptReader(lm)
        self._turn = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def load(
        cls, model: str, device: str, seconds: float, context: JobContext | None
    ) -> LocalModel:
        """Load a model of this machine; nothing is downloaded. Raises UserError."""
        return cls(load_model(model, device, context=context), seconds)

    @property
    def name(self) -> str:
        return f"{self._lm.name} ({self._lm.identity.text}, {self._lm.dtype})"

    @property
    def window(self) -> int:
        """Tokens that it reads at once, the answer among them."""
        return self._prompts.window

    def prompt_tokens(self, ask: Ask) -> int:
        """Return how many tokens a question is to this model."""
        return self._prompts.prompt_tokens(ask)

    def ask(self, ask: Ask) -> Answer:
        ids = self._prompts.ids(ask)
        if len(ids) + ask.most_tokens > self.window:
            raise ChatError(
                "too_long",
                f"The prompt of {len(ids):,} tokens and an answer of {ask.most_tokens:,} do not "
                f"fit into the {self.window:,} tokens that “{self._lm.name}” reads at once.",
                next_step="Use fewer or shorter contexts.",
            )
        with self._turn:
            return self._written(ask, ids)

    def close(self) -> None:
        self._closed.set()

    def _written(self, ask: Ask, ids: list[int]) -> Answer:
        sampling = Sampling(
            max_new_tokens=ask.most_tokens,
            temperature=ask.temperature,
            repetition_penalty=1.0,
            seed=ask.seed,
        )
        latest = time.monotonic() + self._seconds
        written: list[int] = []
        tokens: list[AnsweredToken] = []
        ended = False
        for step in continuations(self._lm, [ids], {}, Positions([0], 0, [len(ids)]), sampling):
            self._go_on(latest)
            token = step.ids[0]
            ended = token is None or token in self._lm.eos_ids
            if ended or token is None:
                break
            written.append(token)
            if ask.logprobs:
                tokens.append(self._token(step, token, ask.logprobs))
        text = self._text(written)
        answer, thoughts = split_thoughts(text)
        return Answer(
            answer,
            thoughts,
            self._lm.name,
            len(ids),
            len(written),
            "stop" if ended else "length",
            _after(tokens, answer_begins(text)) if ask.logprobs else None,
        )

    def _go_on(self, latest: float) -> None:
        if self._closed.is_set():
            raise ChatError("closed", f"“{self._lm.name}” was asked no further: it was closed.")
        if time.monotonic() > latest:
            raise ChatError(
                "timeout",
                f"“{self._lm.name}” gave no answer within {self._seconds:g} seconds.",
                next_step="Allow it more time, or choose a smaller model.",
            )

    def _token(self, step: Step, token: int, count: int) -> AnsweredToken:
        logprobs_V = step.logits_BV[0].log_softmax(-1)
        best = torch.topk(logprobs_V, min(count, len(logprobs_V)))
        others = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        alternatives = tuple((self._text([i]), float(value)) for i, value in others)
        return AnsweredToken(self._text([token]), float(logprobs_V[token]), alternatives)

    def _text(self, ids: list[int]) -> str:
        """Return what tokens say: special ones say nothing, but the marks of thoughts do."""
        table = self._lm.token_bytes()
        special = self._lm.special_ids
        return b"".join(table[i] for i in ids if i not in special).decode("utf-8", "replace")


def prompt_reader(model: str) -> PromptReader:
    """Return what reads questions as a model of this machine does. Raises UserError."""
    return PromptReader(load_reader(model))


def _apart(found: re.Match[str]) -> str:
    name = found.group()
    return f"{name[0]} {name[1:]}" if len(name) > 1 else name


def _without_system(said: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the turns with what the system says put before what is said first."""
    before = [turn["content"] for turn in said if turn["role"] == "system"]
    rest: list[dict[str, Any]] = [dict(turn) for turn in said if turn["role"] != "system"]
    if before and rest:
        rest[0]["content"] = "\n\n".join([*before, rest[0]["content"]])
    return rest


def _after(tokens: list[AnsweredToken], begin: int) -> tuple[AnsweredToken, ...]:
    """Return the tokens after so many characters."""
    found, place = [], 0
    for token in tokens:
        if place >= begin:
            found.append(token)
        place += len(token.text)
    return tuple(found)
