"""What is said of search by meaning: what it lacks, and how far that is provided. No Qt."""

from __future__ import annotations

from typing import Any

from sae_desktop.engine.protocol import JobProgress
from sae_desktop.labels.search.config import encoder_bytes
from sae_desktop.language_model.config import GetModelConfig
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import exact_count

TITLE = "By meaning"
NO_ENGINE = "The engine searches by meaning, and it is not running."
NO_ENCODER = (
    "Search by meaning needs a sentence encoder, which is not on this machine yet. It is "
    "downloaded once and then works offline."
)
GET_ENCODER = f"Get the sentence encoder ({format_bytes(encoder_bytes())})"
NO_VECTORS = (
    "The labels and contexts of this index have not been read for their meaning yet. That is done "
    "once and takes minutes; you can continue to work."
)
READ = "Read labels and contexts"
READ_NEW = "Read the new labels"
FEW_NEWER = 64
"""Labels that changed since, up to which a search reads them by itself."""


def newer(labels: int) -> str:
    """Return what is said of labels that have changed since they were read."""
    return f"{exact_count(labels)} labels have changed since they were read for their meaning."


def providing(config: Any, progress: JobProgress | None) -> str:
    """Return how far the job is that provides what is lacking."""
    getting = isinstance(config, GetModelConfig)
    what = "Getting the sentence encoder" if getting else "Reading labels and contexts"
    if progress is None or not progress.total:
        return f"{what}…"
    done, total = round(progress.done), round(progress.total)
    return f"{what}: {exact_count(done)} of {exact_count(total)} {progress.unit}"
