"""An encoder whose meaning is known: a text is the sum of its words, and some words mean the same.

It stands in for the sentence encoder where what is tested is what is done with vectors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sae_desktop.labels.search import ask, embed

WIDTH = 64
SAME = {"monarch": "king", "irony": "sarcasm", "sovereign": "king"}


class WordEncoder:
    """Takes the place of `Encoder`."""

    width = WIDTH

    def __init__(self, identity: str = "words") -> None:
        self.identity = identity
        self.read: list[str] = []
        """Every text that was read."""

    def encode(self, texts: Sequence[str], context: Any = None) -> npt.NDArray[np.float32]:
        if context is not None:
            context.check_cancelled()
        self.read += texts
        found = np.array([self._vector(text) for text in texts], np.float32).reshape(-1, WIDTH)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def _vector(self, text: str) -> npt.NDArray[np.float64]:
        words = [SAME.get(word, word) for word in re.findall(r"\w+", text.lower())] or [text]
        return np.sum([_of_word(word) for word in words], axis=0)


def _of_word(word: str) -> npt.NDArray[np.float64]:
    seed = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(seed, "little")).normal(size=WIDTH)


def use(monkeypatch: pytest.MonkeyPatch, encoder: WordEncoder) -> WordEncoder:
    """Let the jobs of the search take this encoder."""
    for module in (ask, embed):
        monkeypatch.setattr(module, "load_encoder", lambda *_: encoder)
    return encoder
