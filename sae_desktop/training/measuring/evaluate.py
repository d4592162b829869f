"""The job `evaluate`: how good a dictionary is, compared with random directions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from sae_desktop.devices.abilities import float64_of
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training import run_folder
from sae_desktop.training.config import DictionaryFigures, EvaluateConfig, EvaluateResult
from sae_desktop.training.measuring.geometry import nearest_cosines
from sae_desktop.training.measuring.metrics import DENSE_SHARE, count_fires, measure_fit
from sae_desktop.training.measuring.splice import (
    SpliceLosses,
    SpliceText,
    measure_losses,
    model_of,
    splice_text,
    spliced_loss,
)
from sae_desktop.training.rows.data import Rows, evenly
from sae_desktop.training.rows.dictionary_rows import (
    DictionaryRows,
    bos_note,
    held_out_by,
    open_pair,
    rows_of,
    stores_of,
)
from sae_desktop.training.run_log import cosine_histogram, density_histogram, read_run

_CONTROL_SAMPLE = 8192


def evaluate(config: EvaluateConfig, context: JobContext) -> EvaluateResult:
    """Measure L0, fit, shrinkage, dead and dense features, and the loss recovered.

    All of it is measured of random-direction dictionaries too. The fit is measured on held-out
    rows of the store it was trained on, or on any rows of another store. The result is kept
    beside the dictionary. Raises UserError when dictionary and store do not belong together.
    """
    project = Project.open(config.project)
    dictionary, store, own_store = open_pair(
        project, config.dictionary, config.activations, config.device
    )
    if note := bos_note(dictionary, store):
        context.log(note)
    stores = stores_of(project, dictionary, store, config.other_activations)
    source = rows_of(project, dictionary, store, stores[1:])
    split = source.split(held_out_by(dictionary))
    everything = np.concatenate([split.training, split.held_out])
    rows = (split.held_out if own_store and len(split.held_out) else everything)[: config.rows]
    every = np.sort(everything)[: config.dead_rows]
    folder = project.dictionary_path(config.dictionary)

    with torch.no_grad():
        text = text_for_losses(config, source, rows, context)
        measuring = Measuring(config, context, source, rows, text)
        figures = measuring.figures(dictionary)
        counts_F, _ = count_fires(
            dictionary, source.blocks(every, context, "Counting dead features")
        )
        controls = measuring.controls(dictionary, figures.l0) if config.control else []
    result = EvaluateResult(
        **msgspec.structs.asdict(figures)
        | {"dead_fraction": _share(counts_F == 0), "dead_window": len(every)},
        rows=len(rows),
        excluded_rows=len(split.excluded),
        norm_counts=_norm_counts(folder / run_folder.RUN_LOG),
        control=_combined(controls, np.mean),
        control_spread=_combined(controls, _spread) if len(controls) > 1 else None,
        control_seeds=len(controls),
    )
    write_bytes(folder / run_folder.EVALUATION, msgspec.json.encode(result))
    return result


class Measuring:
    """The rows and the text on which several dictionaries are measured alike."""

    def __init__(
        self,
        config: EvaluateConfig,
        context: JobContext,
        source: DictionaryRows,
        rows: Rows,
        text: SpliceText | None,
    ) -> None:
        self._config, self._context = config, context
        self._source, self._rows, self._text = source, rows, text
        self._losses: SpliceLosses | None = None

    def figures(
        self, dictionary: Dictionary, doing: str = "Measuring the fit"
    ) -> DictionaryFigures:
        """Return what is measured of a dictionary; `doing` is what the progress says."""
        blocks = self._source.blocks(self._rows, self._context, doing)
        fit = measure_fit(dictionary, blocks, gains=True)
        cosines = nearest_cosines(dictionary).numpy()
        return DictionaryFigures(
            l0=fit.l0,
            fvu=fit.fvu,
            explained_variance=1 - fit.fvu,
            cosine=fit.cosine,
            shrinkage=_finite(fit.shrinkage),
            feature_gain=_finite(fit.feature_gain),
            dead_fraction=fit.dead_fraction,
            dead_window=fit.rows,
            dense_fraction=fit.dense_fraction,
            dense_share=DENSE_SHARE,
            nearest_cosine=float(np.median(cosines)) if len(cosines) else None,
            part_fvu=list(fit.part_fvu),
            density_counts=density_histogram(fit.densities_F.numpy()).tolist(),
            cosine_counts=cosine_histogram(cosines).tolist(),
            **self._loss_figures(dictionary),
        )

    def _loss_figures(self, dictionary: Dictionary) -> dict[str, Any]:
        if self._text is None:
            return {}
        if self._losses is None:
            self._losses = measure_losses(self._text, dictionary, self._context.check_cancelled)
        else:
            self._losses = spliced_loss(
                self._text, dictionary, self._losses, self._context.check_cancelled
            )
        found = self._losses
        return {
            "loss_recovered": _finite(found.recovered),
            "loss_recovered_mean": _finite(found.recovered_mean),
            "loss_clean": found.clean,
            "loss_spliced": found.spliced,
            "loss_zero": found.zero,
            "loss_mean": found.mean,
            "kl": found.kl,
            "kl_zero": found.kl_zero,
            "kl_mean": found.kl_mean,
        }

    def controls(self, dictionary: Dictionary, l0: float) -> list[DictionaryFigures]:
        """Return the figures of random directions, one of each seed."""
        found, seeds = [], max(1, self._config.control_seeds)
        for number in range(seeds):
            which = f" ({number + 1} of {seeds})" if seeds > 1 else ""
            control = self.random(dictionary, l0, self._config.seed + number)
            found.append(self.figures(control, f"Measuring random directions{which}"))
        return found

    def random(self, dictionary: Dictionary, l0: float, seed: int) -> Dictionary:
        """Return random directions in the place of a dictionary."""
        x, y = self.sample(dictionary)
        control = random_direction_dictionary(
            x, dictionary.features, l0, seed, target_TO=y, W_skip=dictionary.W_skip
        )
        control.parts = dictionary.parts
        return control

    def sample(self, dictionary: Dictionary) -> tuple[Tensor, Tensor | None]:
        """Return some of the rows, and what should be written where that is something else."""
        block = self._source.gather(evenly(self._rows, _CONTROL_SAMPLE))
        x, y = (block, None) if isinstance(block, Tensor) else block
        device = dictionary.device
        return x.to(device), None if y is None else y.to(device)


def text_for_losses(
    config: EvaluateConfig, source: DictionaryRows, rows: Rows, context: JobContext
) -> SpliceText | None:
    """Return the text to splice dictionaries into; None where losses cannot be measured.

    Why not is told to the context.
    """
    if config.loss_windows < 1:
        return None
    lm = model_of(source.store, config.device)
    if lm is None:
        why = "the activations were imported without a model"
        if source.store.info.pictures:
            why = "an encoder of pictures does not predict a next token"
        context.log(f"The loss recovered is not measured: {why}.")
        return None
    if not lm.causal:
        context.log("The loss recovered is not measured: an encoder does not predict a next token.")
        return None
    if not source.one_model:
        context.log("The loss recovered is not measured: the dictionary reads several models.")
        return None
    found = splice_text(
        lm,
        source.store,
        source.input_sites,
        outputs=source.output_sites,
        windows=config.loss_windows,
        rows=rows,
    )
    if found is None:
        context.log(
            "The loss recovered is not measured: every window of the store has a picture, and it "
            "is measured on texts."
        )
    return found


def _norm_counts(run_log: Path) -> list[int]:
    """Return the run's last histogram of decoder norms; [] where there is none."""
    try:
        counts = read_run(run_log).norm_counts
    except UserError:
        return []
    return counts[-1].tolist() if len(counts) and counts[-1].any() else []


def _combined(many: Sequence[DictionaryFigures], combine: Any) -> DictionaryFigures | None:
    """Combine figure by figure; a figure that one of them lacks is lacking."""
    if not many:
        return None
    combined: dict[str, Any] = {}
    for name in DictionaryFigures.__struct_fields__:
        values = [getattr(figures, name) for figures in many]
        if name in ("dead_window", "dense_share"):
            combined[name] = values[0]
        elif any(value is None for value in values):
            combined[name] = None
        else:
            combined[name] = combine(np.array(values, dtype=np.float64), axis=0).tolist()
    return DictionaryFigures(**combined)


def _spread(values: Any, axis: int) -> Any:
    return np.std(values, axis=axis, ddof=1)


def _share(which: Tensor) -> float:
    return float(float64_of(which).mean())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
