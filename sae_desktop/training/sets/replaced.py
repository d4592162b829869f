"""What a model still predicts when a set stands in for its MLPs, all of them in the same pass.

Each dictionary reads what its layer is given by then, so errors of early layers reach late ones, as
they do in an attribution graph without its error nodes. A window's first token and massive rows
are left as they are, as in `measuring/splice`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import MASSIVE_NORM
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import watch
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import hook_point
from sae_desktop.training.measuring.splice import SpliceText

_ROWS_AT_ONCE = 4096


class Replaced(NamedTuple):
    """Cross-entropies in nats per token, and the divergence from the model's own prediction."""

    clean: float
    replaced: float
    zero: float
    """With the MLPs' outputs set to 0."""
    kl: float

    @property
    def recovered(self) -> float:
        """(zero − replaced) / (zero − clean)."""
        gap = self.zero - self.clean
        return (self.zero - self.replaced) / gap if gap else float("nan")


@dataclass
class _Pass:
    """What the dictionaries have read and written in one forward pass."""

    text: SpliceText
    layers: Sequence[Dictionary]
    """A dictionary for each input; of a cross-layer transcoder its blocks."""
    b_dec: Sequence[Tensor] | None
    """Of a cross-layer transcoder, for each output."""
    read: dict[int, Tensor]
    pending: dict[int, Tensor]

    def keeper(self, number: int) -> Callable[[Tensor], None]:
        def keep(value: Tensor) -> None:
            self.read[number] = value.detach().to(self.text.lm.device, torch.float32)

        return keep

    def writer(self, number: int) -> Callable[[Tensor], Tensor]:
        def write(y_BSD: Tensor) -> Tensor:
            x_BSD = self.read[number].reshape(*y_BSD.shape[:2], -1)
            norms = x_BSD.norm(dim=-1, keepdim=True)
            keep = norms > MASSIVE_NORM * self.text.typical_norms[number]
            keep[:, 0] = True
            written = self._written(number, x_BSD).reshape(y_BSD.shape)
            return torch.where(keep.to(y_BSD.device), y_BSD, written.to(y_BSD))

        return write

    def _written(self, number: int, x_BSD: Tensor) -> Tensor:
        own, width = self.layers[number], len(self.text.means[number])
        pieces = torch.split(x_BSD.flatten(0, 1), _ROWS_AT_ONCE)
        found = torch.cat([own.apply(piece) for piece in pieces])
        if self.b_dec is None:
            return found
        for later, part in enumerate(torch.split(found, width, dim=1), number):
            self.pending[later] = self.pending[later] + part if later in self.pending else part
        return self.pending[number] + self.b_dec[number]


def measure_replaced(
    text: SpliceText,
    dictionaries: Sequence[Dictionary] | CrossLayerDictionary,
    between: Callable[[], None] = lambda: None,
) -> Replaced:
    """Return the losses of a model with dictionaries for all of the text's inputs in place.

    `between` is called before every window, and may raise.
    """
    totals = torch.zeros(4, dtype=torch.float64)
    count = 0
    for window in text.windows:
        between()
        ids = torch.tensor([window], device=text.lm.device)
        targets_N = ids[0, 1:]
        clean_NV = _predict(text.lm, ids, ExitStack())
        replaced_NV = _predict(text.lm, ids, _in_place(text, _pass(text, dictionaries)))
        zero_NV = _predict(text.lm, ids, _ablated(text))
        losses = [
            torch.nn.functional.nll_loss(log_NV, targets_N, reduction="sum")
            for log_NV in (clean_NV, replaced_NV, zero_NV)
        ]
        kl = torch.nn.functional.kl_div(replaced_NV, clean_NV, reduction="sum", log_target=True)
        totals += torch.stack([*losses, kl]).cpu().double()
        count += len(targets_N)
    return Replaced(*(float(total) / max(count, 1) for total in totals))


def _pass(text: SpliceText, dictionaries: Sequence[Dictionary] | CrossLayerDictionary) -> _Pass:
    if isinstance(dictionaries, CrossLayerDictionary):
        own = dictionaries.to(text.lm.device)
        b_dec = torch.split(own.b_dec, list(own.parts))
        return _Pass(text, own.blocks, b_dec, {}, {})
    return _Pass(text, [one.to(text.lm.device) for one in dictionaries], None, {}, {})


def _in_place(text: SpliceText, during: _Pass) -> ExitStack:
    stack = ExitStack()
    for number, (read, written) in enumerate(zip(text.inputs, text.outputs, strict=True)):
        handle = watch(hook_point(text.lm.model, read), during.keeper(number))
        stack.callback(handle.remove)
        stack.enter_context(intervention(text.lm, written, during.writer(number)))
    return stack


def _ablated(text: SpliceText) -> ExitStack:
    stack = ExitStack()

    def zero(y_BSD: Tensor) -> Tensor:
        gone = torch.zeros_like(y_BSD)
        gone[:, 0] = y_BSD[:, 0]
        return gone

    for written in text.outputs:
        stack.enter_context(intervention(text.lm, written, zero))
    return stack


def _predict(lm: LanguageModel, ids: Tensor, hooks: ExitStack) -> Tensor:
    """Return log-probabilities (N, V) of what follows each token but the last."""
    with hooks, lm.lock, torch.no_grad():
        logits = lm.model(input_ids=ids).logits
    return torch.log_softmax(logits[0, :-1].float(), dim=-1)
