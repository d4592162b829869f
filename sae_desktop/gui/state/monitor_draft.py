"""What a monitor is to be made of, as one place of the window tells another. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MonitorDraft:
    """Some features of an index, found for a concept set."""

    index: str
    features: tuple[int, ...]
    """At least one."""
    concept_set: str = ""
    """Name of the set whose positives the monitor is to find; empty: none."""
