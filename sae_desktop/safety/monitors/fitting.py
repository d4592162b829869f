"""What a monitor reads, learnt from texts: a sparse classifier, a difference, a probe; and rivals.

S tokens, I width of what is read, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.corpus.alike import groups_of_texts
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import Places
from sae_desktop.features.asking.text_classifier import PooledText, compared
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.jobs import JobContext
from sae_desktop.safety.monitors.config import Made
from sae_desktop.steering.gate_config import Pool, Readout
from sae_desktop.steering.readers import (
    Reader,
    direction_reader,
    feature_reader,
    random_direction,
)

Array = npt.NDArray[Any]

_ROWS = 512
POOLS: tuple[Pool, ...] = ("max", "mean")
"""In the order in which they are preferred where they tell texts equally well."""
DIFFERENCE, PROBE, RANDOM = "Difference of means", "Raw probe", "Random direction"


class Learnt(NamedTuple):
    """A way of watching: how it is called, what it reads, and that made ready."""

    what: str
    readout: Readout
    reader: Reader
    direction_I: Tensor | None


class Sides(NamedTuple):
    """Texts of the concept and texts that lack it, to learn from and to measure on."""

    on: list[str]
    off: list[str]
    positives: list[str]
    negatives: list[str]


def parted(on: Sequence[str], off: Sequence[str], seed: int) -> Sides:
    """Hold out a third of each side, texts that are alike together."""
    groups = groups_of_texts([*on, *off])
    chance = np.random.default_rng(seed)
    held = np.zeros(len(groups), bool)
    for side in (slice(0, len(on)), slice(len(on), None)):
        kinds = chance.permutation(np.unique(groups[side]))
        held |= np.isin(groups, kinds[: len(kinds) // 3])
    both = [*on, *off]
    one, other = range(len(on)), range(len(on), len(both))
    return Sides(
        [both[i] for i in one if not held[i]], [both[i] for i in other if not held[i]],
        [both[i] for i in one if held[i]], [both[i] for i in other if held[i]],
    )  # fmt: skip


class Texts(NamedTuple):
    """The values (S, I) of texts on either side, and the texts."""

    on: list[Tensor]
    off: list[Tensor]
    strings: list[str]


def learn(
    made: Made,
    texts: Texts,
    opened: OpenedIndex | None,
    places: Places,
    base: Readout,
    seed: int,
    context: JobContext,
    pools: Sequence[Pool] = (),
) -> tuple[Learnt, str]:
    """Return a way of watching learnt from texts, and what is to be said of it.

    `base` holds the index or site, and how tokens are pooled. `pools`: those among which a
    classifier chooses; none: it takes that of `base`. Raises UserError where it cannot be learnt.
    """
    if made == "difference":
        return _direction(DIFFERENCE, difference(texts), base, places), ""
    if made == "probe":
        return _direction(PROBE, probe(texts, seed), base, places), ""
    assert made == "classifier"
    if opened is None:
        raise UserError(
            "A classifier on features needs a dictionary.", next_step="Choose an index of one."
        )
    return _classifier(texts, opened, base, seed, context, pools or (base.pool,))


def rivals(texts: Texts | None, places: Places, base: Readout, seed: int) -> list[Learnt]:
    """Return the cheap ways: a difference and a probe, where there are texts, and a random one.

    A difference and a probe are learnt on texts' means, and read as they were learnt: by the mean
    over tokens, unless each token has a score of its own. By the maximum, tokens of large norm
    alone would decide, and the rivals would lose without having been tried at their best.
    """
    found = []
    if texts is not None:
        own = base if base.pool == "token" else msgspec.structs.replace(base, pool="mean")
        found.append(_direction(DIFFERENCE, difference(texts), own, places))
        found.append(_direction(PROBE, probe(texts, seed), own, places))
    width = sum(place.width for place in places)
    return [*found, _direction(RANDOM, random_direction(width, seed), base, places)]


def difference(texts: Texts) -> Tensor:
    """Return (I,), the mean over texts of `on` less that of `off`, to length one."""
    means = [torch.stack([x.mean(dim=0) for x in side]).mean(dim=0) for side in texts[:2]]
    return _unit(means[0] - means[1])


def probe(texts: Texts, seed: int) -> Tensor:
    """Return (I,), the weights of a logistic regression on texts' mean activations, length one.

    Standardised, with an L2 penalty of the usual strength.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    means = torch.stack([x.mean(dim=0) for side in texts[:2] for x in side])
    scaler = StandardScaler()
    X = scaler.fit_transform(means.cpu().double().numpy())
    y = [1] * len(texts.on) + [0] * len(texts.off)
    fitted = LogisticRegression(class_weight="balanced", max_iter=2000, random_state=seed)
    weights = fitted.fit(X, y).coef_[0] / scaler.scale_
    return _unit(torch.from_numpy(weights))


def _unit(direction_I: Tensor) -> Tensor:
    length = direction_I.norm()
    if not torch.isfinite(length) or length == 0:
        raise UserError(
            "The texts on both sides have the same activations, so that no direction tells them "
            "apart.",
            next_step="Use texts that differ.",
        )
    unit: Tensor = direction_I / length
    return unit.float()


def _direction(what: str, direction_I: Tensor, base: Readout, places: Places) -> Learnt:
    return Learnt(what, base, direction_reader(base, direction_I, places), direction_I)


def _classifier(
    texts: Texts,
    opened: OpenedIndex,
    base: Readout,
    seed: int,
    context: JobContext,
    pools: Sequence[Pool],
) -> tuple[Learnt, str]:
    """Learn with each way of pooling, and keep the one that tells texts left out better.

    Texts are pooled for learning as they are read afterwards; of single tokens by the maximum.
    """
    maxima = np.asarray(opened.index.columns["max_activation"], np.float32)
    config = FindFeaturesConfig(project="", index="", on=[], off=[], seed=seed)
    groups = groups_of_texts(texts.strings)
    tried = []
    for pool in pools:
        on, off = ([_pooled(opened, x_SI, pool) for x_SI in side] for side in texts[:2])
        tried.append((pool, *compared(on, off, maxima, groups, config, context)))
    learnt = [one for one in tried if one[2]]
    if not learnt:
        raise UserError(
            "No classifier was learnt: no feature tells the two sides apart, or there are fewer "
            "than two texts that differ on one of them.",
            next_step="Add texts to both sides, or use the difference of means.",
        )
    pool, scores, weights = max(learnt, key=lambda one: one[1][0].auc)
    # Learnt on shares of the maximum; a monitor reads activations.
    readout = msgspec.structs.replace(
        base,
        pool=pool,
        features=[w.feature for w in weights],
        weights=[w.weight / float(maxima[w.feature]) for w in weights],
    )
    what = f"a sparse classifier on {len(weights)} features"
    told = ", ".join(f"{score.auc:.3f} on {score.inputs}" for score in scores)
    note = f"AUROC of the classifiers on texts left out: {told}."
    if len(tried) > 1:
        note += " " + _pools_text(pool, {name: own[0].auc for name, own, _ in tried if own})
    return Learnt(what, readout, feature_reader(readout, opened), None), note


def _pools_text(chosen: Pool, areas: dict[Pool, float]) -> str:
    """Return why tokens are pooled as they are."""
    titles: dict[Pool, str] = {"max": "maximum", "mean": "mean"}
    others = ", ".join(f"by the {titles[one]} it has {areas[one]:.3f}"
                       for one in areas if one != chosen)  # fmt: skip
    return f"It reads a text by the {titles[chosen]} over its tokens; {others}."


def _pooled(opened: OpenedIndex, x_SI: Tensor, pool: Pool) -> PooledText:
    whole = torch.zeros(opened.dictionary.features)
    for part_SI in torch.split(x_SI, _ROWS):
        acts_SF = opened.dictionary.encode(part_SI).float()
        if pool == "mean":
            whole += (acts_SF.sum(dim=0) / len(x_SI)).cpu()
        else:
            whole = torch.maximum(whole, acts_SF.amax(dim=0).cpu())
    fired = torch.nonzero(whole > 0)[:, 0]
    nowhere = np.zeros(len(fired), np.int32)
    return PooledText(
        fired.numpy(), whole[fired].numpy(), nowhere, x_SI.mean(dim=0).float().cpu().numpy()
    )
