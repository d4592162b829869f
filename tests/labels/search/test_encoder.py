"""Texts of one meaning have vectors near each other, whatever they are read together with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_encoder import save_toy_bert

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.labels.search import encoder as encoder_module
from sae_desktop.labels.search.encoder import Encoder, load_encoder, release_encoder
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.names import MINILM


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save_toy_bert(models_cache() / MINILM)
    return load_encoder("cpu")


def test_vectors__are_the_mean_of_a_texts_own_states(encoder: Encoder) -> None:
    lone = encoder.encode(["the cat sat"])
    together = encoder.encode(["the cat sat", "cat", "the cat sat . the cat sat . running"])
    np.testing.assert_allclose(together[0], lone[0], atol=1e-5)  # padding has no part in it
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    with torch.inference_mode():
        mean = encoder._model(input_ids=ids).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(lone[0], mean / mean.norm(), atol=1e-5)


def test_any_text__has_a_vector_of_length_one(encoder: Encoder, monkeypatch) -> None:
    monkeypatch.setattr(encoder_module, "MOST_PIECES", 64)  # what the toy has places for
    texts = ["", " \n\t", "\x00\x1b[31m\u202e", "\ud800", "日本語 Ελληνικά 🙂", "cat " * 500_000]
    found = encoder.encode(texts)
    assert (found.shape, found.dtype) == ((len(texts), 32), np.float32)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)


def test_order__is_that_of_the_texts_whatever_their_length(encoder: Encoder, monkeypatch) -> None:
    monkeypatch.setattr(encoder_module, "_BATCH_PIECES", 12)
    texts = ["the cat sat . the cat", "cat", "the", "the cat running", "sat"]
    one_by_one = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(encoder.encode(texts), one_by_one, atol=1e-5)


def test_cancel__ends_between_batches(encoder: Encoder) -> None:
    with pytest.raises(JobCancelledError):
        encoder.encode(["cat"], RecordingContext(cancel_after=0))


def test_encoder__is_loaded_once_and_told_where_it_is_missing(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_encoder("cpu") is encoder
    release_encoder()
    assert load_encoder("cpu") is not encoder
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="The sentence encoder is not on this machine") as caught:
        load_encoder("cpu")
    assert caught.value.next_step == "Get it with: sae-desktop models get minilm."
