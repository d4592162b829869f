"""A sparse linear classifier of texts on features, compared with one on raw activations.

Texts that are alike (`corpus/alike.py`) are held out together: a text that is scored was never
trained on. N texts, F features, D width.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.asking import auroc
from sae_desktop.features.asking.text_set_config import (
    ClassifierScore,
    FeatureWeight,
    FindFeaturesConfig,
)
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

FEWEST = 20
"""Groups of texts a side from which on held-out scores say something."""
_STRENGTHS = np.logspace(-3, 2, 6)
_WEIGHTS = 50


class PooledText(NamedTuple):
    """What the features make of one text; only features that fire, ascending."""

    features: Array
    maxima: Array
    """float32, the largest activation on any token."""
    tokens: Array
    """int32, the id of the token on which it is."""
    mean: Array
    """(D,) float32, of the raw activations."""
    called: Sequence[str] = ()
    """Of a picture, what its tokens are called, which `tokens` then number in their order."""


def compared(
    on: Sequence[PooledText],
    off: Sequence[PooledText],
    maxima: Array,
    groups: Array,
    config: FindFeaturesConfig,
    context: JobContext,
) -> tuple[list[ClassifierScore], list[FeatureWeight]]:
    """Return the scores of both classifiers, and the weights of that on features.

    groups (N,): a number for each text of `on` and then of `off`; those of one number are never
    parted into learnt from and scored.

    Features: the largest activation on the text in shares of the feature's maximum (N × F,
    sparse), a linear support vector machine with an L1 penalty. Raw: the mean activation,
    standardised, with an L2 penalty. The strength of each penalty is chosen within the training
    folds; scores are those of texts left out. The majority alone has a balanced accuracy of ½.
    Both lists are empty where no text can be left out: fewer than two groups a side.
    """
    y = np.array([1] * len(on) + [0] * len(off))
    least = min(groups_a_side(groups, len(on)))
    if least < 2:
        return [], []
    folds = min(config.folds, least)
    X = shares_of_maxima([*on, *off], maxima)
    raw = np.stack([text.mean for text in [*on, *off]])
    scores, weights = [], []
    for inputs, values, penalty in (("features", X, "l1"), ("raw activations", raw, "l2")):
        context.check_cancelled()
        scored = _scored(values, y, groups, penalty, folds, config.seed, inputs)
        if scored is None:
            return [], []
        score, coefficients = scored
        scores.append(score)
        if inputs == "features":
            order = np.argsort(-np.abs(coefficients), kind="stable")[:_WEIGHTS]
            weights = [
                FeatureWeight(feature=int(f), weight=float(coefficients[f]))
                for f in order
                if coefficients[f] != 0
            ]
    return scores, weights


def groups_a_side(groups: Array, on: int) -> tuple[int, int]:
    """Return how many groups there are among the first `on` texts, and among the others."""
    return len(np.unique(groups[:on])), len(np.unique(groups[on:]))


def shares_of_maxima(texts: Sequence[PooledText], maxima: Array) -> Any:
    """Return (N, F), sparse: activations in shares of each feature's maximum."""
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
    X: Any, y: Array, groups: Array, penalty: str, folds: int, seed: int, inputs: str
) -> tuple[ClassifierScore, Array] | None:
    """Return the scores and the weights (F,) or (D,); None where no fold has both sides."""
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    found, texts = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a weak penalty may not converge; another is chosen
        for train, test in whole_folds(y, groups, folds, seed):
            fitted = fit_classifier(X[train], y[train], groups[train], penalty, seed)
            told = fitted.decision_function(X[test])
            found.append((balanced_accuracy_score(y[test], told > 0), roc_auc_score(y[test], told)))
            of_A, of_B = (auroc.effective_texts(groups[test][y[test] == side]) for side in (1, 0))
            texts.append((of_A, of_B))
        whole = fit_classifier(X, y, groups, penalty, seed)
    if not found:
        return None
    best = getattr(whole, "best_estimator_", whole)
    coefficients = np.asarray(best.steps[-1][1].coef_[0])
    accuracy, auc = np.array(found).T
    low, high = auroc.interval(float(auc.mean()), texts)
    return (
        ClassifierScore(
            inputs=inputs,
            balanced_accuracy=float(accuracy.mean()),
            spread=float(accuracy.std()),
            auc=float(auc.mean()),
            auc_low=low,
            auc_high=high,
            used=int((coefficients != 0).sum()),
            folds=len(found),
        ),
        coefficients,
    )


def fit_classifier(X: Any, y: Array, groups: Array, penalty: str, seed: int) -> Any:
    """Fit a linear classifier, the strength of its penalty chosen on groups left out.

    `penalty`: “l1” or “l2” of a support vector machine, or “logistic”, which has an L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler
    from sklearn.svm import LinearSVC

    scale = FunctionTransformer(accept_sparse=True) if penalty == "l1" else StandardScaler()
    machine = (
        LogisticRegression(class_weight="balanced", random_state=seed, max_iter=500)
        if penalty == "logistic"
        else LinearSVC(
            penalty=penalty, dual=False, class_weight="balanced", random_state=seed, max_iter=5000
        )
    )
    line = make_pipeline(scale, machine)
    parts = min(3, *(len(np.unique(groups[y == side])) for side in (0, 1)))
    # A group a side tells nothing of the penalty's strength.
    inner = whole_folds(y, groups, parts, seed) if parts >= 2 else []
    if not inner:
        return line.fit(X, y)
    search = GridSearchCV(
        line, {f"{line.steps[-1][0]}__C": _STRENGTHS}, cv=inner, scoring="balanced_accuracy"
    )
    return search.fit(X, y)


def whole_folds(y: Array, groups: Array, folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Return (train, test) places of folds that part no group, each with both sides in both."""
    from sklearn.model_selection import StratifiedGroupKFold

    parted = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return [
        (train, test)
        for train, test in parted.split(np.zeros(len(y)), y, groups)
        if len(set(y[train])) == len(set(y[test])) == 2
    ]
