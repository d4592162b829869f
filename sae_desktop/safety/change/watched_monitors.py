"""Monitors on each checkpoint of a watch: on the same texts, beside the model they were made with.

What changes between the two is the model alone, so a drift is the checkpoint's doing. N texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.text.text_windows import plan_windows
from sae_desktop.project import Project
from sae_desktop.safety.change.config import MonitorOnCheckpoint, WatchConfig
from sae_desktop.safety.monitors.config import RunMonitorsConfig
from sae_desktop.safety.monitors.drift import LEVEL, corrected, drift_p
from sae_desktop.safety.monitors.file import Monitor, read_monitor
from sae_desktop.safety.monitors.intervals import mean_of_shares
from sae_desktop.safety.monitors.opening import model_of
from sae_desktop.safety.monitors.run import open_reader
from sae_desktop.safety.monitors.scoring import Scorer, unit_scores
from sae_desktop.safety.monitors.texts import Documents, ReadText, Watched
from sae_desktop.steering.readers import Reader

Array = npt.NDArray[Any]
_TINY = 1e-9


@dataclass
class _Scores:
    """What a model's values make of the texts."""

    highest_N: Array
    shares_N: Array
    """Share of each text's units that fire."""


class WatchedMonitors:
    """Monitors of a project, made ready for checkpoints of their model."""

    def __init__(self, project: Project, config: WatchConfig, context: JobContext) -> None:
        """Read the texts with the monitors' own model.

        Raises UserError for a monitor that is missing or damaged, or whose model is not here.
        """
        self._device = config.device
        self._monitors = [read_monitor(project, name) for name in config.monitors]
        self._readers: list[Reader] = []
        self._texts: list[list[ReadText]] = []
        self._around: list[tuple[list[int], list[int], int]] = []
        self._first: list[_Scores] = []
        for monitor in self._monitors:
            lm = model_of(project, monitor, config.device)
            reader = open_reader(project, monitor.name, lm, config.device)
            if len({id(place.lm) for place in reader.places}) > 1:
                raise UserError(
                    f"The monitor “{monitor.name}” reads several models, so it cannot be watched.",
                    next_step="Leave it out, or choose one of a dictionary of one model.",
                )
            asked = RunMonitorsConfig(
                project=config.project, monitors=[monitor.name], corpus=config.corpus or "builtin",
                context_size=min(monitor.context_size, lm.context_size),
                bos="auto" if monitor.bos else "never",
            )  # fmt: skip
            plan = plan_windows(lm, asked)
            groups = Documents(asked, lm, config.texts).groups(context)
            self._readers.append(reader)
            self._around.append((list(plan.prefix), list(plan.suffix), asked.context_size))
            self._texts.append([text for group in groups for text in group])
            self._first.append(self._scores(len(self._first), lm, context))
        self._before = list(self._first)

    def on(self, checkpoint: str, context: JobContext) -> list[MonitorOnCheckpoint]:
        """Return what each monitor makes of a checkpoint. Raises UserError where it cannot read."""
        lm = load_model(checkpoint, self._device)
        now = [self._scores(number, lm, context) for number in range(len(self._monitors))]
        p_values = corrected(
            [
                drift_p(first.highest_N, own.highest_N)
                for first, own in zip(self._first, now, strict=True)
            ]
        )
        found = [
            _told(monitor, first, before, own, p)
            for monitor, first, before, own, p in zip(
                self._monitors, self._first, self._before, now, p_values, strict=True
            )
        ]
        self._before = now
        return found

    def resume_after(self, checkpoint: str, context: JobContext) -> None:
        """Read a checkpoint that was watched before: the next is compared with it."""
        lm = load_model(checkpoint, self._device)
        self._before = [self._scores(n, lm, context) for n in range(len(self._monitors))]

    def _scores(self, number: int, lm: LanguageModel, context: JobContext) -> _Scores:
        monitor, texts = self._monitors[number], self._texts[number]
        places = tuple(place._replace(lm=lm) for place in self._readers[number].places)
        reader = changed(self._readers[number], places=places)
        scorer = Scorer([reader], *self._around[number])
        watched = Watched(monitor.promise.unit, monitor.promise.role)
        highest, shares = [], []
        for text, (found_SK,) in zip(texts, scorer.components(texts, context), strict=True):
            scores = unit_scores(reader, found_SK, text, watched).scores
            if len(scores):
                highest.append(float(scores.max()))
                shares.append(float((scores > monitor.threshold).mean()))
        return _Scores(np.array(highest), np.array(shares))


def _told(
    monitor: Monitor, first: _Scores, before: _Scores, own: _Scores, p: float | None
) -> MonitorOnCheckpoint:
    if not len(own.highest_N):
        raise UserError(
            f"The texts hold nothing that the monitor “{monitor.name}” watches.",
            next_step="Watch with other texts, or leave the monitor out.",
        )
    spread = max(float(first.highest_N.std()), _TINY)
    return MonitorOnCheckpoint(
        monitor=monitor.name,
        units=monitor.promise.unit,
        rate=float(own.shares_N.mean()),
        rate_interval=mean_of_shares(own.shares_N.tolist()),
        rate_before=float(first.shares_N.mean()),
        promised=monitor.promise.rate,
        moved=abs(float((own.highest_N - before.highest_N).mean())) / spread,
        drift_p=p,
        drifted=p is not None and p <= LEVEL,
    )


def scores_of(found: Sequence[MonitorOnCheckpoint]) -> dict[str, float]:
    """Return by how much each monitor's scores moved, as scores by which a watch alerts."""
    return {f"monitor {one.monitor}": one.moved for one in found}
