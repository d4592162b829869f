"""What an index holds of each output by itself. F features, P outputs, N kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.features.building.logits import part_logit_arrays
from sae_desktop.features.building.neighbours import part_neighbours
from sae_desktop.features.building.written import Written
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.resolve import check_site
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.training.measuring.splice import model_of

Array = npt.NDArray[Any]


def output_arrays(
    written: Written,
    stores: Sequence[ActivationStore],
    lm: LanguageModel | None,
    context: JobContext,
    *,
    logits: int,
    neighbours: int,
    device: str,
) -> dict[str, Array]:
    """Return `parts/…` of the outputs: strength, and as many logits and neighbours as asked.

    The other models, whose stores these are, are loaded one at a time; what is written to one
    that is not here has no logits, and the job's log says so.
    """
    strength = written.strength()
    arrays = {
        "parts/strength": strength,
        "parts/typical": written.typical,
        "columns/output_share": largest_share(strength),
    }
    if logits and lm is not None:
        arrays |= _logits(written, stores, lm, context, logits, device)
    if neighbours:
        arrays |= _neighbours(written, context, neighbours)
    return arrays


def largest_share(values_FN: Array) -> Array:
    """Return (F,) float32: what share of each feature's sum its largest value is; 0 of nothing."""
    total = values_FN.sum(axis=1)
    with np.errstate(invalid="ignore"):
        found = values_FN.max(axis=1) / np.where(total > 0, total, np.nan)
    return np.asarray(np.nan_to_num(found), np.float32)


def _neighbours(written: Written, context: JobContext, count: int) -> dict[str, Array]:
    features = written.dictionary.features
    ids = np.full((features, len(written), count), -1, np.int32)
    cosines = np.zeros(ids.shape, np.float32)
    for number in range(len(written)):
        context.log(f"Neighbours at {written.ends[number].site}")
        found = part_neighbours(written.part(number), features, count, context)
        ids[:, number], cosines[:, number] = found
    return {"parts/neighbour_ids": ids, "parts/neighbour_cosines": cosines}


def _logits(
    written: Written,
    stores: Sequence[ActivationStore],
    lm: LanguageModel,
    context: JobContext,
    count: int,
    device: str,
) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    features, shape = written.dictionary.features, (written.dictionary.features, len(written))
    model: LanguageModel | None = lm
    source = 0
    for number, end in enumerate(written.ends):
        context.check_cancelled()
        context.progress(number, len(written), "outputs", "Finding effects on the logits by output")
        if end.source != source:
            source, model = end.source, _model(stores[end.source], device, context)
        if model is None:
            continue
        try:
            check_site(model.model, parse_site(end.site))
        except UserError as error:
            context.log(f"No logits of {end.site or 'an unnamed output'}: {error}")
            continue
        found = part_logit_arrays(model, end.site, written.part(number), features, count, context)
        for name, values in found.items():
            key = f"parts/logit_{name}"
            if key not in arrays:
                empty: Any = np.nan if name == "spread" else -1 if name.endswith("_ids") else 0
                room = (*shape, *values.shape[1:])
                arrays[key] = np.full(room, empty, values.dtype)
            kept = min(arrays[key].shape[-1], values.shape[-1])
            if values.ndim > 1:
                arrays[key][:, number, :kept] = values[:, :kept]
            else:
                arrays[key][:, number] = values
    context.progress(
        len(written), len(written), "outputs", "Finding effects on the logits by output"
    )
    return arrays


def _model(store: ActivationStore, device: str, context: JobContext) -> LanguageModel | None:
    try:
        return model_of(store, device)
    except UserError as error:
        context.log(f"No logits of what is written to “{store.info.model}”: {error}")
        return None
