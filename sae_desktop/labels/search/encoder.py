"""The sentence encoder: texts become vectors whose cosine says how near their meanings are.

n texts, L word pieces, D width (384 for MiniLM). It is fetched once, because a person asks for
it, and is kept on this machine; nothing here asks the network.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers

from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.files.find import ModelFiles, find_model
from sae_desktop.language_model.files.weights import read_weights
from sae_desktop.language_model.identity import identity_of
from sae_desktop.language_model.names import MINILM
from sae_desktop.language_model.network import load_config
from sae_desktop.language_model.text.tokenizer import load_tokenizer, window_tokens

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

Vectors = npt.NDArray[np.float32]

MOST_PIECES = 256
"""Word pieces that are read of a text, as the encoder was trained; the rest is left out."""
_MOST_CHARACTERS = 32 * MOST_PIECES
_BATCH_PIECES = 8192
"""Word pieces read at once, padding included."""


class Encoder:
    """A model with its tokenizer, whose states are averaged over a text. By `load_encoder`."""

    def __init__(self, files: ModelFiles, device: torch.device) -> None:
        config = load_config(files)
        self._tokenizer = load_tokenizer(files)
        self._model = read_weights(files, config, "float32", "float32", device)
        self._device = device
        self._lock = threading.Lock()
        self._around = window_tokens(self._tokenizer, causal=False)
        self.width = int(config.hidden_size)
        self.identity = identity_of(files).text
        """What tells this encoder from every other: vectors of two have nothing in common."""

    def encode(self, texts: Sequence[str], context: JobContext | None = None) -> Vectors:
        """Return (n, D) float32 of length 1: the mean of the states of each text's word pieces.

        Texts are read in batches of like length, after each of which `context` may cancel. A text
        longer than MOST_PIECES is read as far as these go; an empty one has a vector too.
        """
        context = context or SilentContext()
        found = np.empty((len(texts), self.width), dtype=np.float32)
        pieces = self._pieces(texts)
        for places in _batches([len(ids) for ids in pieces]):
            context.check_cancelled()
            found[places] = self._states([pieces[place] for place in places])
        return found

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        # A lone surrogate, which no file should hold, is nothing that a tokenizer takes.
        plain = [t[:_MOST_CHARACTERS].encode("utf-8", "replace").decode() for t in texts]
        before, after = self._around
        most = MOST_PIECES - len(before) - len(after)
        with self._lock:  # truncation is a state of the tokenizer
            told = self._tokenizer(
                plain, add_special_tokens=False, truncation=True, max_length=most
            )
        return [[*before, *ids, *after] for ids in told["input_ids"]]

    def _states(self, pieces: list[list[int]]) -> Vectors:
        longest = max(map(len, pieces))
        ids_nL = torch.zeros((len(pieces), longest), dtype=torch.int64)
        mask_nL = torch.zeros((len(pieces), longest), dtype=torch.int64)
        for row, ids in enumerate(pieces):
            ids_nL[row, : len(ids)] = torch.tensor(ids)
            mask_nL[row, : len(ids)] = 1
        ids_nL, mask_nL = ids_nL.to(self._device), mask_nL.to(self._device)
        with torch.inference_mode():
            states_nLD = self._model(input_ids=ids_nL, attention_mask=mask_nL).last_hidden_state
            kept_nL1 = mask_nL[:, :, None].to(states_nLD.dtype)
            mean_nD = (states_nLD * kept_nL1).sum(1) / kept_nL1.sum(1).clamp(min=1.0)
            unit_nD = torch.nn.functional.normalize(mean_nD, dim=1)
        vectors: Vectors = unit_nD.float().cpu().numpy()
        return vectors


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of texts that are read together, the shortest first."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > _BATCH_PIECES:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


_held: dict[tuple[str, str], Any] = {}
_held_lock = threading.Lock()


def load_encoder(device: str = "auto", name: str = MINILM) -> Encoder:
    """Return a sentence encoder, which this process then keeps: MiniLM, or another by its folder.

    Raises UserError where it is not on this machine, or its files are damaged.
    """
    target = resolve_device(device)
    files = find_model(name)
    key = (files.stamp, str(target))
    with _held_lock:
        if key not in _held:
            _held.clear()
            _held[key] = Encoder(files, target)
        encoder: Encoder = _held[key]
        return encoder


def release_encoder() -> None:
    """Forget the encoder held, so that its memory is free."""
    with _held_lock:
        _held.clear()
        gc.collect()
