"""The job `evaluate`: how good a dictionary is, beside one of random directions."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary, load
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project, existing
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training import run_folder
from sae_desktop.training.config import DictionaryFigures, EvaluateConfig, EvaluateResult
from sae_desktop.training.data import Rows, Split, split_rows
from sae_desktop.training.metrics import measure_fit
from sae_desktop.training.observer import evenly
from sae_desktop.training.splice import SpliceLosses, measure_losses, model_of, splice_text

_BLOCK = 4096
_CONTROL_SAMPLE = 8192


def evaluate(config: EvaluateConfig, context: JobContext) -> EvaluateResult:
    """Measure L0, fit, dead features and the loss recovered; the result is kept beside it.

    The fit is measured on held-out rows of the store it was trained on, or on any rows of
    another store. Raises UserError when dictionary and store do not belong together.
    """
    project = Project.open(config.project)
    dictionary, store, own_store = open_pair(
        project, config.dictionary, config.activations, config.device
    )
    site = site_of(dictionary, store)
    split = split_rows(store, site, exclude_massive=True)
    rows = split.held_out if own_store and len(split.held_out) else _all_rows(split)
    rows = rows[: config.rows]
    every = np.sort(_all_rows(split))[: config.dead_rows]

    context.progress(0, len(every), "rows", "Measuring the fit")
    with torch.no_grad():
        fit = measure_fit(dictionary, _blocks(store, site, rows, context))
        fired = torch.zeros(dictionary.features, dtype=torch.bool, device=dictionary.device)
        for done, x_TD in _counted(_blocks(store, site, every, context)):
            fired |= (dictionary.encode(x_TD) > 0).any(dim=0)
            context.progress(done, len(every), "rows", "Counting dead features")
        losses = _losses(config, store, site, dictionary, rows, context)
        control = None
        if config.control:
            context.progress(len(every), len(every), "rows", "Measuring the random control")
            control = _control(config, store, site, dictionary, rows, fit.l0, context)
    result = EvaluateResult(
        l0=fit.l0,
        fvu=fit.fvu,
        explained_variance=1 - fit.fvu,
        cosine=fit.cosine,
        dead_fraction=1 - float(fired.double().mean()),
        dead_window=len(every),
        loss_recovered=losses.recovered if losses else None,
        loss_clean=losses.clean if losses else None,
        loss_spliced=losses.spliced if losses else None,
        loss_zero=losses.zero if losses else None,
        loss_mean=losses.mean if losses else None,
        rows=fit.rows,
        excluded_rows=len(split.excluded),
        control=control,
    )
    folder = project.dictionary_path(config.dictionary)
    write_bytes(folder / run_folder.EVALUATION, msgspec.json.encode(result))
    return result


def open_pair(
    project: Project, dictionary_name: str, store_name: str, device: str
) -> tuple[Dictionary, ActivationStore, bool]:
    """Open a dictionary and the store to read it on; the last value: the one it learned from.

    Raises UserError when one is missing, or they were made with different models or widths.
    """
    existing("dictionary", dictionary_name, project.dictionaries())
    dictionary = load(project.dictionary_path(dictionary_name), resolve_device(device))
    trained_on = str(dictionary.metadata.get("activation_store", ""))
    name = store_name or trained_on
    if not name:
        raise UserError(
            f"The dictionary “{dictionary_name}” does not say which store it was trained on.",
            next_step="Name an activation store.",
        )
    existing("activation store", name, project.stores())
    store = ActivationStore.open(project.store_path(name))
    _refuse_mismatch(dictionary_name, dictionary, name, store)
    return dictionary, store, name == trained_on


def site_of(dictionary: Dictionary, store: ActivationStore) -> str:
    """Return the dictionary's site if the store has it, else the store's first."""
    site = str(dictionary.metadata.get("hook_name", ""))
    return site if site in store.info.sites else store.site


def _refuse_mismatch(
    dictionary_name: str, dictionary: Dictionary, store_name: str, store: ActivationStore
) -> None:
    own = dictionary.metadata
    pairs = [
        ("model", own.get("model_name", ""), store.info.model),
        ("version of the model", own.get("model_revision", ""), store.info.model_revision),
        ("site", own.get("hook_name", ""), store.site),
        ("width", dictionary.width, store.width()),
    ]
    for what, wanted, found in pairs:
        if wanted and found and wanted != found:
            raise UserError(
                f"The store “{store_name}” does not fit the dictionary “{dictionary_name}”: "
                f"its {what} is {found}, the dictionary's is {wanted}.",
                kept="Nothing was changed.",
                next_step="Harvest a store with the dictionary's model and site.",
            )


def _all_rows(split: Split) -> Rows:
    return np.concatenate([split.training, split.held_out])


def _blocks(store: ActivationStore, site: str, rows: Rows, context: JobContext) -> Iterator[Tensor]:
    for begin in range(0, len(rows), _BLOCK):
        context.check_cancelled()
        values = store.gather(rows[begin : begin + _BLOCK], site)
        yield torch.from_numpy(values.astype(np.float32))


def _counted(blocks: Iterator[Tensor]) -> Iterator[tuple[int, Tensor]]:
    done = 0
    for block in blocks:
        done += len(block)
        yield done, block


def _losses(
    config: EvaluateConfig,
    store: ActivationStore,
    site: str,
    dictionary: Dictionary,
    rows: Rows,
    context: JobContext,
) -> SpliceLosses | None:
    lm = model_of(store, config.device)
    if lm is None:
        context.log("The loss recovered is not measured: the activations came without a model.")
        return None
    text = splice_text(lm, store, site, windows=config.loss_windows, first_row=int(rows[0]))
    return measure_losses(text, dictionary)


def _control(
    config: EvaluateConfig,
    store: ActivationStore,
    site: str,
    dictionary: Dictionary,
    rows: Rows,
    l0: float,
    context: JobContext,
) -> DictionaryFigures:
    sample = torch.from_numpy(store.gather(evenly(rows, _CONTROL_SAMPLE), site).astype(np.float32))
    control = random_direction_dictionary(
        sample.to(dictionary.device), dictionary.features, l0, config.seed
    )
    fit = measure_fit(control, _blocks(store, site, rows, context))
    losses = _losses(config, store, site, control, rows, context)
    return DictionaryFigures(
        l0=fit.l0,
        fvu=fit.fvu,
        explained_variance=1 - fit.fvu,
        cosine=fit.cosine,
        loss_recovered=losses.recovered if losses else None,
        loss_clean=losses.clean if losses else None,
        loss_spliced=losses.spliced if losses else None,
        loss_zero=losses.zero if losses else None,
        loss_mean=losses.mean if losses else None,
    )
