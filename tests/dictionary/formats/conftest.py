"""Fixtures that several of these tests share."""

from __future__ import annotations

import pytest
import torch
from format_files import D
from torch import Tensor

from sae_desktop.resources import resource_path


@pytest.fixture
def x() -> Tensor:
    return torch.randn(200, D, generator=torch.Generator().manual_seed(4))


@pytest.fixture(scope="session")
def residuals() -> Tensor:
    """(T, D): what the built-in model's middle layer holds for a text, without its first token."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    folder = resource_path("models/builtin")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = (folder / "README.md").read_text(encoding="utf-8")
    ids = tokenizer(text, return_tensors="pt").input_ids[:, :256]
    with torch.no_grad():
        return model(ids, output_hidden_states=True).hidden_states[3][0, 1:]
