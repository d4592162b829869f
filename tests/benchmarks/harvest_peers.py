"""The arms of `harvest.py` that are other libraries': their own harvesting on the same model.

Each is given the same texts and the same network, in the same precision, and reads as many
tokens in batches of as many windows. Neither writes to the disk here: SAELens hands over a batch
of activations, dictionary_learning fills its buffer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch


class MissingPeerError(Exception):
    """A library of the extra `benchmark` is not installed, or does not run here."""


Arm = Callable[[int], float]
"""Reads so many tokens and returns the seconds it took."""


def saelens_arm(
    model: Any, tokenizer: Any, layer: str, width: int, texts: list[str], context: int, windows: int
) -> Arm:
    """Return SAELens's ActivationsStore, reading windows packed with documents, each after BOS."""
    try:
        from datasets import Dataset
        from sae_lens.load_model import HookedProxyLM
        from sae_lens.training.activations_store import ActivationsStore
    except ImportError as error:
        raise MissingPeerError(f"SAELens: {error}") from error
    store = ActivationsStore(
        model=HookedProxyLM(model, tokenizer, hook_names=[layer]),
        dataset=Dataset.from_dict({"text": texts}),
        streaming=False,
        hook_name=layer,
        hook_head_index=None,
        context_size=context,
        d_in=width,
        n_batches_in_buffer=4,
        total_training_tokens=10**9,
        store_batch_size_prompts=windows,
        train_batch_size_tokens=4096,
        prepend_bos=True,
        normalize_activations="none",
        device=torch.device("cpu"),
        dtype="float32",
    )

    def read(tokens: int) -> float:
        began, found = time.perf_counter(), 0
        while found < tokens:
            rows, _ = store.get_raw_llm_batch()
            found += len(rows)
        return (time.perf_counter() - began) * tokens / found

    return read


def dictionary_learning_arm(
    model: Any, tokenizer: Any, layer: str, width: int, texts: list[str], context: int,
    windows: int,
) -> Arm:  # fmt: skip
    """Return dictionary_learning's ActivationBuffer, reading one window a text, padded."""
    try:
        from dictionary_learning.buffer import ActivationBuffer
        from nnsight import LanguageModel
    except ImportError as error:
        raise MissingPeerError(f"dictionary_learning: {error}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    traced = LanguageModel(model, tokenizer=tokenizer)
    submodule = traced
    for part in layer.split("."):
        submodule = submodule[int(part)] if part.isdigit() else getattr(submodule, part)

    def read(tokens: int) -> float:
        buffer = ActivationBuffer(
            _endless(texts), traced, submodule, d_submodule=width,
            n_ctxs=max(1, tokens // context), ctx_len=context, refresh_batch_size=windows,
            device="cpu",
        )  # fmt: skip
        began = time.perf_counter()
        buffer.refresh()
        return (time.perf_counter() - began) * tokens / len(buffer.activations)

    return read


def _endless(texts: list[str]) -> Iterator[str]:
    while True:
        yield from texts
