"""How much more likely a label is to the subject model after its feature's contexts.

The model reads a few contexts, each up to its marked word, and then the label. The figure is the
mean log-probability of the label's tokens after contexts of the feature minus that after contexts
of other features, in nats per token: what the label has in common with any text falls out. A
small model has little to say of labels, so a figure near 0 says nothing against one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.probe import own_ids
from sae_desktop.features.reading.label_score import Figure
from sae_desktop.labels.examples import Example

DRAWS = 6
"""Sets of contexts of the feature, and as many of others."""
CONTEXTS = 3
_TOKENS = 20
"""Of each context, up to its marked word."""
_MOST_LABEL = 48
_HEAD, _ASKED = "\nText: ", "\nWhat the texts have in common:"


def log_probability(
    opened: OpenedIndex, label: str, own: Sequence[Example], others: Sequence[Example], seed: int
) -> Figure | None:
    """Return the gain and its interval over draws; None with fewer than three contexts a side."""
    label_ids = own_ids(opened, f" {label.strip()}")[:_MOST_LABEL]
    if len(own) < CONTEXTS or len(others) < CONTEXTS or not label.strip():
        return None
    rng = np.random.default_rng(seed)
    gains = [
        _mean(opened, _drawn(own, rng), label_ids) - _mean(opened, _drawn(others, rng), label_ids)
        for _ in range(DRAWS)
    ]
    return gain_interval(np.asarray(gains))


def _drawn(examples: Sequence[Example], rng: np.random.Generator) -> list[Example]:
    return [examples[n] for n in rng.choice(len(examples), CONTEXTS, replace=False).tolist()]


def _mean(opened: OpenedIndex, contexts: Sequence[Example], label: list[int]) -> float:
    """Return the mean log-probability of a label's tokens after contexts, in nats."""
    shown = ["".join(e.tokens[max(e.peak - _TOKENS, 0) : e.peak + 1]) for e in contexts]
    prompt = own_ids(opened, "".join(f"{_HEAD}{text}" for text in shown) + _ASKED)
    room = opened.lm.context_size - len(opened.bos) - len(label)
    ids = [*opened.bos, *prompt[-room:], *label]
    with opened.lm.lock, torch.no_grad():
        logits = opened.lm.model(input_ids=torch.tensor([ids], device=opened.lm.device)).logits
    told = logits[0, -len(label) - 1 : -1].float().log_softmax(-1)
    return float(told[torch.arange(len(label)), torch.tensor(label)].mean())


def gain_interval(gains: np.ndarray) -> Figure:
    """Return the mean of gains (DRAWS,) with the interval of Student's t."""
    from scipy.stats import t

    mean = float(gains.mean())
    half = float(t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5)
    return Figure(mean, mean - half, mean + half)
