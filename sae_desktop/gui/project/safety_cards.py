"""The cards of concept sets, of scans for them, and of changes in models. Free of Qt."""

from __future__ import annotations

import datetime

from sae_desktop.deletion import SET_FILE
from sae_desktop.gui.project.card import Card
from sae_desktop.language_names import language_name
from sae_desktop.safety.change.change_items import ChangeItem
from sae_desktop.safety.listed_sets import ListedSet
from sae_desktop.safety.scan.items import ScanItem
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import exact_count, when_text


def set_card(item: ListedSet, now: datetime.datetime) -> Card:
    """Return the card of one of the project’s own sets; it is called by its title."""
    footer = f"{format_bytes(item.bytes)} · {when_text(item.modified, now)}"
    if item.found is None:
        return Card(
            SET_FILE, item.path.name, (), footer, ("reveal", "delete"), item.problem, item.name
        )
    positives, negatives = (len(item.found.part(positive=side)) for side in (True, False))
    languages = [item.found.language, *item.found.other_languages]
    figures = (
        ("Positives", exact_count(positives)),
        ("Near misses", exact_count(negatives)),
        ("Languages", ", ".join(map(language_name, languages))),
    )
    actions = ("concept_set", "scan_for", "reveal", "delete")
    return Card(SET_FILE, item.path.name, figures, footer, actions, called=item.title)


def scan_card(item: ScanItem, now: datetime.datetime) -> Card:
    """Return the card of a scan."""
    footer = f"{format_bytes(item.bytes)} · {when_text(item.modified, now)}"
    if item.problem:
        return Card("scan", item.name, (), footer, ("reveal", "delete"), item.problem)
    figures = (
        ("Concept sets", exact_count(len(item.sets))),
        ("Indexes", ", ".join(item.indexes)),
        ("Separate after correction", f"{item.significant:,} of {item.candidates:,} features"),
    )
    warning = ""
    if item.found < item.wanted:
        warning = f"It was stopped after {item.found} of {item.wanted} sets on dictionaries."
    return Card("scan", item.name, figures, footer, ("scan", "reveal", "delete"), warning)


def change_card(item: ChangeItem, now: datetime.datetime) -> Card:
    """Return the card of a comparison of models, or of a watched folder."""
    size = f"{format_bytes(item.bytes)} · {when_text(item.modified, now)}"
    if item.problem:
        footer = f"Cannot be read · {size}"
        return Card(item.kind, item.name, (), footer, ("reveal", "delete"), item.problem)
    actions = ("changes", "reveal", "delete")
    if item.alerts is None:
        figures = (("Models", exact_count(item.models)), ("Read at", item.site))
        return Card(item.kind, item.name, figures, size, actions)
    figures = (("Checkpoints", exact_count(item.models)), ("Alerts", exact_count(item.alerts)))
    footer = f"Watch of {item.site} · {size}"
    return Card(item.kind, item.name, figures, footer, actions)
