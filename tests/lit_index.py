"""An index over words and pictures whose activations are planted, patch by patch; no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from picture_stores import SITE, Part, Shown, picture_info, write_picture_store

from sae_desktop.dictionary import Dictionary, save
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

FEATURES = 8
CAT = Shown("animals/cat.png", (40, 90, 200), 4, 5, 100, 80)
DOG = Shown("animals/dog.png", (200, 120, 30), 4, 5, 100, 80)
DOCUMENTS: tuple[tuple[Part, ...], ...] = (
    ([5, 6], CAT, [8, 9]),
    (DOG, [5, 6, 8]),
    (tuple(range(10, 22)),),
)
"""Rows: 2 words, the cat’s 20, 2 words, the dog’s 20, 3 words, 12 words: 59."""
FIRST_OF_CAT, FIRST_OF_DOG, FIRST_OF_WORDS = 2, 24, 47
PLANTED: Mapping[int, Mapping[int, float]] = {
    # On both pictures: its strongest region is patches (1, 2), (1, 3) and (2, 2) of the cat.
    0: {
        FIRST_OF_CAT + 7: 8.0, FIRST_OF_CAT + 8: 5.0, FIRST_OF_CAT + 12: 4.0,
        FIRST_OF_CAT + 19: 7.0, FIRST_OF_CAT + 6: 1.0, FIRST_OF_DOG: 6.0,
    },
    # On words alone: the token 6 twice, 12 once.
    1: {1: 3.0, 45: 2.0, FIRST_OF_WORDS + 2: 1.0},
    # On one patch and one word: of 40 rows one, of 19 rows one.
    2: {FIRST_OF_DOG + 3: 2.0, 22: 5.0},
    # On nearly all words, and on one patch of 40: not on both.
    3: {**dict.fromkeys(range(FIRST_OF_WORDS, 59), 1.0), FIRST_OF_CAT: 2.0},
    # On 12 patches of 40 and one word of 19: on both, though not by its counts.
    4: {**dict.fromkeys(range(FIRST_OF_DOG + 8, FIRST_OF_DOG + 20), 1.0), 0: 1.0},
}  # fmt: skip
"""Feature → row → activation; the others never fire."""


def planted_rows(
    rows: int = 59, planted: Mapping[int, Mapping[int, float]] = PLANTED
) -> np.ndarray:
    """Return rows (R, FEATURES + 1); the last number holds all to one norm, so that none is
    massive."""
    found = np.zeros((rows, FEATURES + 1), np.float32)
    for feature, at in planted.items():
        for row, value in at.items():
            found[row, feature] = value
    found[:, -1] = np.sqrt(400.0 - (found**2).sum(axis=1))
    return found


def reading_dictionary() -> Dictionary:
    """Return the dictionary whose feature f is the row’s number f."""
    into = torch.eye(FEATURES + 1)[:, :FEATURES]
    return Dictionary(
        into.clone(),
        torch.zeros(FEATURES),
        into.T.clone(),
        torch.zeros(FEATURES + 1),
        metadata={"activation_store": "s", "site": SITE},
    )


def lit_project(
    folder: Path, documents: Sequence[Sequence[Part]] = DOCUMENTS, rows: np.ndarray | None = None
) -> Project:
    """Return a project with the store “s”, the dictionary “d” and its index “i”."""
    project = Project.open_or_create(folder)
    known = planted_rows() if rows is None else rows
    info = picture_info(FEATURES + 1, model="")
    write_picture_store(project.store_path("s"), documents, known, info=info)
    save(reading_dictionary(), project.dictionary_path("d"))
    build_index(lit_config(project), SilentContext())
    return project


def lit_config(project: Project, **settings: object) -> IndexConfig:
    known = {"dictionary": "d", "activations": "s", "name": "i", "map": False, "names": True}
    return IndexConfig(project=str(project.path), **{**known, **settings})  # type: ignore[arg-type]


def lit_index(project: Project) -> FeatureIndex:
    return FeatureIndex(project.index_path("i"))
