"""The job `scan`: concept sets × dictionaries.

Everything is chosen on the templates that are learnt from. What is held out is looked at once: to
score the candidates and the methods, which stand beside one another on the same texts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record
from sae_desktop.safety.concept_set import ConceptSet, all_sets, read_set
from sae_desktop.safety.scan.config import ScanConfig, ScanResult, SetScan
from sae_desktop.safety.scan.kept import KeptSets
from sae_desktop.safety.scan.one_set import OneSet
from sae_desktop.safety.scan.reading import ReadTexts, read_texts
from sae_desktop.safety.scan.scan_file import ScanInfo, ScannedIndex, ScannedSet, write_scan
from sae_desktop.safety.scan.separation import false_discovery
from sae_desktop.steering.output_effect import taken_evenly

Array = npt.NDArray[Any]


def scan(config: ScanConfig, context: JobContext) -> ScanResult:
    """Scan dictionaries for sets and write `scans/<name>.h5`.

    Every set that is finished is kept at once, and taken up when the same scan is started again.
    Stopped, the scan is written of what is finished, once that is one set. Raises UserError as
    `open_index` and `read_set`, and for no index.
    """
    began = time.perf_counter()
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    path = project.scan_path(config.name)
    if not config.indexes:
        raise UserError(
            "No index is named, so there is no dictionary to scan.",
            next_step="Name one or more indexes.",
        )
    sets = [read_set(project, name) for name in config.sets or all_sets(project)]
    made = _Made(config, project, sets, _Stoppable(context))
    with suppress(_StoppedError):
        for name in config.indexes:
            made.look(name)
    scans = _corrected(made.scans)
    info = ScanInfo(
        config=config_record(config), pooling=config.pooling, seed=config.seed,
        indexes=tuple(made.indexes), sets=tuple(map(_described, sets)),
        wanted=made.total, seconds=made.seconds,
    )  # fmt: skip
    write_scan(path, info, scans, made.tables)
    if len(scans) == made.total:
        made.kept.remove()
    rows = [feature for one in scans for feature in one.features]
    return ScanResult(
        name=config.name, path=str(path), scans=tuple(scans), wanted=made.total,
        candidates=len(rows), significant=sum(row.significant for row in rows),
        seconds=time.perf_counter() - began,
    )  # fmt: skip


class _StoppedError(Exception):
    """Somebody wants the scan to end with what is finished."""


class _Stoppable:
    """A job's context that ends the work when it is stopped, once something is `finished`."""

    def __init__(self, outer: JobContext) -> None:
        self._outer, self.finished = outer, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outer, name)

    def check_cancelled(self) -> None:
        self._outer.check_cancelled()
        if self.finished and self._outer.stop_requested:
            raise _StoppedError


class _Made:
    """What is finished: sets × dictionaries."""

    def __init__(
        self, config: ScanConfig, project: Project, sets: list[ConceptSet], context: _Stoppable
    ) -> None:
        self._config, self._project, self._sets = config, project, sets
        self._stoppable, self._context = context, cast(JobContext, context)
        self.kept = KeptSets(config, project.scan_path(config.name))
        self.total = len(config.indexes) * len(sets)
        self.scans: list[SetScan] = []
        self.indexes: list[ScannedIndex] = []
        self.tables: list[Array] = []
        """Of each dictionary (S, F), not a number where a set was not looked for."""
        self.seconds = 0.0
        """Of the sets that were not kept from before, a mean, times all that are finished."""
        self._measured: list[float] = []

    def look(self, name: str) -> None:
        """Look for all sets in one dictionary."""
        self._context.progress(len(self.scans), self.total, "sets", f"Opening “{name}”")
        opened = open_index(self._config.project, name, self._config.device)
        self._context.check_cancelled()
        features = opened.index.features
        self.indexes.append(_told(name, opened.index))
        self.tables.append(np.full((len(self._sets), features), np.nan, np.float32))
        ordinary: ReadTexts | None = None
        for number, found in enumerate(self._sets):
            key = self.kept.key(found, name, opened.index.info)
            there = self.kept.read(key, features)
            if there is None:
                began = time.perf_counter()
                if ordinary is None:
                    ordinary = _ordinary(opened, self._config)
                there = self._scanned(name, opened, found, ordinary)
                self.kept.keep(key, *there)
                self._measured.append(time.perf_counter() - began)
            self.scans.append(there[0])
            self.tables[-1][number] = there[1]
            self._stoppable.finished = True
            if self._measured:
                self.seconds = float(np.mean(self._measured)) * len(self.scans)
            self._context.progress(len(self.scans), self.total, "sets", found.title)

    def _scanned(
        self, name: str, opened: OpenedIndex, found: ConceptSet, ordinary: ReadTexts | None
    ) -> tuple[SetScan, Array]:
        one = OneSet(
            self._config, self._project, opened, found, ordinary, self._context,
            len(self.scans), self.total,
        )  # fmt: skip
        return one.scanned(name), one.areas_F


def _described(found: ConceptSet) -> ScannedSet:
    warnings = tuple(found.warnings())
    return ScannedSet(name=found.name, title=found.title, digest=found.digest, warnings=warnings)


def _told(name: str, index: FeatureIndex) -> ScannedIndex:
    info = index.info
    return ScannedIndex(
        name=name, dictionary=info.dictionary, hash=info.dictionary_hash, model=info.model,
        site=info.site, features=index.features,
    )  # fmt: skip


def _ordinary(opened: OpenedIndex, config: ScanConfig) -> ReadTexts | None:
    if not config.ordinary:
        return None
    ids = [one for one in taken_evenly(opened.index, config.ordinary) if one]
    return read_texts(opened, ids, config.pooling, 0, lambda done: None)


def _corrected(scans: Sequence[SetScan]) -> list[SetScan]:
    """Return the scans with each p-value corrected for all candidates of all of them."""
    p = np.array([row.p for one in scans for row in one.features])
    q = iter(false_discovery(p).tolist())
    replaced = msgspec.structs.replace
    return [
        replaced(one, features=tuple(replaced(row, q=next(q)) for row in one.features))
        for one in scans
    ]
