"""Loss recovered: what the model still predicts when a dictionary stands in for a site.

What a dictionary reads is taken from the model as it is; in a second pass what it writes takes
the place of its output sites: the site itself for a plain dictionary, an MLP's output for a
transcoder, all its layers for a crosscoder. So are the ablations beside it, by zeros and by the
mean. A window's first token is left as it is, an attention sink that no dictionary is trained
on, and so are massive rows.

Shape legend: B windows, S tokens, V vocabulary, D width of a site, N predicted tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import MASSIVE_NORM
from sae_desktop.language_model.load import LanguageModel, require_causal
from sae_desktop.language_model.same_model import load_recorded
from sae_desktop.language_model.sites.capture import watch
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site, hook_point, parse_site
from sae_desktop.training.rows.data import Rows, held_out_windows

_BATCH = 16
_LOGITS_AT_ONCE = 2**25
_ACTIVATIONS_AT_ONCE = 2**25
_SHORTEST_WINDOW = 16
_NORM_ROWS = 100_000
_MEAN_ROWS = 20_000


@dataclass(frozen=True)
class SpliceLosses:
    """Cross-entropies in nats a token, and KL divergences from the clean prediction.

    All are means over the same tokens. KL is Σ p log(p/q) over the vocabulary, p the model's
    next-token distribution as it is, q the one with the site replaced.
    """

    clean: float
    spliced: float
    zero: float
    mean: float
    kl: float
    kl_zero: float
    kl_mean: float

    @property
    def recovered(self) -> float:
        """(zero − spliced) / (zero − clean): 1 for a perfect dictionary, 0 for none."""
        return self._share(self.zero)

    @property
    def recovered_mean(self) -> float:
        """(mean − spliced) / (mean − clean): the same counted from mean ablation."""
        return self._share(self.mean)

    def _share(self, ablated: float) -> float:
        gap = ablated - self.clean
        return (ablated - self.spliced) / gap if gap else float("nan")


@dataclass(frozen=True)
class SpliceText:
    """Windows of token ids, each with the BOS it had, for measuring losses on."""

    lm: LanguageModel
    inputs: Sequence[Site]
    outputs: Sequence[Site]
    windows: Sequence[list[int]]
    typical_norms: Sequence[float]
    """The median norm at each input."""
    means: Sequence[Tensor]
    """(D,) each: the mean ablation's value at each output."""


class _Figures(NamedTuple):
    loss: float
    kl: float


# From what was read at the inputs, (B, S, D) each, to what is put at the outputs.
_Change = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def model_of(store: ActivationStore, device: str) -> LanguageModel | None:
    """Return the model that made a store; None for imported activations, and for an encoder of
    pictures, which reads no text.

    Raises UserError when it is not here, or another one is in its place.
    """
    if not store.info.model or (store.info.pictures and not store.info.tokenizer_hash):
        return None
    project = store.folder.parent.parent
    what = f"store:{store.folder.name}"
    return load_recorded(what, store.mark, project, device, store.info.model_dtype)


def splice_text(
    lm: LanguageModel,
    store: ActivationStore,
    sites: str | Sequence[str],
    *,
    outputs: Sequence[str] = (),
    windows: int,
    rows: Rows,
) -> SpliceText | None:
    """Take the first long enough windows of held-out rows; where there is none, of the store.

    Windows with pictures are passed over, since a store does not say what the model was given of
    them: None where there are no others. `sites` are what a dictionary reads, `outputs` what it
    writes; (): the same. All of them must be in the store. Raises UserError for one that is not,
    and for an encoder.
    """
    require_causal(lm, "The loss recovered")
    inputs = (sites,) if isinstance(sites, str) else tuple(sites)
    written = tuple(outputs) or inputs
    table = _of_text_alone(store, store.windows)
    if not len(table):
        return None
    least = min(_SHORTEST_WINDOW, int(table["length"].max()))
    held_out = _of_text_alone(store, held_out_windows(store, rows))
    held_out = held_out[held_out["length"] >= least]
    chosen = (held_out if len(held_out) else table[table["length"] >= least])[:windows]
    texts = [_window_ids(lm, store, window) for window in chosen]
    return SpliceText(
        lm=lm,
        inputs=[parse_site(site) for site in inputs],
        outputs=[parse_site(site) for site in written],
        windows=texts,
        typical_norms=[_typical_norm(store, site) for site in inputs],
        means=[_mean(store, site).to(lm.device) for site in written],
    )


def _of_text_alone(store: ActivationStore, windows: Any) -> Any:
    """Return the windows, entries of a store's table, that have no picture."""
    if not len(store.pictures):
        return windows
    counts = np.concatenate([[0], np.cumsum(store.pictures.of_rows() >= 0)])
    ends = windows["first_row"] + windows["length"]
    return windows[counts[ends] == counts[windows["first_row"]]]


def _window_ids(lm: LanguageModel, store: ActivationStore, window: Any) -> list[int]:
    """Return what the model read as a window, special tokens included."""
    ids = store.window_ids(window)
    known = store.info.prefix or store.info.keep_first or not store.info.bos_prepended
    # A store of the first schema does not name the token that begins its windows.
    return ids if known or lm.bos_id is None else [lm.bos_id, *ids]


def _typical_norm(store: ActivationStore, site: str) -> float:
    return float(np.median(store.norms(site)[:_NORM_ROWS]))


def _mean(store: ActivationStore, site: str) -> Tensor:
    """The mean over rows that are not massive."""
    sample = store.read(0, min(store.rows, _MEAN_ROWS), site).astype(np.float32)
    norms = store.norms(site)[: len(sample)]
    usable = sample[norms <= MASSIVE_NORM * _typical_norm(store, site)]
    return torch.from_numpy(usable.mean(axis=0))


def measure_losses(
    text: SpliceText, dictionary: Dictionary, between: Callable[[], None] = lambda: None
) -> SpliceLosses:
    """Return the model's losses as it is, with the reconstruction, with zeros, with the mean.

    `between` is called before every batch of windows, and may raise.
    """
    changes = {
        "spliced": _reconstruct(text, dictionary),
        "zero": _ablate([torch.zeros_like(mean) for mean in text.means]),
        "mean": _ablate(text.means),
    }
    found = _measure(text, changes, between)
    return SpliceLosses(
        clean=found["clean"].loss,
        spliced=found["spliced"].loss,
        zero=found["zero"].loss,
        mean=found["mean"].loss,
        kl=found["spliced"].kl,
        kl_zero=found["zero"].kl,
        kl_mean=found["mean"].kl,
    )


def spliced_loss(
    text: SpliceText,
    dictionary: Dictionary,
    base: SpliceLosses,
    between: Callable[[], None] = lambda: None,
) -> SpliceLosses:
    """Return `base` with loss and KL of another dictionary in place of its own."""
    found = _measure(text, {"spliced": _reconstruct(text, dictionary)}, between)["spliced"]
    return replace(base, spliced=found.loss, kl=found.kl)


def _reconstruct(text: SpliceText, dictionary: Dictionary) -> _Change:
    own = dictionary.to(text.lm.device)
    rows = max(1, _ACTIVATIONS_AT_ONCE // own.features)
    widths = [len(mean) for mean in text.means]

    def change(x: Sequence[Tensor]) -> Sequence[Tensor]:
        read_BSI = torch.cat(list(x), dim=-1)
        pieces = torch.split(read_BSI.flatten(0, 1), rows)
        written = torch.cat([own.apply(piece) for piece in pieces])
        return torch.split(written.reshape(*read_BSI.shape[:2], -1), widths, dim=-1)

    return change


def _ablate(values: Sequence[Tensor]) -> _Change:
    return lambda x: [value.expand(*x[0].shape[:2], -1) for value in values]


def _measure(
    text: SpliceText, changes: Mapping[str, _Change], between: Callable[[], None]
) -> dict[str, _Figures]:
    """Return loss and KL for the model as it is (“clean”) and with each change."""
    totals = {name: [0.0, 0.0] for name in ("clean", *changes)}
    count = 0
    longest = max((len(window) for window in text.windows), default=1)
    vocabulary = int(text.lm.model.get_input_embeddings().num_embeddings)
    batch = min(_BATCH, max(1, _LOGITS_AT_ONCE // (longest * vocabulary)))
    for begin in range(0, len(text.windows), batch):
        between()
        ids, mask = _pad(text.windows[begin : begin + batch], text.lm.device)
        predicted = mask[:, 1:] > 0
        targets_N = ids[:, 1:][predicted]
        with text.lm.lock, torch.no_grad():
            read: list[Tensor] = []
            clean_NV = _predict(text, ids, mask, predicted, _read_into(text, read, ids.shape))
            totals["clean"][0] += _cross_entropy(clean_NV, targets_N)
            keep = _kept(text, read)
            for name, change in changes.items():
                put = _put(text, change(read), keep)
                log_NV = _predict(text, ids, mask, predicted, put)
                totals[name][0] += _cross_entropy(log_NV, targets_N)
                totals[name][1] += float(
                    torch.nn.functional.kl_div(log_NV, clean_NV, reduction="sum", log_target=True)
                )
        count += len(targets_N)
    return {name: _Figures(*(t / max(count, 1) for t in total)) for name, total in totals.items()}


def _predict(
    text: SpliceText,
    ids: Tensor,
    mask: Tensor,
    predicted: Tensor,
    enter: Callable[[ExitStack], None],
) -> Tensor:
    """Return log-probabilities (N, V) of what follows each token that something follows."""
    with ExitStack() as stack:
        enter(stack)
        logits = text.lm.model(input_ids=ids, attention_mask=mask).logits
    return torch.log_softmax(logits[:, :-1][predicted].float(), dim=-1)


def _read_into(
    text: SpliceText, read: list[Tensor], shape: torch.Size
) -> Callable[[ExitStack], None]:
    """Have the value at each input appended to `read`, in the order of the inputs."""
    found: dict[int, Tensor] = {}

    def enter(stack: ExitStack) -> None:
        for number, site in enumerate(text.inputs):
            keeper = _Keeper(found, number, shape, text.lm.device)
            handle = watch(hook_point(text.lm.model, site), keeper)
            stack.callback(handle.remove)
        stack.callback(lambda: read.extend(found[number] for number in sorted(found)))

    return enter


class _Keeper:
    def __init__(
        self, found: dict[int, Tensor], number: int, shape: torch.Size, device: torch.device
    ) -> None:
        self._found, self._number, self._shape, self._device = found, number, shape, device

    def __call__(self, value: Tensor) -> None:
        # Some layers flatten windows and tokens into one, and some lie on another device.
        x = value.detach().to(self._device, torch.float32)
        self._found[self._number] = x.reshape(*self._shape, -1)


def _kept(text: SpliceText, read: Sequence[Tensor]) -> Tensor:
    """(B, S, 1) bool: tokens whose outputs are left as they are."""
    kept = torch.zeros(*read[0].shape[:2], 1, dtype=torch.bool, device=read[0].device)
    kept[:, 0] = True
    for x, typical in zip(read, text.typical_norms, strict=True):
        kept |= x.norm(dim=-1, keepdim=True) > MASSIVE_NORM * typical
    return kept


def _put(text: SpliceText, values: Sequence[Tensor], keep: Tensor) -> Callable[[ExitStack], None]:
    def enter(stack: ExitStack) -> None:
        for site, value in zip(text.outputs, values, strict=True):
            stack.enter_context(intervention(text.lm, site, _Put(value, keep)))

    return enter


class _Put:
    def __init__(self, value: Tensor, keep: Tensor) -> None:
        self._value, self._keep = value, keep

    def __call__(self, x_BSD: Tensor) -> Tensor:
        return torch.where(self._keep.to(x_BSD.device), x_BSD, self._value.to(x_BSD.device))


def _cross_entropy(log_NV: Tensor, targets_N: Tensor) -> float:
    return float(torch.nn.functional.nll_loss(log_NV, targets_N, reduction="sum"))


def _pad(windows: Sequence[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(window) for window in windows)
    ids = torch.zeros(len(windows), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for number, window in enumerate(windows):
        ids[number, : len(window)] = torch.tensor(window)
        mask[number, : len(window)] = 1
    return ids.to(device), mask.to(device)
