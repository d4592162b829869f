"""One concept set and one dictionary: what is learnt from, what is held out, what stands beside.

N texts of the set, F features, n candidates, M ordinary texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.scoring.shown_labels import shown_labels
from sae_desktop.language_model.load import require_causal
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.project import Project
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.safety.scan import candidates as ways
from sae_desktop.safety.scan.config import (
    Area,
    FoundFeature,
    Method,
    ScanConfig,
    Scores,
    SetScan,
    Verdict,
)
from sae_desktop.safety.scan.effects import effect_of
from sae_desktop.safety.scan.methods import Part, Scored, methods
from sae_desktop.safety.scan.reading import ReadTexts, columns_of, read_texts, token_ids
from sae_desktop.safety.scan.separation import areas, difference_interval, exchange_p, separation
from sae_desktop.steering.prepare import written_in_order

Array = npt.NDArray[Any]

_CONTEXTS, _BEFORE, _AFTER = 3, 16, 6
_STRONGEST = 4
_READ, _LEARNT, _LOOKED = 0.5, 0.6, 0.7
"""How far a set is, of 1: its texts are read, the methods have learnt, candidates are found."""


class OneSet:
    """One set and one dictionary."""

    def __init__(
        self,
        config: ScanConfig,
        project: Project,
        opened: OpenedIndex,
        found: ConceptSet,
        ordinary: ReadTexts | None,
        context: JobContext,
        done: int,
        total: int,
    ) -> None:
        self._config, self._project, self._opened = config, project, opened
        self._set, self._ordinary, self._context = found, ordinary, context
        self._done, self._total = done, total
        ids, cut = token_ids(opened, [text.text for text in found.texts])
        self._read = read_texts(opened, ids, config.pooling, cut, self._progress_of(len(ids)))
        self._positive = np.array([text.positive for text in found.texts])
        self._template = np.array([text.template for text in found.texts])
        self._learn = self._part(held_out=False, other=False)
        self._kept = self._part(held_out=True, other=False)
        self._other = self._part(other=True)
        self._maxima_F = np.asarray(opened.index.columns["max_activation"], np.float32)
        self.areas_F = ways.learnt_areas(
            self._texts(self._learn), self._learn.positive, opened.index.features
        )
        """(F,): how well each feature tells the texts that are learnt from."""
        self.areas_F[self._maxima_F <= 0] = 0.5

    def _progress_of(self, texts: int) -> Any:
        def told(done: int) -> None:
            self._context.check_cancelled()
            self._progress(_READ * done / texts, "reading its texts")

        return told

    def _progress(self, share: float, doing: str) -> None:
        message = f"{self._set.title}: {doing}"
        self._context.progress(self._done + min(share, 1.0), self._total, "sets", message)

    def _part(self, **which: bool) -> Part:
        places = np.array(self._set.part(**which), np.int64)
        return Part(places, self._positive[places], self._template[places])

    def _texts(self, part: Part) -> list[Any]:
        return [self._read.pooled[place] for place in part.places]

    def scanned(self, index: str) -> SetScan:
        """Return what was found."""
        config = self._config
        self._progress(_READ, "learning")
        scored = methods(
            self._read, self._ordinary, self._learn, self._maxima_F, self.areas_F,
            config.pooling, config.seed,
        )  # fmt: skip
        self._context.check_cancelled()
        self._progress(_LEARNT, "looking for features")
        features = self._features(scored)
        told = tuple(self._method(one) for one in scored)
        ours, rival = (
            max((n for n, m in enumerate(told) if m.side == side), key=lambda n: _area(told[n]))
            for side in ("dictionary", "rival")
        )
        kept = self._kept
        low, high = difference_interval(
            scored[ours].texts_N[kept.places], scored[rival].texts_N[kept.places],
            kept.positive, kept.template,
        )  # fmt: skip
        verdict: Verdict = "dictionary" if low > 0 else "rival" if high < 0 else "no difference"
        return SetScan(
            set=self._set.name,
            index=index,
            positives=int(kept.positive.sum()),
            negatives=int((~kept.positive).sum()),
            methods=told,
            features=tuple(features),
            verdict=verdict,
            best=told[ours].name,
            rival=told[rival].name,
            difference=_area(told[ours]) - _area(told[rival]),
            difference_low=low,
            difference_high=high,
            cut=self._read.cut,
        )

    # ------------------------------------------------------------------ figures
    def _method(self, one: Scored) -> Method:
        learn = self._learn
        return Method(
            name=one.name,
            side=one.side,
            learnt=float(areas(one.texts_N[learn.places][:, None], learn.positive)[0]),
            scores=self._scores(one.texts_N, one.ordinary_N),
            inputs=one.inputs,
        )

    def _scores(self, texts_N: Array, ordinary_N: Array) -> Scores:
        """Return the areas of scores of all texts of the set, and of the ordinary ones."""
        kept, other = self._kept, self._other
        ordinary = None
        if len(ordinary_N):
            on = kept.places[kept.positive]
            above = int(self._template.max()) + 1
            ordinary = _area_of(
                np.concatenate([texts_N[on], ordinary_N]),
                np.arange(len(on) + len(ordinary_N)) < len(on),
                np.concatenate([self._template[on], above + np.arange(len(ordinary_N))]),
            )
        elsewhere = None
        if other.positive.any() and not other.positive.all():
            elsewhere = _area_of(texts_N[other.places], other.positive, other.template)
        return Scores(
            near=_area_of(texts_N[kept.places], kept.positive, kept.template),
            ordinary=ordinary,
            other=elsewhere,
        )

    # ------------------------------------------------------------------ features
    def _features(self, scored: Sequence[Scored]) -> list[FoundFeature]:
        found = self._candidates(scored)
        if not found:
            return []
        chosen = np.array(sorted(found))
        texts_Nn = columns_of(self._read.pooled, chosen)
        beside = self._ordinary.pooled if self._ordinary is not None else []
        ordinary_Mn = columns_of(beside, chosen)
        kept = self._kept
        p = exchange_p(texts_Nn[kept.places], kept.positive, kept.template, self._config.seed)
        rows = []
        names = shown_labels(self._project, self._opened.index, chosen.tolist())
        for number, feature in enumerate(chosen.tolist()):
            rows.append(
                FoundFeature(
                    feature=feature,
                    name=names[feature].text if feature in names else "",
                    density=float(self._opened.index.columns["density"][feature]),
                    found_by=tuple(found[feature]),
                    learnt=float(self.areas_F[feature]),
                    scores=self._scores(texts_Nn[:, number], ordinary_Mn[:, number]),
                    p=float(p[number]),
                    q=1.0,
                    contexts=_contexts(self._opened.index, feature),
                    texts=self._strongest(feature),
                )
            )
        rows.sort(key=_least_alike)
        return self._tried(rows)

    def _candidates(self, scored: Sequence[Scored]) -> dict[int, list[str]]:
        learn, config = self._learn, self._config
        texts = self._texts(learn)
        on = [text for text, side in zip(texts, learn.positive, strict=True) if side]
        off = [text for text, side in zip(texts, learn.positive, strict=True) if not side]
        weights = next(one.weights for one in scored if one.weights is not None)
        order = np.argsort(-self.areas_F, kind="stable")
        found = {
            ways.SEPARATION: order[self.areas_F[order] > 0.5],
            ways.SEARCH: ways.searched(on, off, self._maxima_F),
            ways.CLASSIFIER: ways.weighted(weights),
        }
        if config.attributed:
            count, ids = config.attributed, self._read.ids
            positives = _spread(learn.places[learn.positive], count)
            near = _spread(learn.places[~learn.positive], count)
            found[ways.ATTRIBUTION] = ways.attributed(
                self._opened, [ids[n] for n in positives], [ids[n] for n in near], self._context
            )
        fires = {way: f[self._maxima_F[f] > 0] for way, f in found.items()}
        return ways.proposed(fires, config.candidates)

    def _tried(self, rows: list[FoundFeature]) -> list[FoundFeature]:
        """Return the rows, the first of them ablated and clamped in the model."""
        config, kept = self._config, self._kept
        try:
            require_causal(self._opened.lm, "What a feature does")
            written_in_order(self._opened)
        except UserError:  # an encoder, or a transcoder that does not say what it writes
            return rows
        on, off = (
            [self._read.ids[n] for n in _spread(places, config.test_texts)]
            for places in (kept.places[kept.positive], kept.places[~kept.positive])
        )
        tried = []
        for number, row in enumerate(rows):
            if number < config.tested:
                share = _LOOKED + (1 - _LOOKED) * number / config.tested
                self._progress(share, "trying features in the model")
                effect = effect_of(
                    self._opened, row.feature, on, off, config.controls, config.seed,
                    self._context,
                )  # fmt: skip
                row = msgspec.structs.replace(row, effect=effect)
            tried.append(row)
        return tried

    def _strongest(self, feature: int) -> tuple[str, ...]:
        """Return the held-out texts on which a feature is strongest, its token in brackets."""
        names = self._opened.lm.token_bytes()
        values = columns_of(self._texts(self._kept), np.array([feature]))[:, 0]
        lines = []
        for number in np.argsort(-values, kind="stable")[:_STRONGEST]:
            if values[number] <= 0:
                break
            place = int(self._kept.places[number])
            text, ids = self._read.pooled[place], self._read.ids[place]
            peak = int(text.tokens[np.searchsorted(text.features, feature)])
            side = "positive" if self._positive[place] else "near miss"
            tokens = [token_text(names[i]) for i in ids]
            lines.append(f"{side}, {values[number]:.2f}: {_bracketed(tokens, peak)}")
        return tuple(lines)


def _least_alike(row: FoundFeature) -> tuple[float, float, int]:
    """Order by near misses, and among features that tell those equally well by ordinary text."""
    ordinary = row.scores.ordinary
    return (-row.scores.near.area, -ordinary.area if ordinary is not None else 0.0, row.feature)


def _area(method: Method) -> float:
    return method.scores.near.area


def _area_of(scores_N: Array, positive_N: Array, template_N: Array) -> Area:
    found = separation(scores_N, positive_N, template_N)
    return Area(area=found.area, low=found.low, high=found.high)


def _spread(places: Array, count: int) -> list[int]:
    """Return some of the places, evenly over them, so that they are of different templates."""
    chosen = np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).astype(np.int64))
    return [int(n) for n in places[chosen]]


def _contexts(index: FeatureIndex, feature: int) -> tuple[str, ...]:
    found = index.contexts(feature, _BEFORE, _AFTER)[:_CONTEXTS]
    shown = [context.as_read() for context in found]
    return tuple(_bracketed(list(context.tokens), context.peak) for context in shown)


def _bracketed(tokens: list[str], peak: int) -> str:
    before, after = "".join(tokens[:peak]), "".join(tokens[peak + 1 :])
    return f"{before}⟦{tokens[peak]}⟧{after}"
