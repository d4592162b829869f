"""How long each stage of a job took, in words and as a table. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.features.stages import StageTime, longest_first
from sae_desktop.words.amounts import elapsed_text, whole_percent_text

HEADERS = ("stage", "time", "share", "processor")


def made_in(stages: Sequence[StageTime]) -> str:
    """Return how long all took together: 41.3 s."""
    return elapsed_text(sum(stage.seconds for stage in stages))


def stage_rows(stages: Sequence[StageTime]) -> list[tuple[str, str, str, str]]:
    """Return name, time, its share and the processor's time of each, the longest first."""
    total = sum(stage.seconds for stage in stages)
    return [
        (
            stage.name,
            elapsed_text(stage.seconds),
            whole_percent_text(stage.seconds / total if total else 0.0),
            elapsed_text(stage.processor_seconds),
        )
        for stage in longest_first(stages)
    ]


def stages_text(stages: Sequence[StageTime]) -> str:
    """Return the stages below one another, the longest first."""
    rows = stage_rows(stages)
    return "\n".join(f"{name}: {took}, {share}" for name, took, share, _ in rows)
