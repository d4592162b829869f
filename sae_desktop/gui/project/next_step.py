"""What a person should do next in a project. Free of Qt."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from sae_desktop.words.amounts import exact_count, short_count
from sae_desktop.words.inventory import DictionaryItem, Inventory
from sae_desktop.words.running_jobs import Written

Kind = Literal["harvest", "resume_harvest", "train", "resume_train", "index", "explore", "watch"]


@dataclass(frozen=True)
class NextStep:
    """One sentence and one button."""

    kind: Kind
    sentence: str
    button: str
    target: str = ""
    """The store, dictionary, index or workspace that it concerns."""


RUNNING = {
    "harvest": NextStep("watch", "The harvest is running.", "Watch the harvest", "harvest"),
    "import_activations": NextStep("watch", "Activations are being imported.", "Show jobs", "jobs"),
    "train": NextStep("watch", "A dictionary is being trained.", "Watch the curves", "train"),
    "sweep": NextStep("watch", "A sweep is running.", "Watch the curves", "train"),
    "index": NextStep("watch", "The features are being indexed.", "Show jobs", "jobs"),
}
"""Tag of a running job's config → where to watch it."""


def _fresh(inventory: Inventory) -> DictionaryItem | None:
    """Return the newest dictionary, where there are indexes and it is newer than any of them."""
    usable = [d for d in inventory.dictionaries if d.summary is not None and d.complete]
    if not usable or not inventory.indexes:
        return None
    newest = max(usable, key=lambda item: item.modified)
    read = max(item.modified for item in inventory.indexes)
    return newest if not newest.indexes and newest.modified > read else None


def _stopped(inventory: Inventory, written: Written) -> tuple[datetime.datetime, NextStep] | None:
    """Return when the last work that was interrupted was, and how it is resumed."""
    found: list[tuple[datetime.datetime, NextStep]] = []
    for store in inventory.stores:
        if store.complete or store.harvest is None or ("store", store.name) in written:
            continue
        sentence = (
            f"The harvest “{store.name}” stopped at {short_count(store.rows)} of "
            f"{short_count(store.rows_wanted)} rows; all of them are kept."
        )
        step = NextStep("resume_harvest", sentence, "Resume the harvest", store.name)
        found.append((store.modified, step))
    for item in inventory.dictionaries:
        if item.complete or not item.train or ("dictionary", item.name) in written:
            continue
        sentence = f"The training of “{item.name}” stopped after {short_count(item.rows)} rows."
        step = NextStep("resume_train", sentence, "Resume the training", item.name)
        found.append((item.modified, step))
    return max(found, key=lambda pair: pair[0], default=None)


def next_step(
    inventory: Inventory, running: frozenset[str] = frozenset(), written: Written = frozenset()
) -> NextStep:
    """Return the next step; `running` holds the tags of the configs of jobs under way.

    `written`: what these jobs write, which did not stop.

    What was interrupted last is resumed, and what was trained since the last index is indexed,
    whichever was later; else an index is explored, even while something runs. Otherwise a running
    job comes first, then work that was interrupted, then what is missing on the way to an index.
    """
    fresh, stopped = _fresh(inventory), _stopped(inventory, written)
    if inventory.indexes and stopped is not None and not running:
        last = max(item.modified for item in inventory.indexes)
        if stopped[0] > max(last, fresh.modified if fresh is not None else last):
            return stopped[1]
    if fresh is not None and "index" not in running:
        return NextStep(
            "index",
            f"“{fresh.name}” is trained. Build an index to find out what its features respond to.",
            "Build an index",
            fresh.name,
        )
    if inventory.indexes:
        newest = max(inventory.indexes, key=lambda item: item.modified)
        return NextStep(
            "explore",
            f"{exact_count(newest.features)} features of “{newest.dictionary}” are ready to read.",
            "Explore the features",
            newest.name,
        )
    for tag, step in RUNNING.items():
        if tag in running:
            return step
    if stopped is not None:
        return stopped[1]
    if not inventory.stores and not inventory.dictionaries:
        return NextStep(
            "harvest",
            "A project starts with a model’s activations on some text.",
            "Harvest activations",
        )
    usable = [item for item in inventory.dictionaries if item.summary is not None]
    if not usable:
        newest_store = max(inventory.stores, key=lambda item: item.modified)
        return NextStep(
            "train",
            f"“{newest_store.name}” holds {short_count(newest_store.rows)} rows to train on.",
            "Train a dictionary",
            newest_store.name,
        )
    newest_dictionary = max(usable, key=lambda item: item.modified)
    return NextStep(
        "index",
        f"“{newest_dictionary.name}” is trained. Build an index to find out what its "
        f"features respond to.",
        "Build an index",
        newest_dictionary.name,
    )
