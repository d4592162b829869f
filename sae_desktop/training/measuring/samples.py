"""A few features of a dictionary during training, with text they fire on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.text.token_text import IMAGE_TOKEN, token_text
from sae_desktop.training.rows.data import Array, Rows, SiteRows, held_out_windows
from sae_desktop.training.run_log import FeatureSample, SampleContext

SHOWN = 3
_WINDOWS = 48
_CONTEXTS = 3
_BEFORE, _AFTER = 12, 4


@dataclass(frozen=True)
class SampleText:
    """Rows of some held-out windows with their tokens. R rows."""

    x_RD: Tensor
    tokens: Sequence[str]
    window_R: npt.NDArray[np.int64]


def sample_text(
    lm: LanguageModel, store: ActivationStore, parts: Sequence[SiteRows], held_out: Rows
) -> SampleText | None:
    """Take the first windows of held-out rows; None when there are none.

    `parts` are what a dictionary reads; the tokens are the store's.
    """
    chosen = held_out_windows(store, held_out)[:_WINDOWS]
    if not len(chosen):
        return None
    rows = np.concatenate([np.arange(w["first_row"], w["first_row"] + w["length"]) for w in chosen])
    values = [part.gather(rows) for part in parts]
    found = text_of(lm, values, np.maximum(store.tokens[rows], 0), chosen["length"])
    if not len(store.pictures):
        return found
    of_picture = store.pictures.of_rows()[rows] >= 0
    return replace(
        found,
        tokens=[
            IMAGE_TOKEN if pictured else text
            for text, pictured in zip(found.tokens, of_picture, strict=True)
        ],
    )


def text_of(
    lm: LanguageModel, parts: Sequence[Array], tokens_R: Array, lengths: Array
) -> SampleText:
    """Return the text of some windows: parts (R, D) and tokens, and each window's rows."""
    vocabulary = lm.token_bytes()
    return SampleText(
        x_RD=torch.cat([torch.from_numpy(part).float() for part in parts], dim=1),
        tokens=[token_text(vocabulary[t]) for t in tokens_R],
        window_R=np.repeat(np.arange(len(lengths)), lengths),
    )


def sample_features(
    dictionary: Dictionary, text: SampleText, order: Sequence[int]
) -> list[FeatureSample]:
    """Return the first features of `order` that fire on the text, as many as are shown.

    With the same order at every call, the same features are followed through the run.
    """
    samples: list[FeatureSample] = []
    for feature in order:
        ids = torch.tensor([feature], device=dictionary.device)
        acts_R = dictionary.encode_features(text.x_RD, ids)[:, 0].cpu().numpy()
        if acts_R.any():
            samples.append(_sample(feature, acts_R, text))
        if len(samples) == SHOWN:
            break
    return samples


def _sample(feature: int, acts_R: npt.NDArray[np.float32], text: SampleText) -> FeatureSample:
    contexts: list[SampleContext] = []
    seen: set[int] = set()
    for row in np.argsort(-acts_R, kind="stable").tolist():
        if acts_R[row] <= 0 or len(contexts) == _CONTEXTS:
            break
        window = int(text.window_R[row])
        if window in seen:
            continue
        seen.add(window)
        inside = np.flatnonzero(text.window_R == window)
        begin = max(int(inside[0]), row - _BEFORE)
        end = min(int(inside[-1]) + 1, row + _AFTER)
        contexts.append(
            SampleContext(
                tokens=list(text.tokens[begin:end]),
                activations=[round(float(a), 2) for a in acts_R[begin:end]],
            )
        )
    return FeatureSample(feature=feature, density=float((acts_R > 0).mean()), contexts=contexts)
