"""What the cards of a project say and offer. Free of Qt."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from dataclasses import replace

import msgspec

from sae_desktop.activations.config import HarvestConfig, VerifyStoreConfig
from sae_desktop.circuits.reading.lens_file import LensItem
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.gui.project.benchmark_card import benchmark_card
from sae_desktop.gui.project.card import Card as Card
from sae_desktop.gui.project.safety_cards import change_card, scan_card, set_card
from sae_desktop.gui.state.further_training import can_start_from
from sae_desktop.language_model.config import SameModelConfig
from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.origin_text import origin_figure
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.sweeps.sweep_config import SweepRecord
from sae_desktop.words.amounts import exact_count, figure_text, share_text, short_count, when_text
from sae_desktop.words.architecture_titles import architecture_title, second_look
from sae_desktop.words.ends_text import ends_text
from sae_desktop.words.inventory import (
    BrokenItem,
    DictionaryItem,
    IndexItem,
    Inventory,
    ModelItem,
    SetItem,
    StoreItem,
)
from sae_desktop.words.running_jobs import Written
from sae_desktop.words.set_words import (
    features_text,
    indexed_text,
    kind_text,
    layers_text,
    quality_figures,
)
from sae_desktop.words.source_titles import corpus_title, model_title
from sae_desktop.words.stage_text import made_in, stages_text
from sae_desktop.words.start_words import started_figures
from sae_desktop.words.unfinished_text import FINISH, rows_so_far

ACTIONS = {
    "harvest": "Harvest from this model",
    "train": "Train on this store",
    "resume_harvest": "Resume the harvest",
    "rows": "Show its contents",
    "extend": "Harvest more…",
    "verify": "Verify",
    "resume_train": "Resume the training",
    "curves": "Show its curves",
    "unfold": "List its runs here",
    "fold": "Hide its runs",
    "layers": "List its layers here",
    "fold_layers": "Hide its layers",
    "explore_set": "Explore its features",
    "trace": "Trace a prompt",
    "resume_set": "Resume the training",
    "index_set": "Index all layers…",
    "export_set": "Export…",
    "rename_set": "Rename…",
    "runs": "Compare its runs",
    "evaluate": "Evaluate…",
    "further": "Train it further…",
    "index": "Build an index…",
    "finish_index": FINISH,
    "open_index": "Open its index",
    "open": "Open",
    "lens": "Read a prompt through it",
    "scan": "Show what it found",
    "concept_set": "Show its texts",
    "scan_for": "Scan for it…",
    "changes": "Show what changed",
    "benchmark": "Show the figures",
    "export": "Export…",
    "same_model": "Set its model…",
    "reveal": "Show in the file manager",
    "delete": "Delete…",
}
JOBS: dict[str, type[msgspec.Struct]] = {
    "harvest": HarvestConfig,
    "train": TrainConfig,
    "resume_harvest": HarvestConfig,
    "extend": HarvestConfig,
    "resume_train": TrainConfig,
    "verify": VerifyStoreConfig,
    "evaluate": EvaluateConfig,
    "further": TrainConfig,
    "index": IndexConfig,
    "finish_index": IndexConfig,
    "same_model": SameModelConfig,
    "resume_set": TrainSetConfig,
    "index_set": IndexSetConfig,
}
"""What an action starts."""
_NOT_MEANWHILE = (
    "resume_harvest", "resume_train", "resume_set", "index_set", "finish_index", "rename_set",
    "delete",
)  # fmt: skip
"""What is not done to something that a job is writing."""


def writes(action: str) -> bool:
    """Tell whether a read-only project does not allow an action."""
    return action in ("delete", "rename_set") or (action in JOBS and JOB_KINDS[JOBS[action]].writes)


def cards(
    inventory: Inventory,
    now: datetime.datetime,
    unfolded: Collection[str] = (),
    written: Written = frozenset(),
) -> dict[str, list[Card]]:
    """Return heading → cards, in the order of the work; empty sections are left out.

    The runs of a sweep share a card, but for those with an index and where it is `unfolded`; so do
    the layers of a set, with their indexes.
    `written`: what jobs under way write, which is neither resumed nor deleted meanwhile.
    """
    sections = {
        "Models": [_model(item) for item in inventory.models],
        "Activation stores": [_store(item, now) for item in inventory.stores],
        "Dictionaries": _dictionaries(inventory, now, unfolded),
        "Indexes": _indexes(inventory, now, unfolded),
        "Benchmarks": [benchmark_card(item, now) for item in inventory.benchmarks],
        "Lenses": [_lens(item, now) for item in inventory.lenses],
        "Concept sets": [set_card(item, now) for item in inventory.concept_sets],
        "Scans": [scan_card(item, now) for item in inventory.scans],
        "Comparisons and watches": [change_card(item, now) for item in inventory.changes],
    }
    sections = {
        heading: [_under_way(card, written) for card in found]
        for heading, found in sections.items()
    }
    places = {
        "store": "Activation stores",
        "dictionary": "Dictionaries",
        "sweep": "Dictionaries",
        "set": "Dictionaries",
        "index": "Indexes",
    }
    for broken in inventory.broken:
        sections.setdefault(places[broken.kind], []).append(_broken(broken))
    return {heading: found for heading, found in sections.items() if found}


def _under_way(card: Card, written: Written) -> Card:
    """Say of what a job is writing that it is, in place of why it ended and how to continue."""
    if not {(card.kind, card.name), (f"indexes of the {card.kind}", card.name)} & written:
        return card
    actions = [a for a in card.actions if a not in _NOT_MEANWHILE]
    return replace(card, actions=tuple(actions), warning="", footer=f"Running now · {card.footer}")


def _model(item: ModelItem) -> Card:
    stores = "1 store" if len(item.stores) == 1 else f"{len(item.stores) or 'no'} stores"
    figures = (("Width", exact_count(item.width)), ("Harvested into", stores))
    card = Card("model", item.name, figures, "", ("harvest",))
    # A path or a name on the hub is told in full below its last part.
    name = item.name if "/" in item.name else ""
    told = " · ".join(part for part in (name, item.origin) if part)
    return replace(card, footer=told) if told else card


def _store(item: StoreItem, now: datetime.datetime) -> Card:
    figures = [("Rows × width", f"{short_count(item.rows)} × {exact_count(item.width)}")]
    more = len(item.sites) - 1
    figures.append(("Site", f"{item.site} and {more} more" if more > 0 else item.site))
    if item.corpus:
        figures.append(("Text", corpus_title(item.corpus)))
    if item.pictures:
        figures.append(("Pictures", exact_count(item.pictures)))
    warning = ""
    actions: tuple[str, ...] = ("train", "rows", "verify", "same_model", "reveal", "delete")
    if item.harvest is not None:
        actions = ("train", "rows", "extend", "verify", "same_model", "reveal", "delete")
    if not item.complete:
        warning = f"Stopped at {short_count(item.rows)} of {short_count(item.rows_wanted)} rows."
        actions = ("resume_harvest", *actions)
    return Card("store", item.name, tuple(figures), _footer(item, now), actions, warning)


def _dictionaries(
    inventory: Inventory, now: datetime.datetime, unfolded: Collection[str]
) -> list[Card]:
    found: list[Card] = []
    of_sweeps: set[str] = set()
    for record in inventory.sweeps:
        runs = {row.dictionary for row in record.rows}
        items = [item for item in inventory.dictionaries if item.name in runs]
        if items:
            found.append(_sweep(record, items, record.config.name in unfolded))
            if record.config.name in unfolded:
                found += [_dictionary(item, now) for item in items]
            of_sweeps |= runs
    alone = [
        _dictionary(item, now)
        for item in inventory.dictionaries
        if item.name not in of_sweeps or (item.indexes and not _is_unfolded(item, found))
    ]
    sets: list[Card] = []
    for one in inventory.sets:
        sets.append(_set(one, now, one.name in unfolded))
        if one.name in unfolded:
            sets += [_dictionary(member, now) for member in one.members]
    return sets + alone + found


def _indexes(inventory: Inventory, now: datetime.datetime, unfolded: Collection[str]) -> list[Card]:
    """Return a card for each index, of those of a set where it is `unfolded`."""
    found = [_index(item, now) for item in inventory.own_indexes]
    members = {m.name for one in inventory.sets if one.name in unfolded for m in one.members}
    own = {card.name for card in found}
    of_sets = [i for i in inventory.indexes if i.dictionary in members and i.name not in own]
    return found + [_index(item, now) for item in of_sets]


def _set(item: SetItem, now: datetime.datetime, unfolded: bool) -> Card:
    figures: list[tuple[str, str]] = []
    if item.info is not None:
        layers = layers_text(item.info.layers)
        figures.append(("Layers", layers))
        figures.append(("Kind", kind_text(item.info)))
        figures.append(("Features", features_text(item.info)))
    figures += quality_figures(item)
    actions: list[str] = []
    if item.complete:
        figures.append(("Indexed", indexed_text(item)))
        actions += ["explore_set"] if item.indexed else ["index_set"]
        actions.append("trace")
        if item.indexed and len(item.indexed) < len(item.members):
            actions.append("index_set")
        actions += ["export_set", "rename_set"]
    actions += ["curves"] if item.rows else []
    if len(item.members) > 1:
        actions.append("fold_layers" if unfolded else "layers")
    actions += ["reveal", "delete"]
    warning = item.problem
    if not item.complete:
        warning = warning or f"Its training stopped after {short_count(item.rows)} rows."
        actions = (["resume_set"] if item.train is not None else []) + actions
    return Card("set", item.name, tuple(figures), _footer(item, now), tuple(actions), warning)


def _is_unfolded(item: DictionaryItem, found: Iterable[Card]) -> bool:
    return any(card.kind == "dictionary" and card.name == item.name for card in found)


def _sweep(record: SweepRecord, items: list[DictionaryItem], unfolded: bool) -> Card:
    done = [row for row in record.rows if row.state == "done"]
    figures = [("Runs", f"{len(done)} of {len(record.rows)} done")]
    best = min((row.fvu for row in done if row.fvu is not None), default=None)
    if best is not None:
        figures.append(("Best FVU", figure_text(best)))
    footer = f"Sweep · {format_bytes(sum(item.bytes for item in items))}"
    fold = "fold" if unfolded else "unfold"
    return Card("sweep", record.config.name, tuple(figures), footer, (fold, "runs", "reveal"))


def _dictionary(item: DictionaryItem, now: datetime.datetime) -> Card:
    summary = item.summary
    figures: list[tuple[str, str]] = []
    told = summary or item.train
    if told is not None:
        title = architecture_title(told.architecture)
        figures.append(("Features", f"{exact_count(told.features)} · {title}"))
    if summary is not None:
        figures += second_look(summary.lista_step, summary.leave_one_out)
    if summary is not None and len(summary.outputs) > 1:
        figures.append(("Sites", ends_text(summary.inputs, summary.outputs)))
    how, origin = origin_figure(summary) if summary is not None else ("", "")
    if origin:
        figures.append((how, origin))
    figures += started_figures(summary.started_from if summary is not None else None)
    measured = (summary.evaluation or summary.result) if summary else None
    if measured is not None:
        figures.append(("L0", figure_text(measured.l0, 1)))
        figures.append(("FVU", figure_text(measured.fvu)))
        where = "evaluation" if summary and summary.evaluation else "training"
        figures.append((f"Dead in {where}", share_text(measured.dead_fraction)))
    if summary is not None and summary.evaluation is not None:
        figures.append(("Loss recovered", share_text(summary.evaluation.loss_recovered)))
    actions: list[str] = ["open_index", "index"] if item.indexes else ["index"]
    warning = ""
    if summary is None:
        actions = []
    if not item.complete and item.train is not None:
        warning = f"Its training stopped after {short_count(item.rows)} rows."
        actions.insert(0, "resume_train")
    if summary is not None:
        actions.append("evaluate")
        if can_start_from(item):
            actions.append("further")
        actions += ["export", "same_model"]
    actions += ["curves", "reveal", "delete"] if item.rows else ["reveal", "delete"]
    footer = _footer(item, now)
    return Card("dictionary", item.name, tuple(figures), footer, tuple(actions), warning)


def _index(item: IndexItem, now: datetime.datetime) -> Card:
    figures = [
        ("Features", exact_count(item.features)),
        ("Read from", f"{short_count(item.rows)} rows"),
        ("Dictionary", item.dictionary),
    ]
    tips: tuple[tuple[str, str], ...] = ()
    if item.stages:
        figures.append(("Made in", made_in(item.stages)))
        tips = (("Made in", stages_text(item.stages)),)
    actions: tuple[str, ...] = ("open", "same_model", "reveal", "delete")
    warning = ""
    if item.whole_rows:
        warning = f"Stopped at {rows_so_far(item.rows, item.whole_rows)}."
        actions = ("finish_index", *actions)
    footer = _footer(item, now)
    return Card("index", item.name, tuple(figures), footer, actions, warning, tips=tips)


def _lens(item: LensItem, now: datetime.datetime) -> Card:
    """A lens is called after its model: of each there is one."""
    figures: tuple[tuple[str, str], ...] = ()
    warning = f"It cannot be read: {item.problem}. Measure the lens again."
    if not item.problem:
        figures, warning = (("Averaged over", item.told), ("Layers", exact_count(item.layers))), ""
    called = model_title(item.model) if item.model else item.name
    footer = f"Averaged Jacobians · {_footer(item, now)}"
    actions = ("reveal", "delete") if item.problem else ("lens", "reveal", "delete")
    return Card("lens", item.name, figures, footer, actions, warning, called)


def _broken(item: BrokenItem) -> Card:
    warning = f"{item.error} {item.next_step}".strip()
    return Card(item.kind, item.name, (), "Cannot be read", ("reveal", "delete"), warning)


def _footer(
    item: StoreItem | DictionaryItem | IndexItem | SetItem | LensItem, now: datetime.datetime
) -> str:
    return f"{format_bytes(item.bytes)} · {when_text(item.modified, now)}"
