"""The same texts through each checkpoint: what stands at a site, how well each predicts them.

Two models are in memory at a time, a checkpoint and the one before. N texts, S tokens of each, D
width of the site, V vocabulary, P first positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.windows import windows
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel, load_model, require_causal
from sae_desktop.language_model.sites.capture import watch, wide
from sae_desktop.language_model.sites.resolve import Site, check_site, hook_point, site_width
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows

FIRST = 5
"""Tokens of random text at whose activations a fine-tune shows (Minder et al., 2025, arXiv
2510.13900)."""
FEWEST_TEXTS = 8
BATCH = 16


@dataclass(frozen=True)
class Texts:
    """Windows of one length, each of another document."""

    ids_NS: Tensor
    specials: int
    """Tokens before each text, such as BOS; nothing is measured there."""

    @property
    def measured(self) -> slice:
        return slice(self.specials, None)

    @property
    def first(self) -> slice:
        return slice(self.specials, self.specials + FIRST)


@dataclass(frozen=True)
class Reading:
    """What one checkpoint makes of the texts."""

    lm_name: str
    identity: str
    x_NSD: Tensor
    """float32, on the CPU."""
    loss_N: Tensor
    """Nats per token."""
    kl: float
    """From the checkpoint before; of the first, 0."""
    shift_V: Tensor
    """Mean change of the log probability of every token since the checkpoint before."""
    highest_V: Tensor
    """The largest log probability of every token anywhere in the texts."""


def read_texts(lm: LanguageModel, corpus: str, texts: int, context_size: int) -> Texts:
    """Return windows of a corpus. Raises UserError where there are too few documents as long."""
    settings = CorpusSettings(corpus=corpus or "builtin", context_size=context_size)
    plan = plan_windows(lm, settings, minimum=context_size)
    kept: list[list[int]] = []
    seen: set[int] = set()
    held = []
    for window in windows(plan, document_encoder(lm, settings)):
        document = window.spans[0].document
        if id(document) in seen:
            continue
        seen.add(id(document))
        held.append(document)  # so that no other takes its id
        kept.append(window.ids)
        if len(kept) == texts:
            break
    if len(kept) < FEWEST_TEXTS:
        raise UserError(
            f"The text “{corpus or 'builtin'}” has {len(kept)} documents of {context_size} tokens, "
            f"and at least {FEWEST_TEXTS} are needed.",
            next_step="Use fewer tokens per text, or another text.",
        )
    return Texts(torch.tensor(kept), len(plan.prefix))


def open_checkpoints(
    names: Sequence[str], device: str, context: JobContext
) -> Iterator[tuple[LanguageModel, LanguageModel | None]]:
    """Yield each checkpoint in turn, with the one before.

    Raises UserError where they cannot be checkpoints of one model: two are the same, sizes or
    tokenizers differ, or one predicts no next token.
    """
    first: LanguageModel | None = None
    before: LanguageModel | None = None
    seen: dict[str, str] = {}
    shape: tuple[object, ...] = ()
    for name in names:
        context.check_cancelled()
        lm = load_model(name, device, beside=[before] if before else [])
        require_causal(lm, "A comparison of checkpoints")
        if lm.revision in seen:
            raise UserError(
                f"“{name}” and “{seen[lm.revision]}” are the same checkpoint: their weights are "
                "equal.",
                kept="Nothing was changed.",
                next_step="Name each checkpoint once.",
            )
        seen[lm.revision] = name
        if first is None:
            first, shape = lm, _shape(lm)
        _require_alike(names[0], shape, lm)
        yield lm, before
        before = lm


_PARTS = ("tokens in its vocabulary", "layers", "numbers wide", "tokenizer")


def _shape(lm: LanguageModel) -> tuple[object, ...]:
    return lm.vocabulary_size, lm.layers, lm.width, lm.tokenizer_hash


def _require_alike(first: str, shape: tuple[object, ...], lm: LanguageModel) -> None:
    for part, one, other in zip(_PARTS, shape, _shape(lm), strict=True):
        if one == other:
            continue
        how = (
            "their tokenizers differ"
            if part == "tokenizer"
            else f"one has {one:,} {part}, the other {other:,}"
            if part != "numbers wide"
            else f"one is {one:,} {part}, the other {other:,}"
        )
        raise UserError(
            f"“{lm.name}” is not a checkpoint of the same model as “{first}”: {how}.",
            kept="Nothing was changed.",
            next_step="Name checkpoints of one model, saved with its tokenizer.",
        )


def read_checkpoint(
    lm: LanguageModel, before: LanguageModel | None, texts: Texts, site: Site, context: JobContext
) -> Reading:
    """Return what a checkpoint makes of the texts, with KL and shift from the one before."""
    check_site(lm.model, site)
    found = torch.zeros(*texts.ids_NS.shape, site_width(lm.model, site))
    losses, shift_V = [], torch.zeros(lm.vocabulary_size)
    highest_V = torch.full((lm.vocabulary_size,), -torch.inf)
    total_kl, count = 0.0, 0
    for begin in range(0, len(texts.ids_NS), BATCH):
        context.check_cancelled()
        ids_BS = texts.ids_NS[begin : begin + BATCH]
        log_q, x_BSD = _predict(lm, ids_BS, site)
        found[begin : begin + BATCH] = x_BSD.cpu()
        losses.append(_losses(log_q, ids_BS, texts.specials))
        here_V = log_q[:, texts.measured].flatten(0, 1).max(dim=0).values
        highest_V = torch.maximum(highest_V, here_V.cpu())
        if before is not None:
            log_p, _ = _predict(before, ids_BS, None)
            log_p, log_q = log_p[:, texts.measured], log_q[:, texts.measured]
            total_kl += float((log_p.exp() * (log_p - log_q)).sum())
            shift_V += (log_q - log_p).flatten(0, 1).sum(dim=0).cpu()
            count += log_p.shape[0] * log_p.shape[1]
    return Reading(
        lm.name, lm.revision, found, torch.cat(losses), total_kl / max(count, 1),
        shift_V / max(count, 1), highest_V,
    )  # fmt: skip


def _predict(lm: LanguageModel, ids_BS: Tensor, site: Site | None) -> tuple[Tensor, Tensor]:
    """Return log-probabilities (B, S, V) and the values (B, S, D) at a site."""
    seen: list[Tensor] = []
    with lm.lock, torch.no_grad():
        handle = watch(hook_point(lm.model, site), seen.append) if site is not None else None
        try:
            logits = wide(lm.model(input_ids=ids_BS.to(lm.device), use_cache=False).logits)
        finally:
            if handle is not None:
                handle.remove()
    x = seen[0].detach().float().reshape(*ids_BS.shape, -1) if seen else logits[..., :0]
    return logits.log_softmax(-1), x


def _losses(log_q: Tensor, ids_BS: Tensor, specials: int) -> Tensor:
    """Return (B,) mean losses of the tokens after the special ones."""
    first = max(specials, 1)
    predicted = log_q[:, first - 1 : -1]
    wanted = ids_BS[:, first:].to(predicted.device)
    return -predicted.gather(-1, wanted[..., None]).squeeze(-1).mean(dim=1).cpu()
