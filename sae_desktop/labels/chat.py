"""What is asked of a language model that answers, and what comes back. Free of torch and Qt.

Whoever explains or judges features is handed a `ChatModel` and does not know whether a server, a
model in this process or a test answers.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from sae_desktop.errors import UserError

Role = Literal["system", "user", "assistant"]

ErrorKind = Literal[
    "certificate",
    "closed",
    "key",
    "malformed",
    "no_model",
    "offline",
    "quota",
    "rate",
    "refused",
    "server",
    "timeout",
    "too_long",
    "unreachable",
]
"""What kept a model from answering:

certificate: the server's certificate cannot be trusted. closed: the model was closed meanwhile.
key: the server wants a key, or another one. malformed: what came back is not an answer.
no_model: the server has no model of that name. offline: the network is off in the settings.
quota: the account has nothing left. rate: too many requests; `retry_after` says when.
refused: the model answered that it will not. server: the server failed. timeout: no answer came in
time. too_long: the prompt does not fit the model's window. unreachable: nothing answers there.
"""

_FATAL: frozenset[ErrorKind] = frozenset(
    {"certificate", "closed", "key", "no_model", "offline", "quota"}
)
_PASSING: frozenset[ErrorKind] = frozenset({"rate", "server", "timeout", "unreachable"})


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str


class Ask(msgspec.Struct, frozen=True):
    """All that decides what a model answers, beside the model itself."""

    messages: tuple[Message, ...]
    most_tokens: int = 256
    """Of the answer and of what a thinking model writes before it, together."""
    temperature: float = 0.0
    schema: dict[str, Any] | None = None
    """A JSON schema of the answer. Where a server has none, the answer is prose: read it with
    care."""
    logprobs: int = 0
    """How many alternatives to each token of the answer to give the log-probability of; 0: none."""
    seed: int = 0


class AnsweredToken(msgspec.Struct, frozen=True):
    """A token of an answer with its log-probability (natural) and that of its alternatives."""

    text: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()
    """Most likely first; usually the token itself is among them."""


class Answer(msgspec.Struct, frozen=True):
    """What a model answered."""

    text: str
    thoughts: str = ""
    """What a thinking model wrote before its answer; never part of it."""
    model: str = ""
    """What the server says it is."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    """Its thoughts are counted too, since they are paid for."""
    finish: Literal["stop", "length", "cut"] = "stop"
    """length: it was at `most_tokens`. cut: it was too long to be kept whole."""
    logprobs: tuple[AnsweredToken, ...] | None = None
    """Of the answer alone, without thoughts; None: not asked for, or not served."""
    structured: bool = False
    """Whether the server held the answer to the schema."""


class ChatError(UserError):
    """A question that was not answered. Nothing in it, nor in its causes, holds a key."""

    def __init__(
        self,
        kind: ErrorKind,
        what: str,
        *,
        kept: str = "",
        next_step: str = "",
        retry_after: float | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(what, kept=kept, next_step=next_step)
        self.kind: ErrorKind = kind
        self.sent = sent
        """Whether the question may have arrived, and be charged for."""
        self.retry_after = retry_after
        """Seconds the server asks to wait; None where it says nothing."""

    @property
    def fatal(self) -> bool:
        """Whether every further question would end the same way."""
        return self.kind in _FATAL

    @property
    def passing(self) -> bool:
        """Whether the same question may well be answered later."""
        return self.kind in _PASSING


class ChatModel(Protocol):
    """A model that answers. `ask` may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Tell it from every other one, in ledgers and records: no key, no credentials."""

    def ask(self, ask: Ask) -> Answer:
        """Return the answer. Raises ChatError."""

    def close(self) -> None:
        """End what is being asked, with a ChatError of kind "closed", and give back what it
        holds. From any thread; more than once does no harm."""
