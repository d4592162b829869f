"""What a package says of itself and of its features: card, labels, lists. Free of torch."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.exchange.config import PackageCard
from sae_desktop.project_labels import Label
from sae_desktop.project_lists import FeatureList
from sae_desktop.project_note import FeatureNote
from sae_desktop.storage.archives import DAMAGED
from sae_desktop.storage.own_folders import TEMPORARY_PREFIX

SCHEMA_VERSION, SET_SCHEMA_VERSION = 1, 2
"""Of a package of one dictionary, and of one of a set, which earlier releases do not know."""
CARD, README, LABELS, LISTS = "card.json", "README.md", "labels.json", "lists.json"
OTHER_LABELS = "other_labels.json"
"""The labels that are not shown; packages of earlier releases have none."""
_MOST_CARD = 64 * 2**20
_MOST_TEXT = 100_000
"""Characters of a label or a note."""
_MOST_LISTS = 10_000
_MOST_NOTES = 2**30
"""Bytes that the notes of a package may unpack to."""


def read_card(path: Path) -> PackageCard:
    """Return the card of a package, nothing else of it read. Raises UserError for none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(CARD).file_size > _MOST_CARD:
                raise ValueError("its card is far too large")
            card = msgspec.json.decode(archive.read(CARD), type=PackageCard)
    except (OSError, KeyError, RecursionError, *DAMAGED) as error:
        raise no_package(path, error) from error
    if card.schema_version > SET_SCHEMA_VERSION:
        raise UserError(
            f"The package “{path.name}” was written by a newer SAE Desktop.",
            next_step="Update SAE Desktop to open it.",
        )
    return card


def no_package(path: Path, error: Exception) -> UserError:
    return UserError(
        f"“{path.name}” is not a package, or is damaged: {error}.",
        kept="Nothing was written.",
        next_step="Get a fresh copy of it.",
    )


def read_notes(path: Path) -> tuple[list[FeatureNote], list[Label]]:
    """Return the notes of a package, and its labels that are not shown. Raises UserError."""
    card = read_card(path)
    wanted = (LABELS, LISTS, OTHER_LABELS)
    with (
        tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder,
        zipfile.ZipFile(path) as archive,
    ):
        place = Path(folder)
        for name in set(wanted) & set(archive.namelist()):
            if archive.getinfo(name).file_size > _MOST_NOTES:
                raise no_package(path, ValueError(f"“{name}” is far too large"))
            (place / name).write_bytes(archive.read(name))
        labels, _, others = read_written(path, place, card.features)
    return labels, others


def read_written(
    path: Path, place: Path, features: int
) -> tuple[list[FeatureNote], list[FeatureList], list[Label]]:
    try:
        labels = msgspec.json.decode((place / LABELS).read_bytes(), type=list[FeatureNote])
        lists = msgspec.json.decode((place / LISTS).read_bytes(), type=list[FeatureList])
        others: list[Label] = []
        if (place / OTHER_LABELS).is_file():
            data = (place / OTHER_LABELS).read_bytes()
            others = msgspec.json.decode(data, type=list[Label])
        _check_written(labels, lists, features)
        if any(not 0 <= label.feature < features for label in others):
            raise ValueError("a label is of a feature that the dictionary does not have")
    except (OSError, ValueError, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise no_package(path, error) from error
    return labels, lists, others


def _check_written(labels: list[FeatureNote], lists: list[FeatureList], features: int) -> None:
    """Raise ValueError for what a project would not take."""
    numbers = [note.feature for note in labels]
    if len(set(numbers)) < len(numbers):
        raise ValueError("it has two notes about one feature")
    if any(max(len(note.label), len(note.note)) > _MOST_TEXT for note in labels):
        raise ValueError("a label or a note is far too long")
    if len(lists) > _MOST_LISTS or any(len(c.features) > features for c in lists):
        raise ValueError("it has more lists, or longer ones, than its features allow")
    numbers += [feature for content in lists for feature in content.features]
    if any(not 0 <= number < features for number in numbers):
        raise ValueError("it has notes about features that it does not have")
    if any(note.score is not None and not 0 <= note.score <= 1 for note in labels):
        raise ValueError("a score is not between 0 and 1")
    names = [content.name.strip() for content in lists]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError("its lists do not have distinct names")
