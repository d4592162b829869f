"""What clients of OpenAI's send. Fields that are not here are taken and left alone."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from sae_desktop.errors import UserError
from sae_desktop.safety.serving.lab import random_seed
from sae_desktop.steering.config import Sampling

USUAL_TOKENS = 512
"""Written where a request does not say how many; fewer where the model has no room for them."""
MOST_STOPS = 16


class Part(BaseModel):
    type: str = "text"
    text: str = ""


class Said(BaseModel):
    """One message of a chat."""

    role: str
    content: str | list[Part] | None = None

    def plain(self) -> dict[str, str]:
        """Return it as chat templates take it. Raises UserError for what is no text."""
        content = self.content
        if isinstance(content, list):
            other = next((part.type for part in content if part.type != "text"), None)
            if other is not None:
                raise UserError(
                    f"A message holds a part of the kind “{other}”; this model reads text alone.",
                    next_step="Send only text.",
                )
            content = "".join(part.text for part in content)
        return {"role": self.role, "content": content or ""}


class StreamOptions(BaseModel):
    include_usage: bool = False


class Asked(BaseModel):
    """What both kinds of requests say of the text that is to be written."""

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    repetition_penalty: float | None = Field(None, ge=1)
    seed: int | None = None
    n: int = 1

    def stops(self) -> list[str]:
        """Return the texts that end it. Raises UserError for too many."""
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(found) > MOST_STOPS:
            raise UserError(f"At most {MOST_STOPS} texts can end a reply.",
                            next_step="Send fewer.")  # fmt: skip
        return found

    def sampling(self, usual: Sampling) -> Sampling:
        """Return how tokens are chosen; what the request leaves open as is usual.

        Raises UserError for several replies at once.
        """
        if self.n != 1:
            raise UserError(
                f"{self.n} replies were asked for in one request.", next_step="Ask several times."
            )
        most = self.max_completion_tokens or self.max_tokens or USUAL_TOKENS
        return Sampling(
            max_new_tokens=most,
            temperature=_or(self.temperature, usual.temperature),
            top_p=_or(self.top_p, usual.top_p),
            top_k=_or(self.top_k, usual.top_k),
            repetition_penalty=_or(self.repetition_penalty, usual.repetition_penalty),
            seed=random_seed() if self.seed is None else self.seed & (2**63 - 1),
        )


class ChatAsked(Asked):
    messages: list[Said] = Field(min_length=1)


class TextAsked(Asked):
    prompt: str | list[str]

    def text(self) -> str:
        """Return the one prompt. Raises UserError for several."""
        if isinstance(self.prompt, str):
            return self.prompt
        if len(self.prompt) != 1:
            raise UserError(
                f"{len(self.prompt)} prompts were sent in one request.",
                next_step="Send one a request.",
            )
        return self.prompt[0]


def _or(given: Any, usual: Any) -> Any:
    return usual if given is None else given
