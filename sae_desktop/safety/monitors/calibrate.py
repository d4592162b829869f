"""The job `calibrate_monitor`: what is watched, its threshold, and what it catches."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import Places
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.text.text_windows import plan_windows
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, checked_name, config_record
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    CalibrateMonitorResult,
    Power,
    Promise,
    unparted_text,
)
from sae_desktop.safety.monitors.file import (
    NEGATIVES,
    POSITIVES,
    SCORES,
    Monitor,
    read_monitor,
    save_monitor,
)
from sae_desktop.safety.monitors.fitting import POOLS, Learnt, Texts, learn, rivals
from sae_desktop.safety.monitors.guarantee import Threshold, TooShortError, choose
from sae_desktop.safety.monitors.intervals import exact, wilson
from sae_desktop.safety.monitors.opening import open_unchanged, open_watched
from sae_desktop.safety.monitors.request import as_before, checked_sides, too_short
from sae_desktop.safety.monitors.scoring import Scorer, ValueReader, unit_scores
from sae_desktop.safety.monitors.texts import GROUP, Documents, ReadText, Watched, read_strings
from sae_desktop.steering.gate_config import Pool, Readout
from sae_desktop.steering.readers import feature_reader, place_of
from sae_desktop.steering.ready_gates import DIRECTION, monitor_reader

Array = npt.NDArray[Any]


def calibrate_monitor(
    config: CalibrateMonitorConfig, context: JobContext
) -> CalibrateMonitorResult:
    """Write `monitors/<name>.json` and its tensors.

    Raises UserError for a calibration text too short for the promise, with how much it takes, for
    a concept with too few texts or with texts on both sides, and for a name that is taken.
    """
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    path = project.monitor_path(checked_name(config.name))
    if path.exists() and not config.replace:
        raise UserError(
            f"There is already a monitor “{config.name}”.",
            kept="It was left unchanged.",
            next_step="Choose another name, or choose to replace it.",
        )
    work = _Calibration(project, config, context)
    return work.run()


class _Calibration:
    def __init__(
        self, project: Project, config: CalibrateMonitorConfig, context: JobContext
    ) -> None:
        self._project, self._context = project, context
        self._config = config = as_before(project, config)
        self._opened, self._lm = open_watched(config)
        size = min(config.context_size, self._lm.context_size)
        self._settings = msgspec.structs.replace(config, context_size=size)
        plan = plan_windows(self._lm, self._settings)
        self._around = plan.prefix, plan.suffix, size
        self._sides = checked_sides(project, config)
        self._notes: list[str] = []
        self._tried: dict[str, list[float]] = {}
        self._base = Readout(index=config.index, site=config.site, pool=_pool(config))
        self._watched = Watched(config.unit, config.role)

    def run(self) -> CalibrateMonitorResult:
        config = self._config
        ways = self._ways()
        scorer = Scorer([way.reader for way in ways], *self._around)
        documents = Documents(self._settings, self._lm, config.documents)
        blocks: list[list[Array]] = [[] for _ in ways]
        done = 0
        total = config.documents
        for group in documents.groups(self._context):
            for found, scores in zip(blocks, self._scores(scorer, group), strict=True):
                found.extend(scores)
            done += len(group)
            self._context.progress(done, max(total, done), "documents", "Calibrating")
        self._context.progress(done, done, "documents", "Calibrating")
        self._notes += filter(None, [unparted_text(documents.unparted)])
        thresholds = [self._threshold(found) for found in blocks]
        power = self._power(ways, scorer, thresholds)
        own = thresholds[0]
        fired = sum(bool((block > own.value).any()) for block in blocks[0])
        promise = Promise(
            unit=config.unit, role=config.role, rate=config.rate, confidence=config.confidence,
            method=config.method, blocks=own.blocks, units=own.units, firing=own.firing,
            bound=own.bound, blocks_firing=fired,
        )  # fmt: skip
        self._save(ways[0], own, promise, power, documents.digest, blocks[0])
        best = max(power, key=lambda one: one.caught) if power else None
        return CalibrateMonitorResult(
            name=config.name, threshold=own.value, pool=ways[0].readout.pool, promise=promise,
            power=power, best=best.what if best else "", notes=self._notes,
        )  # fmt: skip

    # ------------------------------------------------------------------ what is watched
    def _ways(self) -> list[Learnt]:
        config, seed = self._config, self._config.seed
        texts = self._values()
        places = self._places()
        base = self._base
        if config.like:
            _, reader = monitor_reader(str(self._project.path), config.like, self._lm, self._open)
            before = read_monitor(self._project, config.like)
            direction = None if before.readout.features else reader.directions_KI[0]
            kept = config.unit != "token" and config.pool == "auto"
            pool = before.readout.pool if kept and before.readout.pool != "token" else base.pool
            readout = msgspec.structs.replace(before.readout, pool=pool)
            reader = replace(reader, pool=pool)
            own = Learnt(before.made, readout, reader, direction)
            places = reader.places
        elif config.made == "features":
            own = self._of_features()
        else:
            if texts is None:
                raise UserError(
                    "There are no texts to learn from.",
                    next_step="Give a concept set, or texts on and off.",
                )
            own, note = learn(
                config.made, texts, self._opened, places, base, seed, self._context,
                pools=POOLS if config.pool == "auto" and config.unit != "token" else (),
            )  # fmt: skip
            self._notes += [note] if note else []
        plain = msgspec.structs.replace(base, features=[], weights=[], pool=own.readout.pool)
        others = rivals(texts, places, plain, seed)
        return [own, *(other for other in others if other.what != own.what)]

    def _of_features(self) -> Learnt:
        config = self._config
        if not config.features:
            raise UserError(
                "A monitor of features needs at least one.", next_step="Name one, such as 12."
            )
        if self._opened is None:
            raise UserError("A monitor of features needs a dictionary.",
                            next_step="Choose an index of one.")  # fmt: skip
        readout = msgspec.structs.replace(
            self._base, features=config.features, weights=config.weights, site=""
        )
        told = ", ".join(map(str, config.features[:8])) + (" …" if len(config.features) > 8 else "")
        what = f"feature {told}" if len(config.features) == 1 else f"features {told}"
        return Learnt(what, readout, feature_reader(readout, self._opened), None)

    def _open(self, index: str, known_hash: str) -> OpenedIndex:
        return open_unchanged(str(self._project.path), index, known_hash, self._config.device)

    def _places(self) -> Places:
        if self._config.site or self._opened is None:
            return place_of(self._lm, self._config.site)
        return self._opened.reads

    def _values(self) -> Texts | None:
        """Return the values of the texts to learn from; None where there are none."""
        sides = self._sides
        if not sides.on or not sides.off:
            return None
        reader = ValueReader(self._places(), *self._around)
        on, off = (self._read(side, "concept") for side in (sides.on, sides.off))
        return Texts(
            reader.read(on, self._context), reader.read(off, self._context),
            [*sides.on, *sides.off],
        )  # fmt: skip

    def _read(self, texts: Sequence[str], what: str) -> list[ReadText]:
        return read_strings(texts, self._settings, self._lm, what)

    # ------------------------------------------------------------------ thresholds and power
    def _scores(self, scorer: Scorer, group: Sequence[ReadText]) -> list[list[Array]]:
        """Return for each reader the unit scores of each text of a group."""
        found: list[list[Array]] = [[] for _ in scorer.readers]
        components = scorer.components(group, self._context)
        for text, of_text in zip(group, components, strict=True):
            for number, (reader, own) in enumerate(zip(scorer.readers, of_text, strict=True)):
                found[number].append(unit_scores(reader, own, text, self._watched).scores)
        return found

    def _threshold(self, blocks: Sequence[Array]) -> Threshold:
        config = self._config
        try:
            return choose(blocks, config.rate, 1 - config.confidence, config.method)
        except TooShortError as error:
            raise too_short(config, error) from error

    def _power(
        self, ways: Sequence[Learnt], scorer: Scorer, thresholds: Sequence[Threshold]
    ) -> list[Power]:
        sides = self._sides
        if not sides.positives:
            return []
        found = []
        for texts, what in ((sides.positives, "positive"), (sides.negatives, "negative")):
            best: list[list[float]] = [[] for _ in ways]
            read = self._read(texts, what)
            for start in range(0, len(read), GROUP):
                group = self._scores(scorer, read[start : start + GROUP])
                for own, of_way in zip(best, group, strict=True):
                    own.extend(float(s.max()) for s in of_way if len(s))
            found.append(best)
        self._tried = {POSITIVES: found[0][0], NEGATIVES: found[1][0]}
        return [
            _power(way.what, threshold.value, found[0][number], found[1][number])
            for number, (way, threshold) in enumerate(zip(ways, thresholds, strict=True))
        ]

    def _save(
        self,
        way: Learnt,
        threshold: Threshold,
        promise: Promise,
        power: list[Power],
        digest: str,
        blocks: Sequence[Array],
    ) -> None:
        info = None if self._opened is None else self._opened.index.info
        mark = self._lm.mark
        monitor = Monitor(
            readout=way.readout, threshold=threshold.value,
            dictionary_hash=info.dictionary_hash if info and way.readout.index else "",
            model=mark.name, revision=mark.revision, tokenizer=mark.tokenizer,
            name=self._config.name, made=way.what,
            dictionary=info.dictionary if info else "",
            places=[str(site) for site in way.reader.sites], promise=promise, power=power,
            notes=self._notes, corpus=self._config.corpus, corpus_digest=digest,
            context_size=self._around[2],
            bos=bool(self._around[0]), settings=config_record(self._config),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )  # fmt: skip
        tensors = {SCORES: np.array([b.max() for b in blocks if len(b)], np.float32)}
        tensors |= {side: np.array(own, np.float32) for side, own in self._tried.items()}
        if way.direction_I is not None:
            tensors[DIRECTION] = way.direction_I.float().cpu().numpy()
        save_monitor(self._project, monitor, tensors)


def _pool(config: CalibrateMonitorConfig) -> Pool:
    """Return how tokens are pooled, where that is not chosen by what tells texts better."""
    if config.unit == "token":
        return "token"
    if config.pool != "auto":
        return config.pool
    return "mean" if config.made in ("difference", "probe") else "max"


def _power(what: str, threshold: float, positives: list[float], negatives: list[float]) -> Power:
    caught = sum(score > threshold for score in positives)
    auroc = None
    if positives and negatives:
        from sklearn.metrics import roc_auc_score

        truth = [1] * len(positives) + [0] * len(negatives)
        auroc = float(roc_auc_score(truth, [*positives, *negatives]))
    return Power(
        what=what, threshold=threshold, caught=caught, of=len(positives),
        wilson=wilson(caught, len(positives)), exact=exact(caught, len(positives)),
        near_misses=sum(score > threshold for score in negatives), near_of=len(negatives),
        auroc=auroc,
    )  # fmt: skip
