"""What a person should do next in a project. Free of Qt."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

from sae_desktop.words.amounts import exact_count, short_count
from sae_desktop.words.inventory import DictionaryItem, Inventory, SetItem
from sae_desktop.words.running_jobs import Written
from sae_desktop.words.set_words import count_text, newest_index
from sae_desktop.words.unfinished_text import FINISH, rows_so_far

Kind = Literal[
    "harvest", "resume_harvest", "train", "resume_train", "resume_set", "index", "index_set",
    "finish_index", "explore", "watch",
]  # fmt: skip


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
    "train_set": NextStep("watch", "A set is being trained.", "Watch the curves", "train"),
    "index": NextStep("watch", "The features are being indexed.", "Show jobs", "jobs"),
    "index_set": NextStep("watch", "The layers are being indexed.", "Show jobs", "jobs"),
}
"""Tag of a running job's config → where to watch it."""


def _usable(inventory: Inventory) -> list[DictionaryItem | SetItem]:
    """Return what an index can be made of."""
    alone = [d for d in inventory.dictionaries if d.summary is not None and d.complete]
    return [*alone, *(one for one in inventory.sets if one.complete)]


def _fresh(inventory: Inventory) -> DictionaryItem | SetItem | None:
    """Return the newest dictionary or set, where there are indexes and all are older than it."""
    usable = _usable(inventory)
    if not usable or not inventory.indexes:
        return None
    newest = max(usable, key=lambda item: item.modified)
    read = max(item.modified for item in inventory.indexes)
    indexed = newest.indexed if isinstance(newest, SetItem) else newest.indexes
    return newest if not indexed and newest.modified > read else None


def _index_of(item: DictionaryItem | SetItem) -> NextStep:
    """Return the step that indexes what has been trained."""
    if isinstance(item, SetItem):
        sentence = (
            f"The set “{item.name}” is trained: {count_text(item)}. Index them to find out what "
            "their features respond to."
        )
        return NextStep("index_set", sentence, "Index all layers", item.name)
    return NextStep(
        "index",
        f"“{item.name}” is trained. Build an index to find out what its features respond to.",
        "Build an index",
        item.name,
    )


def _explore(inventory: Inventory) -> NextStep:
    """Return the step that reads the newest index; of a set's, its first layer."""
    newest = max(inventory.indexes, key=lambda item: item.modified)
    found = inventory.set_of(newest.dictionary)
    if found is None:
        what = f"{exact_count(newest.features)} features of “{newest.dictionary}”"
        return NextStep(
            "explore", f"{what} are ready to read.", "Explore the features", newest.name
        )
    features = sum(m.summary.features for m in found.indexed if m.summary is not None)
    return NextStep(
        "explore",
        f"{exact_count(features)} features of the set “{found.name}” are ready to read.",
        "Explore the features",
        newest_index(found.indexed[0]),
    )


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
    for one in inventory.sets:
        if one.complete or one.train is None or ("set", one.name) in written:
            continue
        sentence = (
            f"The training of the set “{one.name}” stopped after {short_count(one.rows)} rows."
        )
        step = NextStep("resume_set", sentence, "Resume the training", one.name)
        found.append((one.modified, step))
    for index in inventory.own_indexes:
        if not index.whole_rows or ("index", index.name) in written:
            continue
        so_far = rows_so_far(index.rows, index.whole_rows)
        sentence = f"The index “{index.name}” is not finished: it stopped at {so_far}."
        found.append((index.modified, NextStep("finish_index", sentence, FINISH, index.name)))
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
    if fresh is not None and not {"index", "index_set"} & running:
        return _index_of(fresh)
    if inventory.indexes:
        return _explore(inventory)
    for tag, step in RUNNING.items():
        if tag in running:
            return step
    if stopped is not None:
        return stopped[1]
    usable = [item for item in inventory.dictionaries if item.summary is not None]
    sets = [item for item in inventory.sets if item.complete]
    if not inventory.stores and not usable and not sets:
        return NextStep(
            "harvest",
            "A project starts with a model’s activations on some text.",
            "Harvest activations",
        )
    if not usable and not sets:
        newest_store = max(inventory.stores, key=lambda item: item.modified)
        return NextStep(
            "train",
            f"“{newest_store.name}” holds {short_count(newest_store.rows)} rows to train on.",
            "Train a dictionary",
            newest_store.name,
        )
    trained: list[DictionaryItem | SetItem] = [*usable, *sets]
    return _index_of(max(trained, key=lambda item: item.modified))
