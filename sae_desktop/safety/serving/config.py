"""What a served model is asked to be. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Count

LOOPBACK = "127.0.0.1"
PORT = 8642
TOKEN_VARIABLE = "SAE_DESKTOP_SERVE_TOKEN"
"""Of the environment: a token of one's own, in place of one that is made at each start."""
MOST_BYTES = 1_000_000
"""Of a request. A prompt that any model here reads takes far less."""


class ServeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Give a model, steered and watched, to programs that speak as to OpenAI's servers."""

    project: str = ""
    """Of the preset and the monitors, and where hits are kept; empty: the model as it is."""
    model: str = ""
    """Empty: that of the preset or of the first monitor."""
    preset: str = ""
    index: str = ""
    """Of the preset's dictionary; empty: the first that there is."""
    monitors: list[str] = []
    host: Annotated[
        str,
        said("Host", "Address to listen at. Any but 127.0.0.1 lets other machines in."),
    ] = LOOPBACK
    port: Annotated[int, said("Port", "Port to listen at; 0: one that is free.")] = PORT
    at_once: Annotated[
        Count,
        said(
            "At once",
            "Requests that are written at the same time, a token each in turn; others wait in "
            "the order in which they came.",
        ),
    ] = 4
    device: str = "auto"


class ServedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was answered, told when its text has ended."""

    at: str
    """ISO 8601."""
    kind: Literal["chat", "text"]
    read: int
    """Tokens of the prompt."""
    written: int
    finish: str
    """stop, length, content_filter where a condition ended it, or cancelled: the client hung up."""
    fired: list[str] = []
    """The monitors that fired."""
    hits: int = 0


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server answers, told once."""

    url: str
    token: str
    model: str
    steering: str = ""
    monitors: list[str] = []
    hits: str = ""
    """The file that hits are written to; empty: none are."""
