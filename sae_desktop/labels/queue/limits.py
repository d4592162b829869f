"""How fast and for how much a queue of requests may ask. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import AtLeast0, Count, CountOrNone

QUEUE = "Requests"


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue of requests keeps to. Prices and cap are in whatever currency a person means."""

    at_once: Annotated[
        Count,
        said(
            "Requests at once",
            "How many requests are under way at the same time. The queue asks fewer while the "
            "server is busy.",
            QUEUE,
        ),
    ] = 4
    requests_per_minute: Annotated[
        CountOrNone,
        said("Requests per minute", "How many requests a minute may start; 0: no limit.", QUEUE),
    ] = 0
    tokens_per_minute: Annotated[
        CountOrNone,
        said(
            "Tokens per minute",
            "How many tokens a minute may be sent and received, at a guess made before each "
            "request; 0: no limit.",
            QUEUE,
        ),
    ] = 0
    attempts: Annotated[
        Count,
        said(
            "Attempts",
            "How many times a request is made before it counts as failed, where the server fails "
            "or cannot be reached.",
            QUEUE,
        ),
    ] = 5
    price_in: Annotated[
        AtLeast0,
        said(
            "Price of input",
            "Price of a million tokens of prompts, in your currency; 0: free.",
            QUEUE,
        ),
    ] = 0.0
    price_out: Annotated[
        AtLeast0,
        said(
            "Price of output",
            "Price of a million tokens of answers, in your currency; 0: free.",
            QUEUE,
        ),
    ] = 0.0
    most_cost: Annotated[
        AtLeast0,
        said(
            "Spend at most",
            "No request is made that could take the cost of this start above this, in the same "
            "currency; 0: no limit.",
            QUEUE,
        ),
    ] = 0.0


def limits_of(config: msgspec.Struct) -> QueueLimits | None:
    """Return what the queue of a job keeps to; None for a job that asks no model."""
    values = (getattr(config, name) for name in config.__struct_fields__)
    return next((value for value in values if isinstance(value, QueueLimits)), None)
