"""Cards whose makers publish what they can do, and how fast they are taken to be. Free of torch."""

from __future__ import annotations

import tomllib
from functools import cache

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path
from sae_desktop.sizing.config import Rates

_PRODUCTS = 0.5
"""Of the published rate, what products of this size are taken to reach."""
_BANDWIDTH = 0.8
_STREAM_BYTES = 100
"""Read and written by a layer for each token and number of its stream, beside its products: some
fifty bfloat16."""
USUAL = Rates(
    name="a usual processor",
    float32=100e9, low=200e9, bandwidth=20e9, disk_write=1e9, disk_read=2e9, entries=10e6,
    stream=4e-9, step=1.0,
)  # fmt: skip
"""Where nothing was measured: a few cores, a solid-state disk."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What is published of a card."""

    name: str
    memory: float
    """Bytes."""
    low: float
    """Operations a second of dense bfloat16 products."""
    float32: float
    bandwidth: float
    """Bytes a second."""
    source: str


@cache
def known_cards() -> tuple[Card, ...]:
    """Return the cards of `resources/cards.toml`, in their order there."""
    read = tomllib.loads(resource_path("cards.toml").read_text("utf-8"))
    return tuple(msgspec.convert(read["card"], list[Card]))


def find_card(text: str) -> Card:
    """Return the card in whose name all words of a text occur; of several the first.

    Raises UserError where there is none.
    """
    words = text.casefold().split()
    for card in known_cards():
        if words and all(word in card.name.casefold() for word in words):
            return card
    names = ", ".join(card.name.removeprefix("NVIDIA ") for card in known_cards())
    raise UserError(f"The card “{text}” is not known.", next_step=f"Choose one of {names}.")


def rates_of(card: Card, host: Rates | None) -> Rates:
    """Return how fast a card is taken to be, in a machine whose disk and processor are `host`'s."""
    beside = host or USUAL
    bandwidth = _BANDWIDTH * card.bandwidth
    return Rates(
        name=card.name,
        float32=_PRODUCTS * card.float32,
        low=_PRODUCTS * card.low,
        bandwidth=bandwidth,
        disk_write=beside.disk_write,
        disk_read=beside.disk_read,
        entries=beside.entries,
        stream=_STREAM_BYTES / bandwidth,
        step=1.0,
        device="cuda",
        busy=beside.busy,
    )


def reached_text(card: Card) -> str:
    """Return what the times on a card rest on."""
    return (
        f"{card.name} by its maker’s figures ({card.source}), of which products are taken to reach "
        f"{_PRODUCTS:.0%} and memory {_BANDWIDTH:.0%}"
    )
