"""What is read of an index's features to search them by meaning. Free of torch and Qt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.meaning_file import LABEL, NAME
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes
from sae_desktop.storage.stamp import file_stamp

Array = npt.NDArray[Any]

BEFORE, AFTER = 10, 5
"""Tokens around the strongest one: more of the text says less of the feature."""
_MOST_TOKENS = 4
"""Different tokens of its strongest firings that are read beside the contexts."""


@dataclass(frozen=True)
class Texts:
    """Texts about features, each with what tells it from another."""

    features: Array
    kinds: Array
    """LABEL or NAME."""
    digests: Array
    """(n,) uint64."""
    texts: list[str]


def texts_of(project: Project, index: FeatureIndex) -> Texts:
    """Return the labels that a project shows, and the automatic names of the other features."""
    labels = labels_of(project, index.info.dictionary)
    found = [(f, LABEL, text) for f, text in sorted(labels.items()) if f < index.features]
    found += [(f, NAME, name) for f, name in _names(index) if f not in labels]
    return Texts(
        features=np.array([f for f, _, _ in found], np.uint32),
        kinds=np.array([kind for _, kind, _ in found], np.uint8),
        digests=np.array([digest(text) for _, _, text in found], np.uint64),
        texts=[text for _, _, text in found],
    )


def labels_of(project: Project, dictionary: str) -> dict[int, str]:
    """Return feature → label of the features of a dictionary that have one."""
    if not project.notes_path.is_file():
        return {}
    with closing(Notes(project.notes_path)) as notes:
        labelled = notes.by_label(dictionary).tolist()
        return notes.label_reader(dictionary)(labelled)


def _names(index: FeatureIndex) -> Iterator[tuple[int, str]]:
    return ((feature, name) for feature, name in enumerate(index.short_names()) if name)


def digest(text: str) -> int:
    """Return 64 bits by which a text that was read is known again."""
    data = text.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def strongest_slots(index: FeatureIndex, feature: int, most: int) -> Array:
    """Return (k,) the slots of a feature's strongest contexts, the strongest first."""
    rows = index.arrays["contexts/row"][feature]
    kept = (rows >= 0) & (index.arrays["contexts/bucket"] == TOP_BUCKET)
    return np.flatnonzero(kept)[:most]


def context_text(index: FeatureIndex, feature: int, slot: int) -> str:
    """Return the text around the strongest token of a context, as the model read it."""
    context = index.context(feature, slot, BEFORE, AFTER).as_read()
    return "".join(context.tokens).strip()


def token_words(index: FeatureIndex, feature: int, slots: Array) -> str:
    """Return the tokens of some of a feature's contexts in a row; empty: none are words."""
    rows = index.arrays["contexts/row"][feature][slots]
    if (picture := index.array("picture")) is not None:
        rows = rows[picture[rows] < 0]
    names = [index.token(int(number)) for number in index.tokens[rows]]
    words = [name.strip() for name in names if "⟨0x" not in name and any(map(str.isalnum, name))]
    return ", ".join(list(dict.fromkeys(words))[:_MOST_TOKENS])


def notes_stamp(path: Path) -> tuple[int, ...]:
    """Return what changes whenever a notes file does; of none, nothing."""
    return (*file_stamp(path), *file_stamp(path.with_name(f"{path.name}-wal")))
