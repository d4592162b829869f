"""A dictionary and the stores it reads: whether they belong together, and which rows it uses.

A row is what the dictionary reads at one token, the rows of its input sites side by side; a
transcoder's is paired with what it should write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary, load
from sae_desktop.dictionary.ends import End, inputs, outputs, sources
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.names import ModelMark
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.project import Project, existing
from sae_desktop.training.measuring.metrics import Block
from sae_desktop.training.rows.data import Rows, SiteRows, Split, split_parts
from sae_desktop.training.rows.dictionary_sites import dictionary_sites, other_stores
from sae_desktop.training.rows.document_split import HeldOutBy
from sae_desktop.training.rows.targets import check_aligned

_BLOCK = 4096


@dataclass(frozen=True)
class DictionaryRows:
    """Rows of a dictionary's inputs and outputs in one store, or in several of the same tokens."""

    inputs: Sequence[SiteRows]
    outputs: Sequence[SiteRows]

    @property
    def store(self) -> ActivationStore:
        """The first store: that of the tokens and the model."""
        return self.inputs[0].store

    @property
    def one_model(self) -> bool:
        """Whether all sites are those of the first store's model."""
        return all(part.store is self.store for part in self.inputs)

    @property
    def input_sites(self) -> list[str]:
        return [part.site for part in self.inputs]

    @property
    def output_sites(self) -> list[str]:
        return [part.site for part in self.outputs]

    def split(self, by: HeldOutBy) -> Split:
        """Divide the rows as a run does that holds out by rows or documents.

        A row that is massive at any site is left out.
        """
        others = [part for part in self.outputs if part not in self.inputs]
        return split_parts([*self.inputs, *others], exclude_massive=True, by=by)

    def gather(self, rows: Rows) -> Block:
        """Return raw rows, float32: those read, and beside them those to be written if others."""
        x = _gather(self.inputs, rows)
        return x if self.outputs == self.inputs else (x, _gather(self.outputs, rows))

    def blocks(self, rows: Rows, context: JobContext, doing: str) -> Iterator[Block]:
        """Yield the rows in blocks, and tell how many have been read for what is being done.

        Between them the job can be cancelled.
        """
        for begin in range(0, len(rows), _BLOCK):
            context.check_cancelled()
            context.progress(begin, len(rows), "rows", doing)
            yield self.gather(rows[begin : begin + _BLOCK])
        context.progress(len(rows), len(rows), "rows", doing)


def held_out_by(dictionary: Dictionary) -> HeldOutBy:
    """Return how a dictionary's run held rows out of its store; earlier ones the last rows."""
    return "documents" if dictionary.metadata.get("held_out") == "documents" else "rows"


def open_pair(
    project: Project, dictionary_name: str, store_name: str, device: str
) -> tuple[Dictionary, ActivationStore, bool]:
    """Open a dictionary and the store to read it on; the last value: the one it learned from.

    Raises UserError when one is missing, or they were made with different models or widths.
    """
    existing("dictionary", dictionary_name, project.all_dictionaries())
    dictionary = load(project.dictionary_path(dictionary_name), resolve_device(device))
    trained_on = str(dictionary.metadata.get("activation_store", ""))
    name = store_name or trained_on
    if not name:
        raise UserError(
            f"The dictionary “{dictionary_name}” does not say which store it was trained on.",
            next_step="Choose an activation store.",
        )
    existing("activation store", name, project.stores())
    store = ActivationStore.open(project.store_path(name))
    require_same_model(
        f"dictionary:{dictionary_name}", dictionary_mark(dictionary), f"store:{name}", store.mark,
        project.path,
    )  # fmt: skip
    _refuse_mismatch(dictionary_name, dictionary, name, store)
    return dictionary, store, name == trained_on


def dictionary_mark(dictionary: Dictionary) -> ModelMark:
    """Return of which model a dictionary says it is."""
    told = dictionary.metadata
    return ModelMark(
        str(told.get("model_name") or ""),
        str(told.get("model_revision") or ""),
        str(told.get("tokenizer_hash") or ""),
    )


def bos_note(dictionary: Dictionary, store: ActivationStore) -> str:
    """Return what to tell where windows began otherwise in training than in a store; or ""."""
    wanted = dictionary.metadata.get("prepend_bos")
    if not store.info.model or not isinstance(wanted, bool) or wanted == store.info.bos_prepended:
        return ""
    with_bos, without = "with BOS", "without BOS"
    trained, harvested = (with_bos, without) if wanted else (without, with_bos)
    return (
        f"The dictionary was trained on windows {trained}, but the store was harvested "
        f"{harvested}, so activations differ, most of all at the first tokens. Harvest with the "
        "setting it was trained with."
    )


def site_of(dictionary: Dictionary, store: ActivationStore) -> str:
    """Return the dictionary's site if the store has it, else the store's first."""
    site = str(dictionary.metadata.get("hook_name", ""))
    return site if site in store.info.sites else store.site


def rows_of(
    project: Project,
    dictionary: Dictionary,
    store: ActivationStore,
    others: Sequence[ActivationStore] = (),
) -> DictionaryRows:
    """Return a dictionary's rows in a store, and in those of the other models it reads.

    `others` as `stores_of` finds them where they are not given. Raises UserError when a site or
    store is missing, stores hold different tokens, or their widths do not fit.
    """
    read, written = dictionary_ends(dictionary, site_of(dictionary, store))
    stores = [store, *(others or stores_of(project, dictionary, store)[1:])]
    found = _places(read, stores)
    _refuse_width("reads", found, dictionary.width)
    rows = DictionaryRows(found, found if written == read else _places(written, stores))
    _refuse_width("writes", rows.outputs, dictionary.out_width)
    return rows


def input_rows(
    dictionary: Dictionary, store: ActivationStore, others: Sequence[ActivationStore] = ()
) -> list[SiteRows]:
    """Return the rows that a dictionary reads in a store, and in those of the other models.

    Raises UserError as `rows_of`; what it writes need not be in the stores.
    """
    found = _places(dictionary_ends(dictionary, site_of(dictionary, store))[0], [store, *others])
    _refuse_width("reads", found, dictionary.width)
    return found


def dictionary_ends(dictionary: Dictionary, site: str) -> tuple[tuple[End, ...], tuple[End, ...]]:
    """Return what a dictionary reads and what it writes; `site` of one that names none.

    Raises UserError for one whose sites and widths do not fit together.
    """
    try:
        return inputs(dictionary, site), outputs(dictionary, site)
    except ValueError as error:
        raise UserError(
            f"The dictionary does not fit what it says of its sites: {error}.",
            kept="Nothing was changed.",
            next_step="Import it again with the sites it reads and writes given.",
        ) from error


def stores_of(
    project: Project, dictionary: Dictionary, store: ActivationStore, names: Sequence[str] = ()
) -> list[ActivationStore]:
    """Return the stores that a dictionary's rows are in: the given one, and other models'.

    These are called `names`; by default they are those it was trained on. Raises UserError for
    one that is missing, of other tokens or of another model, and for too few or too many.
    """
    models = sources(dictionary_ends(dictionary, store.site)[0])
    if models == 1 and not names:
        return [store]
    told = dictionary.metadata
    if not names and store.folder.name == str(told.get("activation_store") or store.folder.name):
        names = other_stores(told)
    if len(names) != models - 1:
        raise UserError(
            f"The dictionary reads {models} models, so beside the store “{store.folder.name}” it "
            f"needs {models - 1} of the same tokens through the others; {len(names)} "
            f"{'is' if len(names) == 1 else 'are'} named.",
            kept="Nothing was changed.",
            next_step="Choose a store for each of the other models, in their order.",
        )
    found = [store]
    for number, name in enumerate(names):
        existing("activation store", name, project.stores())
        other = ActivationStore.open(project.store_path(name))
        check_aligned(store, other)
        marks = other_marks(dictionary)
        if number < len(marks):
            require_same_model(
                marks[number].name, marks[number], f"store:{name}", other.mark, project.path
            )
        found.append(other)
    return found


def other_marks(dictionary: Dictionary) -> list[ModelMark]:
    """Return of which other models a dictionary says it is; none in those of earlier releases."""
    return [
        ModelMark(
            str(told.get("model_name") or ""),
            str(told.get("model_revision") or ""),
            str(told.get("tokenizer_hash") or ""),
        )
        for told in dictionary.metadata.get("other_models") or ()
    ]


def _places(ends: Sequence[End], stores: Sequence[ActivationStore]) -> list[SiteRows]:
    return [SiteRows(stores[end.source], end.site) for end in ends]


def _refuse_width(does: str, places: Sequence[SiteRows], width: int) -> None:
    wide = sum(part.width for part in places)
    if wide != width:
        raise UserError(
            f"The dictionary {does} rows of width {width}, but those of the store have width "
            f"{wide}.",
            kept="Nothing was changed.",
            next_step="Harvest a store with the dictionary's model and sites.",
        )


def _gather(places: Sequence[SiteRows], rows: Rows) -> Tensor:
    values = [part.gather(rows).astype(np.float32) for part in places]
    return torch.from_numpy(values[0] if len(values) == 1 else np.concatenate(values, axis=1))


def _refuse_mismatch(
    dictionary_name: str, dictionary: Dictionary, store_name: str, store: ActivationStore
) -> None:
    own = dictionary.metadata
    pairs = []
    sites = dictionary_sites(own)
    if len(sites.inputs) < 2 and sites.inputs == sites.outputs:
        wanted = own.get("hook_name", "")
        if wanted not in store.info.sites:
            pairs.append(("site", wanted, store.site))
        pairs.append(("width", str(dictionary.width), str(store.width(site_of(dictionary, store)))))
    for what, wanted, found in pairs:
        if wanted and found and wanted != found:
            raise UserError(
                f"The store “{store_name}” does not fit the dictionary “{dictionary_name}”: "
                f"its {what} is {found}, but the dictionary's is {wanted}.",
                kept="Nothing was changed.",
                next_step="Harvest a store with the dictionary's model and site.",
            )
