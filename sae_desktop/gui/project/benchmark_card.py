"""The card of a benchmark. Free of Qt."""

from __future__ import annotations

import datetime

from sae_desktop.benchmark.items import BenchmarkItem
from sae_desktop.gui.project.card import Card
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import exact_count, short_count, when_text


def benchmark_card(item: BenchmarkItem, now: datetime.datetime) -> Card:
    """Return the card of a benchmark."""
    footer = f"{format_bytes(item.bytes)} · {when_text(item.modified, now)}"
    if item.problem:
        return Card("benchmark", item.name, (), footer, ("reveal", "delete"), item.problem)
    last = (
        ("Samples", short_count(item.samples))
        if item.samples
        else ("Datasets for probes", exact_count(item.data_sets))
    )
    figures = (
        ("Dictionaries", exact_count(item.dictionaries)),
        ("Recipes", ", ".join(item.recipes)),
        last,
    )
    return Card("benchmark", item.name, figures, footer, ("benchmark", "reveal", "delete"))
