"""What steering does to activations (Scaling Monosemanticity, steering).

Shape legend in names: B sequences, S tokens, D width of the site, n interventions on a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.steering.config import Mode, Where

FOREVER = 2**62


@dataclass(frozen=True)
class Change:
    """One intervention made ready for a site; `Intervention` says what it does."""

    mode: Mode
    amount: float
    """v of clamp and c of add, in units of activation; the factor of multiply."""
    direction_D: Tensor
    """Of length one, float32."""
    feature: int | None
    """Whose activation a is; None: a is x·d."""
    where: Where = "all"
    start: int = 0
    tokens: tuple[int, ...] = ()
    in_activations: bool = False
    """Whether `amount` is in the units of the dictionary's activations, not of the site's values:
    the same but for one that normalises rows."""


class Positions:
    """Which token of its text each column of a forward pass is.

    Rows may be padded on the left, and begin with special tokens, which count below 0: the
    first token of a sequence is an attention sink of enormous norm that means nothing about the
    text, and a model whose sink is moved falls apart whatever the feature.
    """

    def __init__(self, pads: Sequence[int], specials: int, prompts: Sequence[int]) -> None:
        """`pads` and `prompts` (B,): columns before each row's first token, tokens of its prompt.

        `specials`: tokens before the prompt, the same in each row.
        """
        self._specials = specials
        self._first = torch.tensor(pads) + specials
        self._prompts = torch.tensor(prompts)
        self._begin = 0

    def padded(self, pads: Sequence[int]) -> Positions:
        """Return the positions of the same rows with other padding before them."""
        return Positions(pads, self._specials, self._prompts.tolist())

    def begin(self, column: int) -> None:
        """Say which column of the whole sequence the next forward pass begins with."""
        self._begin = column

    def mask(self, change: Change, row: int, count: int) -> Tensor:
        """Return (S,) bool: the tokens of the pass on which a change works."""
        token = torch.arange(count) + self._begin - int(self._first[row])
        if change.tokens:
            return torch.isin(token, torch.tensor(change.tokens))
        prompt = int(self._prompts[row])
        low = 0 if change.where != "output" else prompt
        high = FOREVER if change.where != "prompt" else prompt
        return (token >= max(low, change.start)) & (token < high)


class _RowChanges:
    """The changes of one row at one site, as matrices."""

    def __init__(self, changes: Sequence[Change], dictionary: Dictionary, device: torch.device):
        self.changes = list(changes)
        self._dictionary = dictionary
        self._directions_nD = torch.stack([c.direction_D for c in changes]).float().to(device)
        place = dictionary.device
        features = [c.feature for c in changes if c.feature is not None]
        self._ids_f = torch.tensor(features, dtype=torch.int64, device=place)
        self._in_activations_n = torch.tensor([c.in_activations for c in changes], device=device)
        self._of_feature_n = torch.tensor([c.feature is not None for c in changes], device=device)
        self._amounts_n = torch.tensor([c.amount for c in changes], device=device)
        # c = amount·(add or clamp) + a·(multiply's amount − 1; −1 for clamp and ablate)
        self._constant_n = torch.tensor([c.mode in ("add", "clamp") for c in changes]).to(device)
        slope = {"add": 0.0, "clamp": -1.0, "ablate": -1.0}
        self._slope_n = torch.tensor(
            [c.amount - 1 if c.mode == "multiply" else slope[c.mode] for c in changes]
        ).to(device)

    def coefficients(self, x_SD: Tensor) -> Tensor:
        """Return c of each change at each token, (S, n), in the units of x."""
        worth_S1 = self._dictionary.row_scale(x_SD).float().to(x_SD.device)
        acts_Sn = torch.zeros(len(x_SD), len(self.changes), device=x_SD.device)
        if len(self._ids_f):
            found = self._dictionary.encode_features(x_SD, self._ids_f)
            acts_Sn[:, self._of_feature_n] = found.float().to(x_SD.device) * worth_S1
        if len(self._ids_f) < len(self.changes):
            raw = ~self._of_feature_n
            acts_Sn[:, raw] = x_SD @ self._directions_nD[raw].T
        amounts_Sn = torch.where(
            self._in_activations_n, self._amounts_n * worth_S1, self._amounts_n
        )
        return amounts_Sn * self._constant_n + self._slope_n * acts_Sn

    def change(self, x_SD: Tensor, mask_Sn: Tensor) -> Tensor:
        """Return what is added to x, (S, D)."""
        return (self.coefficients(x_SD) * mask_Sn) @ self._directions_nD


class SteeredSite:
    """The transform of one site for a batch (B, S, D), each row with changes of its own.

    x' = x + Σ cᵢ·dᵢ: for a clamp that is the reconstruction with the feature set to its value
    plus the untouched error. All c are those of x as it comes in.
    """

    def __init__(
        self, rows: Sequence[Sequence[Change]], dictionary: Dictionary, device: torch.device
    ) -> None:
        """`rows` (B,): the changes of each; none: the row stays as it is."""
        self._rows = [_RowChanges(r, dictionary, device) if r else None for r in rows]

    def transform(
        self, positions: Positions, told: Callable[[int, Tensor], None] | None = None
    ) -> Callable[[Tensor], Tensor]:
        """Return the transform for rows that stand in a batch as `positions` says.

        `told` gets a row's number and the lengths of what was added to its changed tokens.
        """

        def transform(x_BSD: Tensor) -> Tensor:
            out = x_BSD.clone()
            for number, row in enumerate(self._rows):
                if row is None:
                    continue
                masks = [positions.mask(c, number, x_BSD.shape[1]) for c in row.changes]
                mask_Sn = torch.stack(masks, dim=1).to(x_BSD.device)
                changed = mask_Sn.any(dim=1)
                if not changed.any():
                    continue
                added = row.change(x_BSD[number], mask_Sn)[changed]
                # Tokens left alone stay so bit for bit.
                out[number, changed] += added
                if told is not None:
                    told(number, added.norm(dim=-1))
            return out

        return transform
