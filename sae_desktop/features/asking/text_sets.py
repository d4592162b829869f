"""The job `find_features`: features active on all texts and pictures of A and on none of B.

N texts and pictures, F features, I width of what the dictionary reads. Scaling Monosemanticity
looked for features of a concept with prompt sets in this way, and with linear classifiers on the
features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.corpus.alike import groups_of_texts
from sae_desktop.devices.abilities import float64_of
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.picture_documents import read_document, read_kept
from sae_desktop.features.asking.probe import MOST_TOKENS, activations_of_ids, own_ids
from sae_desktop.features.asking.text_classifier import (
    FEWEST,
    PooledText,
    compared,
    groups_a_side,
)
from sae_desktop.features.asking.text_set_config import (
    FindFeaturesConfig,
    FindFeaturesResult,
    FoundFeature,
)
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.text.token_text import token_text

Array = npt.NDArray[Any]

_ROWS = 512  # encoded at once: rows × features is the memory it takes


def find_features(config: FindFeaturesConfig, context: JobContext) -> FindFeaturesResult:
    """Return features by their margin, the largest first.

    With m the feature's maximum over the index's text and a_t its largest activation on text t,
    it is active on t where a_t > threshold · m. A feature is found that is active on all texts
    of A but `missed`, and on none of B; its margin is (the smallest a_t of A, the `missed`
    smallest left aside − the largest a_t of B) / m. A picture stands for a text, alone. Raises
    UserError for empty sets, a text or picture in both, one without a token or of too many, and
    a picture that cannot be read.
    """
    on, off = _checked(config)
    digests = _digests([*on, *off])
    _refuse_in_both(on, off, digests)
    alone = all(isinstance(item, Path) for item in (*on, *off))
    opened = open_index(config.project, config.index, config.device, pictures_alone=alone)
    pooled: list[PooledText] = []
    items = [*on, *off]
    unit, doing = _unit(items)
    for number, item in enumerate(items):
        context.check_cancelled()
        context.progress(number, len(items), unit, doing)
        read = _pooled_picture(opened, item) if isinstance(item, Path) else None
        pooled.append(read or _pooled(opened, str(item), number))
    context.progress(len(pooled), len(pooled), unit, doing)
    maxima = opened.index.columns["max_activation"]
    of_on, of_off = pooled[: len(on)], pooled[len(on) :]
    found = separating(of_on, of_off, maxima, config.threshold, config.missed)
    features, margins = found
    names = opened.lm.token_bytes()
    shown = features[: config.count]
    result = FindFeaturesResult(
        found=[
            FoundFeature(
                feature=int(feature),
                margin=float(margin),
                on=[_at(text, int(feature)) for text in of_on],
                off=[_at(text, int(feature)) for text in of_off],
                tokens=[_token(text, int(feature), names) for text in of_on],
            )
            for feature, margin in zip(shown, margins, strict=False)
        ],
        total=len(features),
    )
    if not config.classify:
        return result
    context.progress(0, 1, "classifiers", "Training classifiers")
    groups = _groups(items, digests)
    classifiers, weights = compared(of_on, of_off, maxima, groups, config, context)
    context.progress(1, 1, "classifiers", "Training classifiers")
    return FindFeaturesResult(
        found=result.found, total=result.total, classifiers=classifiers, weights=weights,
        warning=_warning(groups, len(on), unit, scored=bool(classifiers)),
    )  # fmt: skip


def _unit(items: Sequence[str | Path]) -> tuple[str, str]:
    """Return what is read, and the words for that."""
    pictures = sum(isinstance(item, Path) for item in items)
    unit = "texts and pictures" if pictures else "texts"
    unit = "pictures" if pictures == len(items) else unit
    return unit, f"Reading the {unit}"


def _groups(items: Sequence[str | Path], digests: Mapping[Path, str]) -> Array:
    """Return the group (N,) of each text and picture: those alike share one.

    Pictures are alike where their files are.
    """
    found = np.zeros(len(items), np.int64)
    texts = [number for number, item in enumerate(items) if isinstance(item, str)]
    if texts:
        found[texts] = groups_of_texts([str(items[number]) for number in texts])
    first = int(found.max(initial=0)) + 1
    known: dict[str, int] = {}
    for number, item in enumerate(items):
        if isinstance(item, Path):
            found[number] = known.setdefault(digests[item], first + len(known))
    return found


def _warning(groups: Array, on: int, unit: str, *, scored: bool) -> str:
    """Return what speaks against the held-out scores: few texts, or few that differ."""
    sides = groups_a_side(groups, on)
    lines = []
    if (alike := len(groups) - len(np.unique(groups))) > 0:
        lines.append(
            f"{alike:,} of {len(groups):,} {unit} are equal or nearly equal to another; such "
            f"{unit} are held out together. A has {sides[0]:,} different {unit}, B {sides[1]:,}."
        )
    if not scored:
        lines.append(
            f"No classifier was trained: at least two different {unit} are needed on each side, "
            "some to learn from and others to be scored on. Add some that differ."
        )
    elif min(sides) < FEWEST:
        lines.append(
            f"With fewer than {FEWEST} different {unit} on each side, the scores are little better "
            "than chance."
        )
    return " ".join(lines)


def _checked(config: FindFeaturesConfig) -> tuple[list[str | Path], list[str | Path]]:
    on = _items(config.on, config.on_pictures)
    off = _items(config.off, config.off_pictures)
    for name, items in (("A", on), ("B", off)):
        if not items:
            raise UserError(
                f"There is neither a text nor a picture in {name}.",
                next_step="Enter at least one text, one per line, or add a picture.",
            )
    if not 0 <= config.missed < len(on):
        raise UserError(
            f"Of {len(on)} in A, {config.missed} cannot lack the feature.",
            next_step=f"Enter 0 to {len(on) - 1}.",
        )
    if not 0.0 <= config.threshold < 1.0:
        raise UserError(
            f"A threshold of {config.threshold:g} is not a share of the maximum.",
            next_step="Enter 0 or more, but less than 1.",
        )
    return on, off


def _items(texts: Sequence[str], pictures: Sequence[str]) -> list[str | Path]:
    return [*(text for text in texts if text.strip()), *(Path(p).expanduser() for p in pictures)]


def _digests(items: Sequence[str | Path]) -> dict[Path, str]:
    """Return what each picture is known by. Raises UserError for one that cannot be read."""
    return {item: read_kept(item).digest for item in items if isinstance(item, Path)}


def _refuse_in_both(
    on: Sequence[str | Path], off: Sequence[str | Path], digests: Mapping[Path, str]
) -> None:
    def known_by(item: str | Path) -> tuple[str, str]:
        return ("picture", digests[item]) if isinstance(item, Path) else ("text", item.strip())

    others = {known_by(item) for item in off}
    both = [item for item in on if known_by(item) in others]
    if both:
        shown = both[0].name if isinstance(both[0], Path) else both[0].strip()[:60]
        raise UserError(f"“{shown}” is in both A and B.", next_step="Remove it from one of them.")


def _pooled_picture(opened: OpenedIndex, path: Path) -> PooledText:
    document = read_document(opened, [str(path)], "")
    names = document.names()
    rows = document.rows(opened.reads)
    return _most(opened, [(0, rows)], np.arange(len(names)))._replace(called=names)


def _pooled(opened: OpenedIndex, text: str, number: int) -> PooledText:
    ids = own_ids(opened, text)
    if not ids or len(ids) > MOST_TOKENS:
        raise UserError(
            f"Text {number + 1} has {len(ids):,} tokens; 1 to {MOST_TOKENS:,} can be read.",
            next_step="Leave it out or shorten it.",
        )
    return _most(opened, activations_of_ids(opened, ids), np.asarray(ids))


def _most(opened: OpenedIndex, windows: Iterable[tuple[int, Tensor]], ids: Array) -> PooledText:
    """Return the most of each feature over tokens, which `ids` (T,) are."""
    best = torch.zeros(opened.dictionary.features, device=opened.dictionary.device)
    token = torch.zeros(len(best), dtype=torch.int64, device=best.device)
    total = torch.zeros(opened.dictionary.width, dtype=torch.float64)
    for first, x_TD in windows:
        total += float64_of(x_TD).sum(dim=0).cpu()
        for row in range(0, len(x_TD), _ROWS):
            acts_TF = opened.dictionary.encode(x_TD[row : row + _ROWS])
            largest = acts_TF.max(dim=0)
            higher = largest.values > best
            best = torch.where(higher, largest.values, best)
            token = torch.where(higher, largest.indices + first + row, token)
    features = torch.nonzero(best)[:, 0].cpu()
    places = token[features.to(token.device)].cpu().numpy()
    return PooledText(
        features.numpy(),
        best[features.to(best.device)].float().cpu().numpy(),
        ids.astype(np.int32)[places],
        (total / len(ids)).float().numpy(),
    )


def separating(
    on: list[PooledText], off: list[PooledText], maxima: Array, threshold: float, missed: int
) -> tuple[Array, Array]:
    """Return (features, margins) of those that are found, the largest margin first."""
    counts = np.zeros(len(maxima), dtype=np.int64)
    for text in on:
        counts[text.features[text.maxima > threshold * maxima[text.features]]] += 1
    kept = (counts >= len(on) - missed) & (maxima > 0)
    for text in off:
        kept[text.features[text.maxima > threshold * maxima[text.features]]] = False
    features = np.flatnonzero(kept)
    of_on = np.sort(_table(on, features), axis=0)
    of_off = _table(off, features)
    margins = (of_on[missed] - of_off.max(axis=0)) / maxima[features]
    order = np.argsort(-margins, kind="stable")
    return features[order], margins[order]


def _table(texts: list[PooledText], features: Array) -> Array:
    """Return (N, n) float32, the largest activation of some features on each text."""
    table = np.zeros((len(texts), len(features)), dtype=np.float32)
    for number, text in enumerate(texts):
        place = np.searchsorted(text.features, features)
        there = place < len(text.features)
        there[there] = text.features[place[there]] == features[there]
        table[number, there] = text.maxima[place[there]]
    return table


def _at(text: PooledText, feature: int) -> float:
    return float(_table([text], np.array([feature]))[0, 0])


def _token(text: PooledText, feature: int, names: list[bytes]) -> str:
    place = int(np.searchsorted(text.features, feature))
    if place == len(text.features) or text.features[place] != feature:
        return ""
    token = int(text.tokens[place])
    return text.called[token] if text.called else token_text(names[token])
