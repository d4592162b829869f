"""What steering costs on ordinary text: its loss, and how far it is from the plain model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from sae_desktop.jobs import JobContext
from sae_desktop.labels.judging.measures import bootstrap_mean
from sae_desktop.safety.mitigation.config import Figure
from sae_desktop.safety.mitigation.ways import Ways
from sae_desktop.steering.config import PLAIN, Variant


class Cost(NamedTuple):
    """One number a document, nats per token."""

    loss: list[float]
    kl: list[float]


def costs(
    ways: Ways,
    variants: Sequence[Variant],
    texts: Sequence[Sequence[int]],
    context: JobContext,
    done: int,
    total: int,
) -> list[Cost]:
    """Return what each variant costs on texts, of which none is the prompt's.

    Progress goes from `done` by one a text.
    """
    found = [Cost([], []) for _ in variants]
    for number, ids in enumerate(texts):
        context.check_cancelled()
        targets = torch.tensor(ids[1:])
        plain = ways.logits(PLAIN, [ids], [0])[0, :-1].float().log_softmax(-1)
        for variant, cost in zip(variants, found, strict=True):
            steered = plain
            if variant is not PLAIN:
                steered = ways.logits(variant, [ids], [0])[0, :-1].float().log_softmax(-1)
            chosen = steered.cpu().gather(1, targets[:, None])[:, 0]
            cost.loss.append(-float(chosen.mean()))
            kl = (steered.exp() * (steered - plain)).sum(-1).clamp_min(0)
            cost.kl.append(float(kl.mean()))
        context.progress(done + number + 1, total, "texts", "Measuring the cost")
    return found


def figure(values: Sequence[float], seed: int) -> Figure:
    """Return a mean over documents with its interval; a single document has none."""
    mean, low, high = bootstrap_mean(np.asarray(values, np.float64), seed=seed)
    ends = (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
    return Figure(value=mean, low=ends[0], high=ends[1])
