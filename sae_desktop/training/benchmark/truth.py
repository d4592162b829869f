"""How well a dictionary has found the features of a synthetic world, as SynthSAEBench measures it.

Each of its features is held against the true one whose direction is nearest by |cosine|.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.training.benchmark.synthetic import World

_ROWS_AT_ONCE = 2048
_TINY = 1e-8


class TruthFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Means are over the dictionary's features; one that is never active counts as 0."""

    f1: float
    """Of each feature as a detector of its true feature: harmonic mean of the two below."""
    precision: float
    """Share of a feature's firings on which its true feature is active."""
    recall: float
    """Share of a true feature's rows on which the feature fires."""
    mcc: float
    """Mean |cosine| of features and true features, matched one to one as well as can be."""
    uniqueness: float
    """Different nearest true features, as a share of the dictionary's features."""
    explained_variance: float
    l0: float
    true_l0: float
    dead: int
    """Features never active on these rows."""
    rows: int


@torch.no_grad()
def measure(
    dictionary: Dictionary,
    world: World,
    generator: torch.Generator,
    rows: int,
) -> TruthFigures:
    """Measure a dictionary of a world's raw activations on rows drawn with the generator."""
    cosines = _cosines(dictionary.W_dec, world.directions_FD)
    nearest = cosines.argmax(dim=1)
    features = dictionary.features
    hits, fires, true = (torch.zeros(features, dtype=torch.float64) for _ in range(3))
    total = torch.zeros(world.sizes.width, dtype=torch.float64)
    squares = error = 0.0
    active = 0
    for begin in range(0, rows, _ROWS_AT_ONCE):
        samples = world.samples(generator, min(_ROWS_AT_ONCE, rows - begin))
        acts = dictionary.encode(samples.x_ND)
        fired = acts > 0
        truth = samples.active(world.sizes.features)[:, nearest]
        hits += (fired & truth).sum(0)
        fires += fired.sum(0)
        true += truth.sum(0)
        active += len(samples.row)
        total += samples.x_ND.double().sum(0)
        squares += float(samples.x_ND.double().square().sum())
        error += float((samples.x_ND - dictionary.decode(acts, samples.x_ND)).square().sum())
    precision, recall = _ratio(hits, fires), _ratio(hits, true)
    variance = squares / rows - float((total / rows).square().sum())
    return TruthFigures(
        f1=float(_ratio(2 * precision * recall, precision + recall).mean()),
        precision=float(precision.mean()),
        recall=float(recall.mean()),
        mcc=matched_cosine(cosines),
        uniqueness=int((torch.bincount(nearest) > 0).sum()) / features,
        explained_variance=1 - error / rows / variance,
        l0=float(fires.sum()) / rows,
        true_l0=active / rows,
        dead=int((fires == 0).sum()),
        rows=rows,
    )


def matched_cosine(cosines: Tensor) -> float:
    """Return the mean of |cosines| (M, F) over the one-to-one matching that makes it largest."""
    from scipy.optimize import linear_sum_assignment

    found = cosines.numpy()
    return float(found[linear_sum_assignment(found, maximize=True)].mean())


def _cosines(rows: Tensor, others: Tensor) -> Tensor:
    unit = [m / m.norm(dim=1, keepdim=True).clamp_min(_TINY) for m in (rows.cpu(), others)]
    cosines: Tensor = unit[0] @ unit[1].T
    return cosines.abs_()


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole > 0, part / whole, 0.0)
