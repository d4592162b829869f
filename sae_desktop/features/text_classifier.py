"""A sparse linear classifier of texts on features, beside the same on raw activations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.text_set_config import (
    ClassifierScore,
    FeatureWeight,
    FindFeaturesConfig,
)
from sae_desktop.jobs import JobContext

if TYPE_CHECKING:
    from sae_desktop.features.text_sets import PooledText

Array = npt.NDArray[Any]

FEWEST = 20
"""Texts a side from which on held-out scores say something."""
_STRENGTHS = np.logspace(-3, 2, 6)
_WEIGHTS = 50


def compared(
    on: Sequence[PooledText],
    off: Sequence[PooledText],
    maxima: Array,
    config: FindFeaturesConfig,
    context: JobContext,
) -> tuple[list[ClassifierScore], list[FeatureWeight]]:
    """Return the scores of both classifiers, and the weights of that on features.

    Features: the largest activation on the text in shares of the feature's maximum (N × F,
    sparse), a linear support vector machine with an L1 penalty. Raw: the mean activation,
    standardised, with an L2 penalty. The strength of each penalty is chosen within the training
    folds; scores are those of texts left out. The majority alone has a balanced accuracy of ½.
    Raises UserError for fewer than two texts a side.
    """
    least = min(len(on), len(off))
    if least < 2:
        raise UserError(
            "A classifier needs at least two texts a side.", next_step="Add texts, or do without."
        )
    folds = min(config.folds, least)
    y = np.array([1] * len(on) + [0] * len(off))
    X = _shares([*on, *off], maxima)
    raw = np.stack([text.mean for text in [*on, *off]])
    scores, weights = [], []
    for inputs, values, penalty in (("features", X, "l1"), ("raw activations", raw, "l2")):
        context.check_cancelled()
        score, coefficients = _scored(values, y, penalty, folds, config.seed, inputs)
        scores.append(score)
        if inputs == "features":
            order = np.argsort(-np.abs(coefficients), kind="stable")[:_WEIGHTS]
            weights = [
                FeatureWeight(feature=int(f), weight=float(coefficients[f]))
                for f in order
                if coefficients[f] != 0
            ]
    return scores, weights


def _shares(texts: Sequence[PooledText], maxima: Array) -> Any:
    from scipy.sparse import csr_array

    offsets = np.cumsum([0, *(len(text.features) for text in texts)])
    features = np.concatenate([text.features for text in texts])
    top = maxima[features]
    values = np.divide(
        np.concatenate([text.maxima for text in texts]), top, out=np.zeros_like(top), where=top > 0
    )
    # scikit-learn takes no 64-bit indices.
    places = features.astype(np.int32), offsets.astype(np.int32)
    return csr_array((values, *places), shape=(len(texts), len(maxima)))


def _scored(
    X: Any, y: Array, penalty: str, folds: int, seed: int, inputs: str
) -> tuple[ClassifierScore, Array]:
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from sklearn.svm import LinearSVC

    def model(labels: Array) -> Any:
        scale = StandardScaler() if penalty == "l2" else FunctionTransformer(accept_sparse=True)
        machine = LinearSVC(
            penalty=penalty, dual=False, class_weight="balanced", random_state=seed, max_iter=5000
        )
        line = make_pipeline(scale, machine)
        parts = min(3, int(np.bincount(labels).min()))
        if parts < 2:  # a text a side tells nothing of the penalty's strength
            return line
        inner = StratifiedKFold(parts, shuffle=True, random_state=seed)
        return GridSearchCV(
            line, {"linearsvc__C": _STRENGTHS}, cv=inner, scoring="balanced_accuracy"
        )

    found = []
    outer = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a weak penalty may not converge; another is chosen
        for train, test in outer.split(np.zeros(len(y)), y):
            fitted = model(y[train]).fit(X[train], y[train])
            told = fitted.decision_function(X[test])
            found.append(
                (
                    balanced_accuracy_score(y[test], told > 0),
                    roc_auc_score(y[test], told) if len(set(y[test])) > 1 else np.nan,
                )
            )
        whole = model(y).fit(X, y)
    best = getattr(whole, "best_estimator_", whole)
    coefficients = np.asarray(best.steps[-1][1].coef_[0])
    accuracy, auc = np.array(found).T
    return (
        ClassifierScore(
            inputs=inputs,
            balanced_accuracy=float(accuracy.mean()),
            spread=float(accuracy.std()),
            auc=float(np.nanmean(auc)),
            used=int((coefficients != 0).sum()),
        ),
        coefficients,
    )
