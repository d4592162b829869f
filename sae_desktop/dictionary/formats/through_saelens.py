"""Architectures that SAELens alone computes, such as matching pursuit: read through it.

SAELens is not a dependency; where it is not installed, such a dictionary is named with what it
needs.
"""

from __future__ import annotations

import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.errors import UserError

INSTALL = "pip install sae-lens"
_OF_EACH_ROW = ("constant_norm_rescale", "layer_norm")
_PROBES = 3
_TOLERANCE = 1e-4


class SAELensDictionary(Dictionary):
    """A dictionary whose activations SAELens computes, row by row; it writes as all others do.

    `W_enc` and `b_enc` are its decoder's rows, read backwards: what a feature is matched with.
    """

    def __init__(self, sae: Any, metadata: dict[str, Any] | None = None) -> None:
        """Take an inference `SAE` of SAELens with W_dec (F, I) and b_dec (I,)."""
        sae.requires_grad_(False)
        raw = sae.W_dec.detach().float()
        norms = raw.norm(dim=1)
        norms = torch.where(norms > 0, norms, 1.0)
        W_dec = raw / norms[:, None]
        nothing = torch.zeros(1, raw.shape[0], dtype=sae.W_dec.dtype, device=raw.device)
        # Some add the bias to what they write only where they subtracted it from what they read.
        b_dec = sae.decode(nothing)[0].float()
        super().__init__(
            W_dec.T.contiguous(), -(W_dec @ b_dec), W_dec.contiguous(), b_dec, metadata=metadata
        )
        self.sae = sae
        self._norms = norms

    @property
    def architecture(self) -> str:
        """SAELens's name for it."""
        return str(self.sae.cfg.architecture())

    @property
    def separable(self) -> bool:
        return False

    def encode(self, x: Tensor) -> Tensor:
        x = self._cast(x)
        found: Tensor = self.sae.encode(x.reshape(-1, self.width)).float() * self._norms
        return found.reshape(*x.shape[:-1], self.features)

    def part(self, number: int) -> Dictionary:
        """Return itself, its only part. Raises IndexError for another."""
        if number:
            raise IndexError(f"a dictionary of one site has no part {number}")
        return self

    def scaled(self, scalar: float) -> Dictionary:
        sae = copy.deepcopy(self.sae)
        sae.fold_activation_norm_scaling_factor(scalar)
        return SAELensDictionary(sae, self.metadata)

    def to(self, device: torch.device | str) -> Dictionary:
        if torch.device(device) == self.device:
            return self
        return SAELensDictionary(copy.deepcopy(self.sae).to(device), self.metadata)


def read_through_saelens(folder: Path, cfg: dict[str, Any]) -> SAELensDictionary:
    """Read the dictionary of a folder of SAELens's.

    Raises UserError where SAELens is missing, does not know the architecture, or cannot read the
    files; and for what reads whole sequences, or writes other than a sum of its features: here
    a feature belongs to a token and a direction.
    """
    architecture = cfg["architecture"]
    if find_spec("sae_lens") is None:
        raise UserError(
            f"“{folder}” has the architecture “{architecture}”, which is read through SAELens, "
            "but SAELens is not installed.",
            next_step=f"Install it with {INSTALL}, and try again.",
        )
    norm = cfg.get("normalize_activations") or "none"
    if norm in _OF_EACH_ROW:
        raise UserError(
            f"“{folder}”, a “{architecture}”, normalises each row by “{norm}”: through SAELens, "
            "only dictionaries that read rows unchanged can be opened.",
            next_step="Open it in SAELens.",
        )
    from sae_lens import SAE

    # What becomes wrong in files of others has no common class; each fault is named.
    try:
        sae = SAE.load_from_disk(folder, device="cpu", dtype="float32")
        if cfg.get("reshape_activations") == "hook_z":  # here a row holds all heads
            sae.turn_off_forward_pass_hook_z_reshaping()
        dictionary = SAELensDictionary(sae, cfg["metadata"])
    except Exception as error:
        raise UserError(
            f"SAELens cannot read “{folder}” with the architecture “{architecture}”: {error}.",
            next_step="A newer SAELens may be able to; otherwise ask its maker for another format.",
        ) from error
    if not _reads_rows(dictionary):
        raise UserError(
            f"“{folder}” has the architecture “{architecture}”, which does not read token by "
            "token or does not write a sum of features.",
            next_step="Open it in SAELens: here, each feature must belong to a token and a "
            "direction.",
        )
    return dictionary


def _reads_rows(dictionary: SAELensDictionary) -> bool:
    """Return whether each row is encoded by itself, from 0 up, and decoded as here."""
    x = torch.randn(_PROBES, dictionary.width, generator=torch.Generator().manual_seed(0))
    try:
        together = dictionary.encode(x)
        apart = torch.cat([dictionary.encode(row[None]) for row in x])
        written = dictionary.sae(x)
    except Exception:  # it was given what it does not read
        return False
    return (
        bool((together >= 0).all())
        and torch.allclose(together, apart, _TOLERANCE, _TOLERANCE)
        and torch.allclose(dictionary.decode(together), written, _TOLERANCE, _TOLERANCE)
    )
