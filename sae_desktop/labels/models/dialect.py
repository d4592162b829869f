"""Which parts of the protocol a server takes: found out as it refuses them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from sae_desktop.labels.chat import Ask


@dataclass(frozen=True)
class Dialect:
    """What is sent to a server; each part is left out once it was refused."""

    schema: bool = True
    usage: bool = True
    seed: bool = True
    logprobs: bool = True
    temperature: bool = True
    max_tokens: bool = True
    """False: it is called `max_completion_tokens`, as models that think want it."""

    def request(self, ask: Ask, model: str) -> dict[str, Any]:
        """Return the arguments of a request for an answer in pieces."""
        length = "max_tokens" if self.max_tokens else "max_completion_tokens"
        found: dict[str, Any] = {
            "model": model,
            "messages": [{"role": m.role, "content": m.content} for m in ask.messages],
            "stream": True,
            length: ask.most_tokens,
        }
        if self.usage:
            found["stream_options"] = {"include_usage": True}
        if self.temperature:
            found["temperature"] = ask.temperature
        if self.seed:
            found["seed"] = ask.seed
        if self.logprobs and ask.logprobs:
            found |= {"logprobs": True, "top_logprobs": ask.logprobs}
        if self.schema and ask.schema is not None:
            format_ = {"name": "answer", "schema": ask.schema, "strict": True}
            found["response_format"] = {"type": "json_schema", "json_schema": format_}
        return found

    def without(self, said: str, ask: Ask) -> Dialect | None:
        """Return the dialect without what a refusal names; None where it names nothing of this.

        A refusal that names nothing is taken to mean the schema, which most servers lack.
        """
        sent = {name for name in _NAMED if getattr(self, name)}
        sent -= set() if ask.logprobs else {"logprobs"}
        sent -= set() if ask.schema is not None else {"schema"}
        for name in sent:
            if _NAMED[name].search(said):
                return replace(self, **{name: False})
        return replace(self, schema=False) if "schema" in sent else None

    def both(self, other: Dialect) -> Dialect:
        """Return what neither has left out."""
        names = [field.name for field in fields(self)]
        return Dialect(**{n: getattr(self, n) and getattr(other, n) for n in names})


_NAMED = {
    "schema": re.compile(r"response_format|json_schema|grammar|\bschema\b", re.IGNORECASE),
    "usage": re.compile(r"stream_options|include_usage", re.IGNORECASE),
    "seed": re.compile(r"\bseed\b", re.IGNORECASE),
    "logprobs": re.compile(r"log_?probs", re.IGNORECASE),
    "temperature": re.compile(r"temperature", re.IGNORECASE),
    "max_tokens": re.compile(r"\bmax_(completion_)?tokens\b", re.IGNORECASE),
}
