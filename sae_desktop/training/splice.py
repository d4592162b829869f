"""Loss recovered: what the model still predicts when a dictionary stands in for a site.

The site's value is replaced at every token but a window's first, whose activation is an
attention sink that no dictionary is trained on; so it is in the ablations beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import MASSIVE_NORM
from sae_desktop.errors import UserError
from sae_desktop.language_model.intervene import intervention
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites import Site, parse_site

_BATCH = 16
_SHORTEST_WINDOW = 16


@dataclass(frozen=True)
class SpliceLosses:
    """Cross-entropies in nats a token over the same tokens."""

    clean: float
    spliced: float
    zero: float
    mean: float

    @property
    def recovered(self) -> float:
        """(zero − spliced) / (zero − clean): 1 for a perfect dictionary, 0 for none."""
        gap = self.zero - self.clean
        return (self.zero - self.spliced) / gap if gap else float("nan")


@dataclass(frozen=True)
class SpliceText:
    """Windows of token ids, each with the BOS it had, for measuring losses on."""

    lm: LanguageModel
    site: Site
    windows: Sequence[list[int]]
    mean_D: Tensor
    """(D,) the mean ablation's value."""
    typical_norm: float


def model_of(store: ActivationStore, device: str) -> LanguageModel | None:
    """Return the model that made a store; None for imported activations.

    Raises UserError when the model of that name is not the one the store was made with.
    """
    if not store.info.model:
        return None
    lm = load_model(store.info.model, device)
    if store.info.model_revision and lm.revision != store.info.model_revision:
        raise UserError(
            f"The store “{store.folder.name}” was made with another version of the model "
            f"“{store.info.model}” than the one here.",
            kept="Nothing was changed.",
            next_step="Harvest again with this model, or bring the other one back.",
        )
    return lm


def splice_text(
    lm: LanguageModel, store: ActivationStore, site: str, *, windows: int, first_row: int
) -> SpliceText:
    """Take the first long enough windows at or after a row (else the store's last ones)."""
    table = store.windows
    usable = table[table["length"] >= min(_SHORTEST_WINDOW, int(table["length"].max()))]
    held_out = usable[usable["first_row"] >= first_row]
    chosen = (held_out if len(held_out) else usable)[:windows]
    tokens = store.tokens
    texts = []
    for window in chosen:
        begin = int(window["first_row"])
        ids = tokens[begin : begin + int(window["length"])].tolist()
        bos = store.info.bos_prepended and not store.info.keep_first and lm.bos_id is not None
        texts.append([lm.bos_id, *ids] if bos else ids)
    norms = store.norms(site)[:100_000]
    sample = store.read(0, min(store.rows, 20_000), site).astype(np.float32)
    median = float(np.median(norms))
    sample = sample[norms[: len(sample)] <= MASSIVE_NORM * median]
    return SpliceText(
        lm, parse_site(site), texts, torch.from_numpy(sample.mean(axis=0)).to(lm.device), median
    )


def measure_losses(text: SpliceText, dictionary: Dictionary) -> SpliceLosses:
    """Return the model's losses as it is, with the reconstruction, with zeros, with the mean."""
    own = dictionary.to(text.lm.device)

    def splice(x: Tensor) -> Tensor:
        return own.decode(own.encode(x))

    return SpliceLosses(
        clean=_loss(text, None),
        spliced=_loss(text, splice),
        zero=_loss(text, torch.zeros_like),
        mean=_loss(text, lambda x: text.mean_D.expand_as(x)),
    )


def spliced_loss(text: SpliceText, dictionary: Dictionary, base: SpliceLosses) -> SpliceLosses:
    """Return `base` with the loss of another dictionary in place of its own."""
    own = dictionary.to(text.lm.device)
    spliced = _loss(text, lambda x: own.decode(own.encode(x)))
    return SpliceLosses(base.clean, spliced, base.zero, base.mean)


def _loss(text: SpliceText, replace: Callable[[Tensor], Tensor] | None) -> float:
    total, count = 0.0, 0
    for begin in range(0, len(text.windows), _BATCH):
        ids, mask = _pad(text.windows[begin : begin + _BATCH], text.lm.device)
        with text.lm.lock, torch.no_grad():
            if replace is None:
                logits = text.lm.model(input_ids=ids, attention_mask=mask).logits
            else:
                with intervention(text.lm, text.site, _after_first(text, replace)):
                    logits = text.lm.model(input_ids=ids, attention_mask=mask).logits
        targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
        total += float(
            torch.nn.functional.cross_entropy(
                logits[:, :-1].float().flatten(0, 1), targets.flatten(), reduction="sum"
            )
        )
        count += int((targets != -100).sum())
    return total / max(count, 1)


def _after_first(
    text: SpliceText, replace: Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    def transform(x_BSD: Tensor) -> Tensor:
        changed = replace(x_BSD)
        massive = x_BSD.norm(dim=-1, keepdim=True) > MASSIVE_NORM * text.typical_norm
        changed = torch.where(massive, x_BSD, changed)
        return torch.cat([x_BSD[:, :1], changed[:, 1:]], dim=1)

    return transform


def _pad(windows: Sequence[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(window) for window in windows)
    ids = torch.zeros(len(windows), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for number, window in enumerate(windows):
        ids[number, : len(window)] = torch.tensor(window)
        mask[number, : len(window)] = 1
    return ids.to(device), mask.to(device)
