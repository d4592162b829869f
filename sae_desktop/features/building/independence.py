"""How independent of the language a feature is, from aligned documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.corpus.alike import joined

_CELLS_AT_ONCE = 2**23
_PRIOR_GROUPS = 2.0

Array = npt.NDArray[Any]


def language_independence(
    offsets: Array, documents: Array, maxima: Array, table: Array, alike: Array | None = None
) -> Array:
    """Return the column `language_independence` (F,) float32, 0 to 1.

    offsets (F + 1,), documents and maxima (n,) are the `aligned/…` arrays of an index, `table`
    its documents, alike (D,) numbers that are equal for documents that are alike. Groups that
    have such documents are one: what is said twice is no second witness. Groups of fewer than two
    languages say nothing and are left out.

    With x the square root of a feature's strongest activation in the document of group g and
    language l (0 where it is silent; the root, so that no single document decides), the score is

        A · min(1, σ_g² / x̄²) · s / (s + 2)

    A = σ_g² / (σ_g² + σ_l² + σ_e²) is the intraclass correlation for absolute agreement
    (McGraw and Wong 1996, ICC(A,1)), with the variance components between groups, between
    languages and of the rest from an analysis of variance that allows for missing documents:
    1 if the feature fires as strongly in every language of a group, 0 if what one language says
    tells nothing of another, as for a feature of one language, and for noise. The second factor
    takes down features that fire everywhere alike; it is 1 for one that is silent in half of
    the groups or more. s is the number of groups in which it fires: little evidence counts less.
    Negative components count as 0.
    """
    features = len(offsets) - 1
    scores = np.zeros(features, np.float32)
    cell, group, language = _cells(table, alike)
    n = len(group)
    G = int(group.max()) + 1 if n else 0
    L = int(language.max()) + 1 if n else 0
    if G < 2 or L < 2 or n - G - L + 1 < 1:
        return scores
    to_group = _membership(group, G)
    to_language = _membership(language, L)
    k_G, n_L = np.bincount(group, minlength=G), np.bincount(language, minlength=L)
    per_group = (n - (k_G**2).sum() / n) / (G - 1)
    per_language = (n - (n_L**2).sum() / n) / (L - 1)
    step = max(1, _CELLS_AT_ONCE // n)
    for begin in range(0, features, step):
        end = min(begin + step, features)
        x = _dense(offsets[begin : end + 1], documents, maxima, cell, n)
        mean = x.mean(axis=1)
        mean_L = (x @ to_language) / n_L
        y = x - mean_L[:, language]
        sums_G = y @ to_group
        between = (sums_G**2 / k_G).sum(axis=1)
        rest = np.maximum((y**2).sum(axis=1) - between, 0.0) / (n - G - L + 1)
        of_groups = np.maximum((between / (G - 1) - rest) / per_group, 0.0)
        spread = (n_L * (mean_L - mean[:, None]) ** 2).sum(axis=1) / (L - 1)
        of_languages = np.maximum((spread - rest) / per_language, 0.0)
        total = of_groups + of_languages + rest
        support = ((x > 0) @ to_group > 0).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            agreement = np.where(total > 1e-12, of_groups / total, 0.0)
            contrast = np.where(mean > 0, np.minimum(of_groups / mean**2, 1.0), 0.0)
        scores[begin:end] = agreement * contrast * support / (support + _PRIOR_GROUPS)
    return scores


def _cells(table: Array, alike: Array | None) -> tuple[Array, Array, Array]:
    """Return each document's cell (D,), −1 for none, and each cell's group and language."""
    cell = np.full(len(table), -1, np.int64)
    aligned = np.flatnonzero((table["group"] != b"") & (table["language"] != b""))
    empty = np.empty(0, np.int64)
    if len(aligned) == 0:
        return cell, empty, empty
    _, group = np.unique(table["group"][aligned], return_inverse=True)
    if alike is not None:
        group = joined(group, alike[aligned])
    languages, language = np.unique(table["language"][aligned], return_inverse=True)
    pairs, number = np.unique(group * len(languages) + language, return_inverse=True)
    group_of, language_of = pairs // len(languages), pairs % len(languages)
    enough = np.bincount(group_of, minlength=len(aligned))[group_of] >= 2
    renumbered = np.where(enough, np.cumsum(enough) - 1, -1)
    cell[aligned] = renumbered[number]
    return (
        cell,
        np.unique(group_of[enough], return_inverse=True)[1],
        np.unique(language_of[enough], return_inverse=True)[1],
    )


def _membership(of_cell: Array, count: int) -> Array:
    found = np.zeros((len(of_cell), count), np.float32)
    found[np.arange(len(of_cell)), of_cell] = 1.0
    return found


def _dense(offsets: Array, documents: Array, maxima: Array, cell: Array, cells: int) -> Array:
    """Return (features, cells) float32: the root of the strongest activation in each."""
    span = slice(int(offsets[0]), int(offsets[-1]))
    feature = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    place = cell[documents[span]]
    inside = place >= 0
    x = np.zeros((len(offsets) - 1, cells), np.float32)
    roots = np.sqrt(np.asarray(maxima[span], np.float32)[inside])
    np.maximum.at(x, (feature[inside], place[inside]), roots)
    return x
