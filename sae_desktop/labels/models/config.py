"""Finding servers and trying them: what is asked and answered. Free of torch and Qt."""

from __future__ import annotations

import msgspec

from sae_desktop.labels.models.choice import ModelChoice


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a server offers."""

    name: str
    window: int = 0
    """Tokens it reads at once, as the server says; 0: it does not say."""


class FindServersConfig(msgspec.Struct, frozen=True, kw_only=True, tag="find_servers"):
    """Look for servers on this machine, at the ports they usually have. Nothing leaves it."""


class FoundServer(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    """The program, such as “Ollama”, as far as its port and its answer tell."""
    url: str
    models: list[ServedModel]


class FindServersResult(msgspec.Struct, frozen=True, kw_only=True):
    servers: list[FoundServer]
    looked_at: int
    """Ports."""


class CheckServerConfig(msgspec.Struct, frozen=True, kw_only=True, tag="check_server"):
    """List the models of a server and, where one is chosen, have it answer one short question."""

    model: ModelChoice


class CheckServerResult(msgspec.Struct, frozen=True, kw_only=True):
    models: list[ServedModel]
    """None: the server does not list them."""
    answer: str = ""
    """To the question; empty: no model is chosen, or it answered nothing."""
    thinks: bool = False
    """Whether it wrote thoughts before its answer."""
    structured: bool = False
    """Whether the server holds answers to a schema."""
    logprobs: bool = False
    """Whether the server gives log-probabilities."""
    window: int = 0
    seconds: float = 0.0
    """For the answer."""
    answer_tokens: int = 0
    key: str = ""
    """Where its key is: memory, environment, keyring; empty: none was sent."""
