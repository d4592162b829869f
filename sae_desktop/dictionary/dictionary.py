"""A trained dictionary, ready to be applied to raw activations."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from sae_desktop.dictionary.kernels import Active
from sae_desktop.dictionary.refinement import Refinement
from sae_desktop.dictionary.selection import true_places

RowNorm = Literal["none", "constant", "layer"]
"""How each row is normalised before it is read: not at all; to length √I; or to mean 0 and
standard deviation 1. What is written is scaled back."""
_LAYER_EPS = 1e-5
_TINY = 1e-12


class Dictionary:
    """F features that read a site of width I and write one of width O, everything folded in.

    Input scaling and decoder norms are folded into the weights: the decoder rows have norm
    one, so an activation is what Scaling Monosemanticity calls f_i·‖W_dec,i‖, in the units
    of the raw activations.

        encode:  a = ReLU(x·W_enc + b_enc), and 0 where a ≤ threshold if there is one,
                 and 0 but for the k largest a·rank of each row if there is a k; of a grouped
                 one for the largest of each of k equal runs of features
        decode:  x̂ = a·W_dec + b_dec  (+ x·W_skip for a skip transcoder)

    Some dictionaries made elsewhere normalise each row first (`row_norm`): then x above is the
    normalised row, and an activation is in units of `row_scale`.

    One with a `refinement` reads a second time what the first reading left over, or drops the
    features that a row does not need beside the others.

    A plain dictionary writes to the site it reads. A crosscoder's rows are those of several
    sites side by side, their widths in `parts`.
    """

    def __init__(
        self,
        W_enc: Tensor,
        b_enc: Tensor,
        W_dec: Tensor,
        b_dec: Tensor,
        threshold: Tensor | None = None,
        *,
        k: int | None = None,
        rank: Tensor | None = None,
        grouped: bool = False,
        W_skip: Tensor | None = None,
        parts: tuple[int, ...] = (),
        row_norm: RowNorm = "none",
        refinement: Refinement | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take W_enc (I, F), b_enc (F,), W_dec (F, O), b_dec (O,), threshold (F,), W_skip (I, O).

        `rank` (F,): what activations are multiplied by before the k largest are chosen; none: 1.
        Raises ValueError when they do not fit together.
        """
        width, features = W_enc.shape
        out_width = W_dec.shape[-1]
        shapes = {
            "W_dec": (W_dec.shape, (features, out_width)),
            "b_enc": (b_enc.shape, (features,)),
            "b_dec": (b_dec.shape, (out_width,)),
        }
        if W_skip is not None:
            shapes["W_skip"] = (W_skip.shape, (width, out_width))
        if threshold is not None:
            shapes["threshold"] = (threshold.shape, (features,))
        if rank is not None:
            shapes["rank"] = (rank.shape, (features,))
        if refinement is not None:
            if out_width != width or W_skip is not None or row_norm != "none" or k is not None:
                raise ValueError(
                    "only a dictionary with thresholds that writes what it reads, "
                    "and does not normalise rows, can read a second time"
                )
            if refinement.first_threshold is not None:
                shapes["first_threshold"] = (refinement.first_threshold.shape, (features,))
        if grouped and (not k or features % k):
            raise ValueError(f"{features} features cannot be divided into {k} equal groups")
        for name, (found, wanted) in shapes.items():
            if tuple(found) != wanted:
                raise ValueError(f"{name} has shape {tuple(found)}, not {wanted}")
        self.W_enc = W_enc
        self.b_enc = b_enc
        self.W_dec = W_dec
        self.b_dec = b_dec
        self.threshold = threshold
        self.k = k
        self.rank = rank
        self.grouped = grouped
        self.W_skip = W_skip
        self.parts = parts
        self.row_norm = row_norm
        self.refinement = refinement
        self.metadata: dict[str, Any] = metadata or {}

    @property
    def features(self) -> int:
        """F."""
        return int(self.W_enc.shape[1])

    @property
    def width(self) -> int:
        """I, the width of the rows it reads."""
        return int(self.W_enc.shape[0])

    @property
    def out_width(self) -> int:
        """O, the width of the rows it writes."""
        return int(self.W_dec.shape[1])

    @property
    def transcodes(self) -> bool:
        """Whether its weights alone show that it writes another site than it reads."""
        return self.W_skip is not None or self.out_width != self.width

    @property
    def device(self) -> torch.device:
        return self.W_enc.device

    @property
    def separable(self) -> bool:
        """Whether a feature's activation depends on its own weights alone."""
        return self.k is None and self.refinement is None

    def encode(self, x: Tensor) -> Tensor:
        """Return the activations (…, F) of raw model activations x (…, I)."""
        if self.refinement is not None:
            rows = self._cast(x).reshape(-1, self.width)
            return self._refined(rows, self.refinement).reshape(*x.shape[:-1], self.features)
        activations = self._activate(
            torch.nn.functional.linear(self._read(x), self.W_enc.T, self.b_enc), self.threshold
        )
        if self.k is not None:
            ranked = activations if self.rank is None else activations * self.rank
            largest = largest_of_each_group if self.grouped else largest_of_each_row
            activations *= largest(ranked, self.k)
        return activations

    def _refined(self, x_RI: Tensor, refinement: Refinement) -> Tensor:
        """Return the activations (R, F) of rows, after a second look at what is left over."""
        read = x_RI
        if refinement.step:
            first = self._first_reading(x_RI, refinement.first_threshold)
            read = x_RI + refinement.step * self._left_over(x_RI, first)
        activations = self._first_reading(read, self.threshold)
        if not refinement.leave_one_out:
            return activations
        with torch.no_grad():
            active = _active_pairs(activations)
            values = activations.view(-1)[active.row * self.features + active.col]
            alone = active.dots(self._left_over(x_RI, activations), self.W_dec) + values
            least = 0.0 if self.threshold is None else self.threshold.clamp_min(0)[active.col]
            dropped = alone <= refinement.leave_one_out * least
        places = (active.row * self.features + active.col)[dropped]
        activations.view(-1)[places] = 0.0
        return activations

    def _first_reading(self, x_RI: Tensor, threshold: Tensor | None) -> Tensor:
        pre = torch.nn.functional.linear(x_RI, self.W_enc.T, self.b_enc)
        return self._activate(pre, threshold)

    def _left_over(self, x_RI: Tensor, activations_RF: Tensor) -> Tensor:
        """Return x − x̂ (R, I), made from the pairs that are active alone."""
        active = _active_pairs(activations_RF)
        values = activations_RF.view(-1)[active.row * self.features + active.col]
        return x_RI - active.decode(values, self.W_dec) - self.b_dec

    def active(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return where raw rows x (R, I) activate features: rows, features, activations, (n,) each.

        Ordered by row, then feature; what `encode` has above 0, in half the time.
        """
        values, least = self.compared(x)
        rows, features = torch.nonzero(values > least, as_tuple=True)
        return rows, features, values[rows, features]

    def compared(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (R, F) and bounds (F,): where a value is above its feature's bound, it is
        the activation there; elsewhere the feature is not active on the raw rows x (R, I)."""
        if not self.separable:
            return self.encode(x), torch.zeros_like(self.b_enc)
        pre = torch.nn.functional.linear(self._read(x), self.W_enc.T, self.b_enc)
        least = torch.zeros_like(self.b_enc) if self.threshold is None else self.threshold
        return pre, least.clamp_min(0)

    def encode_features(self, x: Tensor, ids: Tensor) -> Tensor:
        """Return the activations (…, n) of the features `ids` (n,) only."""
        if not self.separable:
            return self.encode(x)[..., ids]
        threshold = None if self.threshold is None else self.threshold[ids]
        return self._activate(self._read(x) @ self.W_enc[:, ids] + self.b_enc[ids], threshold)

    def decode(self, activations: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the reconstruction (…, O) from activations (…, F).

        A dictionary with a skip, or that normalises rows, needs the rows x (…, I) too; raises
        ValueError without them.
        """
        written = activations @ self.W_dec + self.b_dec
        if self.W_skip is None and self.row_norm == "none":
            return written
        if x is None:
            raise ValueError(
                "a dictionary with a skip connection or row norms needs the rows it read for "
                "decoding"
            )
        if self.W_skip is not None:
            written = written + self._read(x) @ self.W_skip
        if self.row_norm == "none":
            return written
        written = written * self.row_scale(x)
        if self.row_norm == "layer":
            written = written + self._cast(x).mean(-1, keepdim=True)
        return written

    def row_scale(self, x: Tensor) -> Tensor:
        """Return (…, 1): what an activation of one is worth in the units of raw rows x (…, I)."""
        x = self._cast(x)
        scale = torch.ones_like(x[..., :1])
        if self.row_norm == "constant":
            scale = x.norm(dim=-1, keepdim=True) / self.width**0.5
        elif self.row_norm == "layer":
            scale = x.std(dim=-1, keepdim=True)
        return scale

    def apply(self, x: Tensor) -> Tensor:
        """Return what the dictionary writes (…, O) for raw rows x (…, I)."""
        return self.decode(self.encode(x), x)

    def decoder_rows(self, ids: Tensor) -> Tensor:
        """Return the rows (n, O) of W_dec of the features `ids` (n,)."""
        return self.W_dec[ids.to(self.device)]

    def dots(self, y: Tensor) -> Tensor:
        """Return y·W_dec,i of rows y (…, O) and every feature, (…, F)."""
        return y.to(self.W_dec) @ self.W_dec.T

    def decoder_part(self, number: int) -> Tensor:
        """Return (n, D): what features write to one output of width D.

        Of all F features, or, of a cross-layer transcoder, of the first n: the others, of later
        layers, write nothing there.
        """
        return torch.split(self.W_dec, list(self.parts or (self.out_width,)), dim=1)[number]

    def part(self, number: int) -> Dictionary:
        """Return the dictionary that reads all parts of the rows and writes one of them.

        Its decoder rows have norm one there, so an activation is the feature's share in this
        part, and a feature that leaves the part alone is silent. Of a dictionary with `k` the
        rows keep their lengths, which its choice of the largest depends on.
        """
        parts = list(self.parts or (self.out_width,))
        W_dec = torch.split(self.W_dec, parts, dim=1)[number]
        norms = W_dec.norm(dim=1) if self.k is None else torch.ones_like(self.b_enc)
        return Dictionary(
            self.W_enc * norms,
            self.b_enc * norms,
            W_dec / torch.where(norms > 0, norms, 1.0)[:, None],
            torch.split(self.b_dec, parts)[number],
            None if self.threshold is None else self.threshold * norms,
            k=self.k,
            rank=self.rank,
            grouped=self.grouped,
            W_skip=None if self.W_skip is None else torch.split(self.W_skip, parts, 1)[number],
            row_norm=self.row_norm,
            metadata=self.metadata,
        )

    def unfolded(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return W_enc, b_enc, W_dec with the decoder norms before which the k are chosen."""
        if self.rank is None:
            return self.W_enc, self.b_enc, self.W_dec
        return self.W_enc * self.rank, self.b_enc * self.rank, self.W_dec / self.rank[:, None]

    def scaled(self, scalar: float) -> Dictionary:
        """Return the dictionary that reads raw rows, of one that was trained on rows × scalar.

        For dictionaries whose library scales its inputs by one number and does not save it.
        """
        return Dictionary(
            self.W_enc.clone(),
            self.b_enc / scalar,
            self.W_dec,
            self.b_dec / scalar,
            None if self.threshold is None else self.threshold / scalar,
            k=self.k,
            rank=self.rank,
            grouped=self.grouped,
            W_skip=self.W_skip,
            parts=self.parts,
            row_norm=self.row_norm,
            refinement=None if self.refinement is None else self.refinement.scaled(1 / scalar),
            metadata=self.metadata,
        )

    def shifted(self, read_I: Tensor | None, written_O: Tensor | None) -> Dictionary:
        """Return the dictionary of rows x + read_I, of one that was trained on rows x.

        What it writes is `written_O` more, too. None: that side stays. Raises ValueError for one
        that normalises each row: what a constant adds to a row is then no constant.
        """
        if self.row_norm != "none":
            raise ValueError("it normalises each row, to which no constant can be added")
        alike = read_I is not None and written_O is not None and read_I.equal(written_O)
        if self.refinement is not None and not alike:
            raise ValueError("what it reads and what it writes must be shifted alike")
        b_enc, b_dec = self.b_enc, self.b_dec
        if read_I is not None:
            b_enc = b_enc - read_I @ self.W_enc
            if self.W_skip is not None:
                b_dec = b_dec - read_I @ self.W_skip
        if written_O is not None:
            b_dec = b_dec + written_O
        return Dictionary(
            self.W_enc, b_enc, self.W_dec, b_dec, self.threshold, k=self.k, rank=self.rank,
            grouped=self.grouped, W_skip=self.W_skip, parts=self.parts, row_norm=self.row_norm,
            refinement=self.refinement, metadata=self.metadata,
        )  # fmt: skip

    def to(self, device: torch.device | str) -> Dictionary:
        """Return this dictionary on another device."""
        return Dictionary(
            self.W_enc.to(device),
            self.b_enc.to(device),
            self.W_dec.to(device),
            self.b_dec.to(device),
            None if self.threshold is None else self.threshold.to(device),
            k=self.k,
            rank=None if self.rank is None else self.rank.to(device),
            grouped=self.grouped,
            W_skip=None if self.W_skip is None else self.W_skip.to(device),
            parts=self.parts,
            row_norm=self.row_norm,
            refinement=None if self.refinement is None else self.refinement.to(device),
            metadata=self.metadata,
        )

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(device=self.W_enc.device, dtype=self.W_enc.dtype)

    def _read(self, x: Tensor) -> Tensor:
        """Return the rows as W_enc takes them."""
        x = self._cast(x)
        if self.row_norm == "constant":
            x = x * (self.width**0.5 / x.norm(dim=-1, keepdim=True).clamp_min(_TINY))
        elif self.row_norm == "layer":
            x = x - x.mean(dim=-1, keepdim=True)
            x = x / (x.std(dim=-1, keepdim=True) + _LAYER_EPS)
        return x

    @staticmethod
    def _activate(pre: Tensor, threshold: Tensor | None) -> Tensor:
        if threshold is None:
            return torch.relu_(pre)
        # A threshold below 0 would let a negative value through.
        return pre.mul_(pre > threshold.clamp_min(0))


def _active_pairs(activations_RF: Tensor) -> Active:
    """Return the pairs above 0 of contiguous activations (R, F)."""
    flat = true_places((activations_RF > 0).contiguous())
    return Active.from_flat(flat, *activations_RF.shape)


def largest_of_each_row(values: Tensor, k: int) -> Tensor:
    """Return (…, F) bool: the k largest positive entries of each row (…, F)."""
    best = torch.topk(values, min(k, values.shape[-1]), dim=-1, sorted=False).indices
    kept = torch.zeros_like(values, dtype=torch.bool).scatter_(-1, best, True)
    return kept & (values > 0)


def largest_of_each_group(values: Tensor, groups: int) -> Tensor:
    """Return (…, F) bool: the largest positive entry of each of `groups` equal runs of a row."""
    split = values.reshape(*values.shape[:-1], groups, -1)
    best = split.argmax(dim=-1, keepdim=True)
    kept = torch.zeros_like(split, dtype=torch.bool).scatter_(-1, best, True)
    return kept.flatten(-2) & (values > 0)
