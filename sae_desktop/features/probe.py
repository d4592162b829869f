"""The job `probe`: which features fire on a text."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.config import ActiveFeature, ProbeConfig, ProbeResult
from sae_desktop.features.opened import OpenedIndex, open_index
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.capture import capture
from sae_desktop.language_model.token_text import token_text

MOST_TOKENS = 16_384
_LONGEST_WINDOW = 1024
_ROWS = 512  # encoded at once: rows × features is the memory it takes


def probe(config: ProbeConfig, context: JobContext) -> ProbeResult:
    """Return the text's tokens and, token by token, the features active on them.

    A position counts the reported tokens from 0; the beginning-of-sequence token is not among
    them. A token's features come strongest first: `per_token` of them, and those of
    `config.features` that fire. A text longer than the model reads at once is cut into windows.
    Raises UserError for a text without a token, or one of more than MOST_TOKENS.
    """
    opened = open_index(config.project, config.index, config.device)
    for feature in config.features:
        opened.index.check_feature(feature)
    ids = opened.lm.encode(config.text)
    if not ids:
        raise UserError("There is no text to look at.", next_step="Type or paste a text.")
    if len(ids) > MOST_TOKENS:
        raise UserError(
            f"The text has {len(ids):,} tokens; at most {MOST_TOKENS:,} are looked at at once.",
            next_step="Give a shorter text.",
        )
    active: list[ActiveFeature] = []
    for first, acts_TD in activations_of_ids(opened, ids):
        context.check_cancelled()
        context.progress(first, len(ids), "tokens")
        for row in range(0, len(acts_TD), _ROWS):
            features_TF = opened.dictionary.encode(acts_TD[row : row + _ROWS])
            active += _strongest(features_TF, first + row, config)
    context.progress(len(ids), len(ids), "tokens")
    names = opened.lm.token_bytes()
    return ProbeResult(tokens=[token_text(names[i]) for i in ids], active=active)


def activations_of_ids(opened: OpenedIndex, ids: list[int]) -> Iterator[tuple[int, Tensor]]:
    """Yield (first token, activations (T, D) at the index's site), in windows the model can read.

    Each window has the special tokens around it that the indexed text had; theirs are left out.
    """
    room = min(opened.lm.context_size, _LONGEST_WINDOW) - len(opened.bos) - len(opened.eos)
    for first in range(0, len(ids), room):
        yield first, _read(opened, ids[first : first + room])


def _read(opened: OpenedIndex, ids: list[int]) -> Tensor:
    """Return the activations (T, D) at the index's site, those of special tokens left out."""
    input_ids = torch.tensor([opened.bos + ids + opened.eos])
    first = len(opened.bos)
    return capture(opened.lm, input_ids, None, opened.site)[0, first : first + len(ids)]


def _strongest(features_TF: Tensor, first: int, config: ProbeConfig) -> list[ActiveFeature]:
    """Return what is to be reported of rows of activations, the first at position `first`."""
    kept_TF = features_TF > 0
    if 0 < config.per_token < features_TF.shape[1]:
        _, ids = features_TF.topk(config.per_token, dim=1)
        among = torch.zeros_like(kept_TF).scatter_(1, ids, torch.ones_like(ids, dtype=torch.bool))
        among[:, config.features] = True
        kept_TF &= among
    rows, features = kept_TF.nonzero(as_tuple=True)
    values = features_TF[rows, features].tolist()
    found = sorted(
        zip(rows.tolist(), features.tolist(), values, strict=True),
        key=lambda item: (item[0], -item[2], item[1]),
    )
    return [
        ActiveFeature(position=first + row, feature=feature, activation=value)
        for row, feature, value in found
    ]
