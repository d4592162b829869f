"""The job `run_monitors`: monitors over a corpus or a log of chats, each hit in its context."""

from __future__ import annotations

import datetime
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.text_windows import plan_windows
from sae_desktop.project import Project, checked_name
from sae_desktop.safety.monitors.config import Hit, MonitorRun, RunMonitorsConfig, RunMonitorsResult
from sae_desktop.safety.monitors.drift import corrected, drift_p, warning
from sae_desktop.safety.monitors.file import Monitor, calibration_scores, read_monitor
from sae_desktop.safety.monitors.hits_file import RunRecord, save_run
from sae_desktop.safety.monitors.intervals import exact, mean_of_shares
from sae_desktop.safety.monitors.opening import model_of, open_unchanged
from sae_desktop.safety.monitors.scoring import Scored, Scorer, unit_scores
from sae_desktop.safety.monitors.texts import Documents, ReadText, Watched, context_of
from sae_desktop.steering.readers import Reader
from sae_desktop.steering.ready_gates import monitor_reader

Array = npt.NDArray[Any]

SHOWN = 20
"""Hits of all monitors that the answer holds; the file has the others."""


def run_monitors(config: RunMonitorsConfig, context: JobContext) -> RunMonitorsResult:
    """Read the text once for all monitors, and write where they fire to `hits/<name>.jsonl`.

    Raises UserError for no monitor, for monitors of different models or of windows that differ,
    and for one whose model or dictionary is another by now.
    """
    if not config.monitors:
        raise UserError("No monitor was chosen.", next_step="Name at least one.")
    project = Project.open(config.project)
    names = list(dict.fromkeys(config.monitors))
    monitors = [read_monitor(project, name) for name in names]
    name = checked_name(config.name or names[0])
    lm = model_of(project, monitors[0], config.device)
    settings = _settings(config, monitors, lm)
    readers = [open_reader(project, one, lm, config.device) for one in names]
    watchers = [_Watcher(m, r, config.hits) for m, r in zip(monitors, readers, strict=True)]
    plan = plan_windows(lm, settings)
    scorer = Scorer(readers, plan.prefix, plan.suffix, settings.context_size)
    documents = Documents(settings, lm, config.documents)
    bytes_of, done = lm.token_bytes(), 0
    for group in documents.groups(context):
        for text, found in zip(group, scorer.components(group, context), strict=True):
            for watcher, own_SK in zip(watchers, found, strict=True):
                watcher.take(text, own_SK, bytes_of)
        done += len(group)
        context.progress(done, max(config.documents, done), "documents", "Reading")
    context.progress(done, done, "documents", "Reading")
    hits = [hit for watcher in watchers for hit in watcher.strongest()]
    scores = [calibration_scores(project, monitor) for monitor in monitors]
    p_values = corrected([drift_p(s, w.highest) for s, w in zip(scores, watchers, strict=True)])
    runs = [
        msgspec.structs.replace(w.run(p, s), unparted=documents.unparted)
        for w, p, s in zip(watchers, p_values, scores, strict=True)
    ]
    record = RunRecord(
        name=name, corpus=config.corpus, corpus_digest=documents.digest, runs=runs,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        kept=len(hits),
    )  # fmt: skip
    path = save_run(project, record, hits)
    return RunMonitorsResult(
        name=name, runs=runs,
        hits=sorted(hits, key=lambda hit: hit.threshold - hit.score)[:SHOWN],
        kept=len(hits), path=str(path),
    )  # fmt: skip


def _settings(
    config: RunMonitorsConfig, monitors: Sequence[Monitor], lm: LanguageModel
) -> RunMonitorsConfig:
    """Return how the text is read: as in calibration. Raises UserError where they differ."""
    ways = {(monitor.context_size, monitor.bos) for monitor in monitors}
    if len(ways) > 1:
        raise UserError(
            "The monitors were calibrated with windows of different lengths.",
            kept="Nothing was run.",
            next_step="Run them one after the other.",
        )
    size, bos = ways.pop()
    return msgspec.structs.replace(
        config, context_size=min(size, lm.context_size), bos="auto" if bos else "never",
        # Where all is read, a hit's number is that of its place in the files.
        order=config.order if config.documents else "files",
    )  # fmt: skip


def open_reader(project: Project, name: str, lm: LanguageModel, device: str) -> Reader:
    """Return a monitor made ready for its model. Raises UserError where either changed since."""

    def opened(index: str, known_hash: str) -> OpenedIndex:
        return open_unchanged(str(project.path), index, known_hash, device)

    return monitor_reader(str(project.path), name, lm, opened)[1]


@dataclass
class _Watcher:
    """What one monitor found so far."""

    monitor: Monitor
    reader: Reader
    most: int
    units: int = 0
    fired: int = 0
    _shares: list[float] = field(default_factory=list)
    _highest: list[float] = field(default_factory=list)
    _seen: int = 0
    _hits: list[tuple[float, int, Hit]] = field(default_factory=list)

    def take(self, text: ReadText, found_SK: Any, names: Sequence[bytes]) -> None:
        """Take a document's components."""
        promise = self.monitor.promise
        found = unit_scores(self.reader, found_SK, text, Watched(promise.unit, promise.role))
        if not len(found.scores):
            return
        above = np.flatnonzero(found.scores > self.monitor.threshold)
        self.units += len(found.scores)
        self.fired += len(above)
        self._shares.append(len(above) / len(found.scores))
        self._highest.append(float(found.scores.max()))
        for place in above.tolist():
            self._keep(text, found, place, names)

    @property
    def highest(self) -> Array:
        """(n,) the highest score of each document."""
        return np.array(self._highest, np.float32)

    def strongest(self) -> list[Hit]:
        """Return the hits kept, the highest score first."""
        return [hit for _, _, hit in sorted(self._hits, key=lambda one: (-one[0], -one[1]))]

    def run(self, p: float | None, calibration: Array) -> MonitorRun:
        promise, shares = self.monitor.promise, self._shares
        rate = float(np.mean(shares)) if shares else 0.0
        single = self.units == len(shares)
        interval = exact(self.fired, self.units) if single else mean_of_shares(shares)
        return MonitorRun(
            monitor=self.monitor.name, unit=promise.unit, units=self.units, blocks=len(shares),
            fired=self.fired, blocks_fired=sum(share > 0 for share in shares), rate=rate,
            rate_interval=interval if shares else None, promised=promise.rate, drift_p=p,
            drift=warning(p, rate, promise.rate, calibration, self.highest),
        )  # fmt: skip

    def _keep(self, text: ReadText, found: Scored, place: int, names: Sequence[bytes]) -> None:
        score, token = float(found.scores[place]), int(found.tokens[place])
        if len(self._hits) == self.most and score <= self._hits[0][0]:
            return
        part = found.parts[place]
        around = context_of(names, text, token, found.by_token_S)
        hit = Hit(
            monitor=self.monitor.name, score=score, threshold=self.monitor.threshold,
            document=text.ordinal, title=text.title, source=text.source, role=part.role,
            message=part.message, token=token, **around._asdict(),
        )  # fmt: skip
        self._seen += 1
        entry = (score, -self._seen, hit)  # the earlier of equal scores stays
        if len(self._hits) < self.most:
            heapq.heappush(self._hits, entry)
        else:
            heapq.heappushpop(self._hits, entry)
