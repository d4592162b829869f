"""The job `scan`: concept sets × dictionaries.

Everything is chosen on the templates that are learnt from. What is held out is looked at once: to
score the candidates and the methods, which stand beside one another on the same texts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record
from sae_desktop.safety.concept_set import all_sets, read_set
from sae_desktop.safety.scan.config import ScanConfig, ScanResult, SetScan
from sae_desktop.safety.scan.one_set import OneSet
from sae_desktop.safety.scan.reading import ReadTexts, read_texts
from sae_desktop.safety.scan.scan_file import ScanInfo, ScannedIndex, ScannedSet, write_scan
from sae_desktop.safety.scan.separation import false_discovery
from sae_desktop.steering.output_effect import taken_evenly

Array = npt.NDArray[Any]

SIGNIFICANT = 0.05


def scan(config: ScanConfig, context: JobContext) -> ScanResult:
    """Scan dictionaries for sets and write `scans/<name>.h5`.

    Raises UserError as `open_index` and `read_set`, and for no index.
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
    total = len(config.indexes) * len(sets)
    scans: list[SetScan] = []
    tables: list[Array] = []
    indexes: list[ScannedIndex] = []
    for name in config.indexes:
        context.progress(len(scans), total, "sets", f"Opening “{name}”")
        opened = open_index(config.project, name, config.device)
        indexes.append(_told(name, opened.index))
        ordinary = _ordinary(opened, config)
        table = []
        for found in sets:
            one = OneSet(config, project, opened, found, ordinary, context, len(scans), total)
            scans.append(one.scanned(name))
            table.append(one.areas_F)
            context.progress(len(scans), total, "sets", found.title)
        tables.append(np.stack(table))
    scans = _corrected(scans)
    told = tuple(
        ScannedSet(name=s.name, title=s.title, digest=s.digest, warnings=tuple(s.warnings()))
        for s in sets
    )
    info = ScanInfo(
        config=config_record(config), pooling=config.pooling, seed=config.seed,
        indexes=tuple(indexes), sets=told,
    )  # fmt: skip
    write_scan(path, info, scans, tables)
    rows = [feature for one in scans for feature in one.features]
    return ScanResult(
        name=config.name, path=str(path), scans=tuple(scans), candidates=len(rows),
        significant=sum(row.q <= SIGNIFICANT for row in rows),
        seconds=time.perf_counter() - began,
    )  # fmt: skip


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
