"""k-sparse probes: how well k features tell a label, beside the raw activations.

As SAEBench does it (Karvonen et al., 2025; after Gurnee et al., 2023): activations are averaged
over a text's tokens; the k features are those whose means differ most between the texts that are
learnt from; a logistic regression on these alone is scored on other texts, half of which have
the label. Texts that are alike are on one side. N texts, C columns: features, or coordinates of
the raw activations.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from sae_desktop.benchmark.config import Figure
from sae_desktop.benchmark.intervals import share_of
from sae_desktop.corpus.alike import groups_of_texts
from sae_desktop.features.asking.text_classifier import fit_classifier, whole_folds

Array = npt.NDArray[Any]

KS = (1, 2, 5, 16)
_PARTS = 3
"""One part in so many is scored on."""


@dataclass(frozen=True)
class Parted:
    """The texts of a task: which are learnt from, which are scored on."""

    places: Array
    """(n,) of the texts among all that were read."""
    label: Array
    """(n,) 1 and 0."""
    groups: Array
    """(n,); texts of one number are alike."""
    learn: Array
    """Of those n."""
    score: Array


def parted(places: Sequence[int], label: Sequence[int], texts: Sequence[str], seed: int) -> Parted:
    """Divide the texts of a task, those alike on one side.

    Where the texts of a label are all alike, none is scored on.
    """
    y, groups = np.asarray(label), groups_of_texts(texts)
    folds = min([_PARTS, *(len(np.unique(groups[y == side])) for side in (0, 1))])
    found = whole_folds(y, groups, folds, seed) if folds > 1 else []
    learn, score = found[0] if found else (np.arange(len(y)), np.arange(0))
    return Parted(np.asarray(places), y, groups, learn, score)


def accuracies(values_NC: Any, task: Parted, ks: Sequence[int] = KS) -> dict[str, Figure]:
    """Return k → accuracy on the texts that are scored on.

    values_NC: of all texts that were read, sparse or not.
    """
    X = values_NC[task.places]
    y = task.label
    learn_X, learn_y = X[task.learn], y[task.learn]
    differences = np.abs(_means(learn_X[learn_y == 1]) - _means(learn_X[learn_y == 0]))
    order = np.argsort(-differences, kind="stable")
    found = {}
    for k in ks:
        chosen = np.sort(order[: min(k, len(order))])
        some = _dense(X[:, chosen])
        right = _fitted(some[task.learn], learn_y).predict(some[task.score]) == y[task.score]
        found[str(k)] = share_of(right, task.groups[task.score])
    return found


def raw_accuracy(means_NI: Array, task: Parted, seed: int) -> Figure:
    """Return the accuracy of a logistic regression on all raw activations, averaged by text.

    The strength of its penalty is chosen within what is learnt from.
    """
    X, y = means_NI[task.places], task.label
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a weak penalty may not converge; another is chosen
        fitted = fit_classifier(
            X[task.learn], y[task.learn], task.groups[task.learn], "logistic", seed
        )
    right = fitted.predict(X[task.score]) == y[task.score]
    return share_of(right, task.groups[task.score])


def majority(task: Parted) -> float:
    """Return what always naming one label scores."""
    share = float(task.label[task.score].mean())
    return max(share, 1 - share)


def _means(X: Any) -> Array:
    return np.asarray(X.mean(axis=0)).ravel()


def _dense(X: Any) -> Array:
    return np.asarray(X.toarray() if issparse(X) else X, dtype=np.float64)


def _fitted(X: Array, y: Array) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, y)
