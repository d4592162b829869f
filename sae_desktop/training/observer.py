"""Watching a run: curves, figures on held-out rows, densities, checkpoints."""

from __future__ import annotations

import math
import time
from pathlib import Path

import msgspec
import numpy as np
import torch

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.jobs import JobContext
from sae_desktop.training.checkpoint import Progress, optimiser_tensors, save_checkpoint
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.data import Rows, Split
from sae_desktop.training.metrics import Fit, measure_fit
from sae_desktop.training.run_log import RunLogWriter
from sae_desktop.training.samples import sample_features, sample_text
from sae_desktop.training.splice import SpliceLosses, SpliceText, measure_losses, spliced_loss
from sae_desktop.training.trainer import Recipe, StepReport, TrainerState

CURVE_POINTS = 2000
"""Points a run's curves have at most."""
FITS = 60
"""Times FVU and L0 are measured on held-out rows."""
SNAPSHOTS = 40
LOSS_MEASUREMENTS = 10
_SAMPLE_CANDIDATES = 200


class RunObserver:
    """Logs a run and saves its checkpoints; ends it when the person asks."""

    def __init__(
        self,
        config: TrainConfig,
        recipe: Recipe,
        context: JobContext,
        log: RunLogWriter,
        store: ActivationStore,
        site: str,
        split: Split,
        text: SpliceText | None,
        checkpoint_folder: Path,
        progress: Progress,
    ) -> None:
        self._config, self._recipe, self._context, self._log = config, recipe, context, log
        self._scalar, self._text, self._folder = split.scalar, text, checkpoint_folder
        self._held_out = store.gather(evenly(split.held_out, config.metric_rows), site)
        self._sample = None
        if text is not None and len(split.held_out):
            self._sample = sample_text(text.lm, store, site, int(split.held_out[0]))
        order = np.random.Generator(np.random.PCG64(config.seed)).permutation(config.features)
        self._sample_order: list[int] = order[:_SAMPLE_CANDIDATES].tolist()
        self._progress = progress
        self._began = time.perf_counter()
        self._saved = self._began
        self._last_rows, self._last_time = progress.rows, self._began
        self._losses: SpliceLosses | None = None
        self.stopped_early = False
        self.loss = progress.loss

    @property
    def seconds(self) -> float:
        """Time the run has taken, over all its sessions."""
        return self._progress.seconds + time.perf_counter() - self._began

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        self._context.progress(state.rows, self._config.tokens, "rows")
        last = state.step == self._recipe.steps
        if _due(state.step, self._recipe.steps, CURVE_POINTS):
            self._log_point(state, report, last)
        if last or _due(state.step, self._recipe.steps, SNAPSHOTS):
            self._log_snapshot(state)
        now = time.perf_counter()
        paused = self._context.pause_requested
        if paused or now - self._saved > self._config.checkpoint_seconds:
            self.save(state)
        self._context.check_cancelled()
        if paused:  # the pause itself is no time of the run
            self._began += time.perf_counter() - now
        if self._context.stop_requested and not last:
            self.stopped_early = True
            return False
        return True

    def save(self, state: TrainerState) -> None:
        """Write a checkpoint of this moment."""
        self._log.sync()
        progress = msgspec.structs.replace(
            self._progress,
            step=state.step,
            rows=state.rows,
            seconds=self.seconds,
            loss=self.loss,
            points=self._log.points,
            snapshots=self._log.snapshots,
        )
        groups = {
            "parameters": state.architecture.parameters,
            "buffers": state.architecture.buffers,
            "firing": state.firing.state(),
            "optimiser": optimiser_tensors(state.optimiser, list(state.architecture.parameters)),
        }
        save_checkpoint(self._folder, progress, groups)
        self._saved = time.perf_counter()

    def fit(self, dictionary: Dictionary) -> Fit:
        """Measure a dictionary on the held-out rows."""
        blocks = (
            torch.from_numpy(self._held_out[i : i + 4096].astype(np.float32))
            for i in range(0, len(self._held_out), 4096)
        )
        with torch.no_grad():
            return measure_fit(dictionary, blocks)

    def _log_point(self, state: TrainerState, report: StepReport, last: bool) -> None:
        now = time.perf_counter()
        self.loss = float(report.loss)
        if not math.isfinite(self.loss):
            raise FloatingPointError
        dead_F = state.firing.dead(self._recipe.dead_window)
        values = {
            "step": state.step,
            "rows": state.rows,
            "seconds": self.seconds,
            "loss": self.loss,
            "dead_fraction": float(dead_F.double().mean()),
            "rows_per_second": (state.rows - self._last_rows) / max(now - self._last_time, 1e-9),
            "learning_rate": report.lr,
            "sparsity_coefficient": report.sparsity,
        }
        self._last_rows, self._last_time = state.rows, now
        if last or _due(state.step, self._recipe.steps, FITS):
            dictionary = self._folded(state)
            fit = self.fit(dictionary)
            values |= {"l0": fit.l0, "fvu": fit.fvu}
            if last or _due(state.step, self._recipe.steps, LOSS_MEASUREMENTS):
                values |= self._loss_recovered(dictionary)
        self._log.append(values)
        self._context.metric(state.step, values)

    def _log_snapshot(self, state: TrainerState) -> None:
        samples = []
        if self._sample is not None:
            dictionary = self._folded(state)
            samples = sample_features(dictionary, self._sample, self._sample_order)
        densities = state.firing.take_densities().cpu().numpy()
        self._log.append_snapshot(state.step, densities, samples)

    def _folded(self, state: TrainerState) -> Dictionary:
        affine = Affine.scaling(self._scalar, self._held_out.shape[1]).to(state.device)
        return state.architecture.folded(affine, affine)

    def _loss_recovered(self, dictionary: Dictionary) -> dict[str, float]:
        if self._text is None:
            return {}
        if self._losses is None:
            self._losses = measure_losses(self._text, dictionary)
        return {"loss_recovered": spliced_loss(self._text, dictionary, self._losses).recovered}


def _due(step: int, steps: int, times: int) -> bool:
    """Return whether one of `times` evenly spaced moments of the run falls on this step."""
    return step == 1 or step * times // steps != (step - 1) * times // steps


def evenly(rows: Rows, count: int) -> Rows:
    """Return at most `count` of the rows, evenly spaced."""
    if len(rows) <= count:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)])
