"""Observing a run: its curves, figures on held-out rows, histograms over its features."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

from sae_desktop.devices.abilities import float64_of
from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.training.checkpoint import Progress
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.loss_pace import LossPace
from sae_desktop.training.measuring.geometry import (
    PRODUCTS_IN_A_RUN,
    decoder_norms,
    nearest_cosines,
)
from sae_desktop.training.measuring.held_out import HeldOut
from sae_desktop.training.measuring.metrics import Fit
from sae_desktop.training.measuring.splice import SpliceLosses
from sae_desktop.training.rows.batches import Batches
from sae_desktop.training.rows.data import Sides
from sae_desktop.training.run_log import RunLogWriter
from sae_desktop.training.started import StartFigures
from sae_desktop.training.trainer import Recipe, StepReport, TrainerState

CURVE_POINTS = 2000
"""Points a run's curves have at most."""
FITS = 60
"""Times the fit is measured on held-out rows."""
SNAPSHOTS = 40
LOSS_MEASUREMENTS = 10
_SAMPLE_CANDIDATES = 200
COLLAPSED = 0.5
"""An L0 below which a dictionary says nothing on most rows."""
_SETTLED = 0.1
"""Before this share of the run, L0 still moves too much to say anything."""

Metric = Callable[[int, Mapping[str, float]], None]
"""As JobContext.metric."""
Tell = Callable[[int, str], None]
"""Takes the rows consumed and what is being done."""


class _BrokenOffError(Exception):
    """Ends a measurement for which nobody wants to wait."""


class RunClock:
    """Seconds of a pass over the rows, pauses left out, and what its steps have waited."""

    def __init__(self) -> None:
        self._began: float | None = None
        self.batches: Batches | None = None
        """Those of the pass."""

    def start(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """0 until it is started."""
        return 0.0 if self._began is None else time.perf_counter() - self._began

    @property
    def waited(self) -> float:
        """Seconds that steps waited for their batches."""
        return 0.0 if self.batches is None else self.batches.seconds_waited

    def leave_out(self, seconds: float) -> None:
        """Take the time of a pause off."""
        if self._began is not None:
            self._began += seconds


class FollowingObserver:
    """Watches a run that another process logs; ends it when that one does."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.failure: UserError | None = None

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        if _diverges(report):
            self.failure = _diverged(self._name, state.step)
        return self.failure is None


class RunObserver:
    """Logs a run; ends it when its loss is no longer a number."""

    def __init__(
        self,
        config: TrainConfig,
        recipe: Recipe,
        metric: Metric,
        log: RunLogWriter,
        held_out: HeldOut,
        sides: Sides,
        progress: Progress,
        clock: RunClock,
        pace: LossPace | None = None,
        tell: Tell | None = None,
        ending: Callable[[], bool] = lambda: False,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        """`progress` is where the run stood when this pass began.

        `pace` is that of all runs of the pass, `tell` takes what is done beside the steps, `warn`
        what a person should know before the run has ended. A measurement that can wait is
        broken off once `ending` is true.
        """
        self._ending = ending
        self._pace, self._tell, self._warn = pace or LossPace(), tell, warn
        self._measures_loss = config.measure_loss and held_out.has_text
        self._recipe, self._metric, self.log = recipe, metric, log
        self._held_out, self._sides = held_out, sides
        self._progress, self._clock = progress, clock
        order = np.random.Generator(np.random.PCG64(config.seed)).permutation(config.features)
        self._sample_order: Sequence[int] = order[:_SAMPLE_CANDIDATES].tolist()
        self._name = config.name
        self._last = (progress.rows, clock.seconds, clock.waited)
        self._last_losses: tuple[int, SpliceLosses | None] = (-1, None)
        self.loss = progress.loss
        self.failure: UserError | None = None

    @property
    def seconds(self) -> float:
        """Time the run has taken, over all its sessions."""
        return self._progress.seconds + self._clock.seconds

    @property
    def waited(self) -> float:
        """Seconds its steps waited for their batches, over all its sessions."""
        return self._progress.waited + self._clock.waited

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        self.loss = float(report.loss)
        if _diverges(report):
            self.failure = _diverged(self._name, state.step)
            return False
        last = state.step == self._recipe.steps
        if _due(state.step, self._recipe.steps, CURVE_POINTS):
            self._log_point(state, report, last)
        if last or _due(state.step, self._recipe.steps, SNAPSHOTS):
            self._log_snapshot(state)
        return True

    def fit(self, dictionary: Dictionary) -> Fit:
        """Measure a dictionary on the rows held out."""
        return self._held_out.fit(dictionary)

    def measure_start(self, dictionary: Dictionary) -> StartFigures:
        """Measure the dictionary that the run starts from; its curves begin there."""
        fit = self.fit(dictionary)
        values = {"step": 0, "rows": 0, "seconds": 0.0, **_of_fit(fit)}
        losses = self._held_out.losses(dictionary) if self._measures_loss else None
        if losses is not None:
            values |= _of_losses(losses)
        self.log.append(values)
        self._metric(0, values)
        return _start_figures(fit, losses)

    def figures_of(self, dictionary: Dictionary, state: TrainerState) -> StartFigures:
        """Measure what the run has made of the dictionary it started from, in the same way."""
        step, losses = self._last_losses
        if self._measures_loss and step != state.step:
            losses = self._held_out.losses(dictionary)
        return _start_figures(self.fit(dictionary), losses)

    def folded(self, state: TrainerState) -> Dictionary:
        """Return the dictionary of this moment, for raw activations."""
        source, target = self._sides.source, self._sides.target
        return state.architecture.folded(source.to(state.device), target.to(state.device))

    def _log_point(self, state: TrainerState, report: StepReport, last: bool) -> None:
        rows, seconds, waited = self._last
        self._last = (state.rows, self._clock.seconds, self._clock.waited)
        passed = max(self._last[1] - seconds, 1e-9)
        dead_F = state.firing.dead(self._recipe.dead_window)
        values = {
            "step": state.step,
            "rows": state.rows,
            "seconds": self.seconds,
            "loss": self.loss,
            "dead_fraction": float(float64_of(dead_F).mean()),
            "rows_per_second": (state.rows - rows) / passed,
            "waited_share": min(1.0, (self._last[2] - waited) / passed),
            "learning_rate": report.lr,
            "sparsity_coefficient": report.sparsity,
            "gradient_norm": float(report.gradient_norm),
            **_numbers(report.terms),
        }
        if last or _due(state.step, self._recipe.steps, FITS):
            values |= self._figures(state, last)
        self.log.append(values)
        self._metric(state.step, values)

    def _figures(self, state: TrainerState, last: bool) -> dict[str, float]:
        dictionary = self.folded(state)
        fit = self.fit(dictionary)
        self._warn_of_collapse(state, fit.l0)
        values = _of_fit(fit)
        if self._measures_loss and self._loss_due(state.step, last):
            losses = self._losses(state, dictionary, last)
            if losses is not None:
                self._last_losses = (state.step, losses)
                values |= _of_losses(losses)
        return values

    def _warn_of_collapse(self, state: TrainerState, l0: float) -> None:
        """Say once that hardly a feature is active any more."""
        if self._warn is None or l0 >= COLLAPSED or state.step < _SETTLED * self._recipe.steps:
            return
        self._warn(
            f"“{self._name}” is collapsing: at step {state.step:,} of {self._recipe.steps:,} only "
            f"{l0:.2g} features are active per row, so hardly anything is reconstructed. λ or the "
            "learning rate is too large for these data: stop, and train again under another name "
            "with a smaller value."
        )
        self._warn = None

    def _done(self, step: int) -> float:
        """Return the share of this pass that the run has done."""
        first = self._progress.step
        return (step - first) / max(self._recipe.steps - first, 1)

    def _loss_due(self, step: int, last: bool) -> bool:
        # At the first step it is not known yet how long the run takes.
        moment = step > 1 and _due(step, self._recipe.steps, LOSS_MEASUREMENTS)
        return last or (moment and self._pace.due(step, self._clock.seconds, self._done(step)))

    def _losses(
        self, state: TrainerState, dictionary: Dictionary, last: bool
    ) -> SpliceLosses | None:
        if self._tell is not None:
            self._tell(state.rows, f"Measuring the loss recovered of “{self._name}”")
        began = time.perf_counter()
        limit = self._pace.limit(self._clock.seconds, self._done(state.step))
        try:
            between = self._go_on if last else self._break_off
            losses = self._held_out.losses(dictionary, limit, between)
        except _BrokenOffError:
            return None
        self._pace.took(time.perf_counter() - began)
        return losses

    def _go_on(self) -> None:
        """The figure at the end of a run is waited for: no later one takes its place."""

    def _break_off(self) -> None:
        if self._ending():
            raise _BrokenOffError

    def _log_snapshot(self, state: TrainerState) -> None:
        dictionary = self.folded(state)
        cosines = nearest_cosines(dictionary, products=PRODUCTS_IN_A_RUN)
        self.log.append_snapshot(
            state.step,
            state.firing.take_densities().cpu().numpy(),
            self._held_out.samples(dictionary, self._sample_order),
            norms=decoder_norms(state.architecture).cpu().numpy(),
            cosines=cosines.numpy(),
        )


def _diverges(report: StepReport) -> bool:
    return not (math.isfinite(float(report.loss)) and math.isfinite(float(report.gradient_norm)))


def _diverged(name: str, step: int) -> UserError:
    return UserError(
        f"The loss of “{name}” is no longer a number at step {step:,}: the training has diverged.",
        kept="The last checkpoint before that is kept.",
        next_step="Train again under another name with a lower learning rate.",
    )


def _of_fit(fit: Fit) -> dict[str, float]:
    return {
        "l0": fit.l0,
        "fvu": fit.fvu,
        "cosine": fit.cosine,
        "dense_fraction": fit.dense_fraction,
        "shrinkage": fit.shrinkage,
    }


def _of_losses(losses: SpliceLosses) -> dict[str, float]:
    return {
        "loss_recovered": losses.recovered,
        "loss_recovered_mean": losses.recovered_mean,
        "kl": losses.kl,
    }


def _start_figures(fit: Fit, losses: SpliceLosses | None) -> StartFigures:
    return StartFigures(
        rows=fit.rows,
        l0=fit.l0,
        fvu=fit.fvu,
        dead_fraction=fit.dead_fraction,
        loss_recovered=None if losses is None else losses.recovered,
    )


def _numbers(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in terms.items()}


def _due(step: int, steps: int, times: int) -> bool:
    """Return whether one of `times` evenly spaced moments of the run falls on this step."""
    return step == 1 or step * times // steps != (step - 1) * times // steps
