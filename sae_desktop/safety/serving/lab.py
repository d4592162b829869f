"""The model that is served: how a request becomes a prompt, and a prompt a text that is written."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import torch
from torch import Tensor

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Document, Message
from sae_desktop.corpus.records import BadRowError
from sae_desktop.corpus.windows import RoleSpan
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.chat_template import TemplateRefusedError, render_chat
from sae_desktop.language_model.text.text_windows import document_encoder
from sae_desktop.language_model.text.tokenizer import without_repeated
from sae_desktop.safety.monitors.config import Hit
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.safety.monitors.scoring import unit_scores
from sae_desktop.safety.monitors.texts import ReadText, Watched, context_of
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import Step, continuations
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Plan, Preparer
from sae_desktop.steering.readers import ReadyGate
from sae_desktop.steering.token_stream import TokenStream

_SPOKEN = CorpusSettings()


@dataclass(frozen=True)
class Prompt:
    """A prompt's own tokens, without the special ones before it, and who speaks them."""

    ids: list[int]
    roles: tuple[RoleSpan, ...]
    answers: str
    """The role of what is written."""


@dataclass(frozen=True)
class Lab:
    """A model with what is done to it and what is watched."""

    lm: LanguageModel
    name: str
    """Under which it is served."""
    bos: list[int]
    preparer: Preparer | None
    plan: Plan
    stops: list[ReadyGate]
    monitors: list[tuple[Monitor, ReadyGate]]
    sampling: Sampling
    """Where a request does not say."""

    def chat_prompt(self, messages: Sequence[Mapping[str, Any]]) -> Prompt:
        """Return a chat as the model's template writes it, an answer begun.

        Raises UserError for a model without a template, and for a chat that it refuses.
        """
        lm = self.lm
        if not getattr(lm.tokenizer, "chat_template", None):
            raise UserError(
                f"“{lm.name}” has no chat template.",
                next_step="Use /v1/completions, or serve a model that was trained to chat.",
            )
        try:
            text = render_chat(lm.tokenizer, messages, add_generation_prompt=True, name=lm.name)
        except TemplateRefusedError as error:
            raise UserError(
                f"The chat template of “{lm.name}” refuses the chat: {error}.",
                next_step="Use roles that this model’s template accepts.",
            ) from error
        ids = without_repeated(lm.encode(text), self.bos)
        roles = self._roles(messages, len(ids)) if self.monitors else ()
        return Prompt(ids, roles, "assistant")

    def text_prompt(self, text: str) -> Prompt:
        """Return a text to be continued. Raises UserError for an empty one."""
        ids = without_repeated(self.lm.encode(text), self.bos)
        if not ids:
            raise UserError("The prompt is empty.", next_step="Send the beginning of a text.")
        return Prompt(ids, (RoleSpan("prompt", 0, len(ids)),), "completion")

    def _roles(self, messages: Sequence[Mapping[str, Any]], count: int) -> tuple[RoleSpan, ...]:
        """Return who speaks the tokens of a prompt, but what the template adds at its end."""
        said = tuple(Message(str(m["role"]), str(m["content"])) for m in messages)
        document = Document(0, "", "", "", "", messages=said)
        try:
            spans = document_encoder(self.lm, _SPOKEN)(document).roles
        except BadRowError:  # it renders a chat that waits for an answer, and no other
            spans = ()
        held = [s._replace(length=min(s.length, count - s.first)) for s in spans if s.first < count]
        return tuple(held) or (RoleSpan("prompt", 0, count),)

    def room(self, prompt: Prompt) -> int:
        """Return how many tokens can be written. Raises UserError where there is no room."""
        length = len(self.bos) + len(prompt.ids)
        if length >= self.lm.context_size:
            raise UserError(
                f"The prompt has {length:,} tokens; “{self.name}” reads at most "
                f"{self.lm.context_size:,}.",
                next_step="Shorten the prompt.",
            )
        return self.lm.context_size - length

    def write(self, prompt: Prompt, sampling: Sampling, stop: Sequence[str] = ()) -> Writing:
        """Return a text about to be written. Raises UserError for a prompt too long."""
        most = min(sampling.max_new_tokens, self.room(prompt))
        sampling = msgspec.structs.replace(sampling, max_new_tokens=most)
        return Writing(self, prompt, sampling, [text for text in stop if text])


@dataclass
class Writing:
    """One answer, a token at a time. Used by one thread."""

    lab: Lab
    prompt: Prompt
    sampling: Sampling
    stop: list[str]
    finish: str = "length"
    """Why it ended: stop, length, or content_filter where a condition of the steering fired."""
    written: list[int] = field(default_factory=list)
    cancelled: bool = False
    """Set by whoever waits no longer, in any thread."""
    _steps: Iterator[Step] | None = None
    _held: str = ""
    """Text that may be the beginning of a stop."""
    _over: bool = False

    def __post_init__(self) -> None:
        lab = self.lab
        self._stream = TokenStream(lab.lm.token_bytes())
        watched = [gate for _, gate in lab.monitors]
        self._steering = Steering(lab.preparer, [lab.plan], [lab.stops], watched)
        self._ids = lab.bos + self.prompt.ids
        self._positions = Positions([0], len(lab.bos), [len(self.prompt.ids)])
        self._read: list[list[Tensor]] = [[] for _ in watched]

    def step(self) -> str | None:
        """Return the text that the next token completes, often none; None once it has ended."""
        if self._over:
            return None
        if self._steps is None:
            transforms = self._steering.transforms(self._positions)
            self._steps = continuations(
                self.lab.lm, [self._ids], transforms, self._positions, self.sampling,
                stopped=self._stopped,
            )  # fmt: skip
        step = next(self._steps, None)
        if step is None:
            return self._end("length")
        token = step.ids[0]
        if token is None:
            return self._end("content_filter")
        if token in self.lab.lm.eos_ids:
            return self._end("stop")
        self.written.append(token)
        piece = self._cut(self._stream.push(token))
        if not self._over and len(self.written) == self.sampling.max_new_tokens:
            piece += self._end("length")
        return piece

    def _end(self, why: str) -> str:
        """End the text; return what was held back of it."""
        piece = self._cut(self._stream.push(None, last=True))
        self.finish = "stop" if self._over else why
        self._over = True
        held, self._held = self._held, ""
        return piece + held

    def _cut(self, piece: str) -> str:
        """Return the text up to a stop; what may be the beginning of one is held back."""
        text = self._held + piece
        ends = [place for place in map(text.find, self.stop) if place >= 0]
        if ends:
            self._over, self._held, self.finish = True, "", "stop"
            return text[: min(ends)]
        held = max(
            (n for stop in self.stop for n in range(1, len(stop)) if text.endswith(stop[:n])),
            default=0,
        )
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def _stopped(self) -> list[bool]:
        gates = self._steering.gates
        assert gates is not None
        for found, (_, gate) in zip(self._read, self.lab.monitors, strict=True):
            if self._positions.column == 0:
                found.clear()
            found.append(gates.components(gate, 0).float().cpu())
        return gates.stopped()

    def hits(self) -> list[tuple[Monitor, float, list[Hit]]]:
        """Return of each monitor its highest score and its hits, on prompt and answer alike."""
        found = []
        for read, (monitor, gate) in zip(self._read, self.lab.monitors, strict=True):
            if read:  # else it was cancelled before it began
                found.append(self._hits_of(monitor, gate, torch.cat(read)[len(self.lab.bos) :]))
        return found

    def _hits_of(
        self, monitor: Monitor, gate: ReadyGate, seen_SK: Tensor
    ) -> tuple[Monitor, float, list[Hit]]:
        own = len(self.prompt.ids)
        # The last token written was never read.
        ids = [*self.prompt.ids, *self.written][: len(seen_SK)]
        roles = self.prompt.roles
        if len(ids) > own:
            roles = (*roles, RoleSpan(self.prompt.answers, own, len(ids) - own))
        promise = monitor.promise
        text = ReadText(ids, roles)
        scored = unit_scores(gate.reader, seen_SK, text, Watched(promise.unit, promise.role))
        names = self.lab.lm.token_bytes()
        hits = []
        for place in (scored.scores > monitor.threshold).nonzero()[0].tolist():
            token, part = int(scored.tokens[place]), scored.parts[place]
            around = context_of(names, text, token, scored.by_token_S)
            hits.append(Hit(
                monitor=monitor.name, score=float(scored.scores[place]),
                threshold=monitor.threshold, document=0, role=part.role, message=part.message,
                token=token, **around._asdict(),
            ))  # fmt: skip
        highest = float(scored.scores.max()) if len(scored.scores) else float("-inf")
        return monitor, highest, hits


def random_seed() -> int:
    return secrets.randbelow(2**31)
