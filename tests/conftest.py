"""Fixtures that several folders of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random four-layer Llama of width 32 with a byte-level tokenizer; context of 64."""
    import torch
    from toy_models import save_toy_model

    torch.set_num_threads(1)
    return save_toy_model(tmp_path_factory.mktemp("models") / "toy-llama")
