"""SmolLM2 still knows where the Golden Gate Bridge is, in every precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from job_contexts import RecordingContext

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.names import SMOLLM2

pytestmark = pytest.mark.real_model


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "8bit", "4bit"])
def test_smollm2__continues_the_sentence_in_the_memory_said(dtype: Any) -> None:
    if dtype.endswith("bit"):
        pytest.importorskip("bitsandbytes")
    try:
        find_model(SMOLLM2)
    except UserError as error:
        pytest.skip(f"SmolLM2 is not in the cache: {error.what}")
    lm = load_model(SMOLLM2, "cpu", dtype)
    ids = torch.tensor([lm.encode("The Golden Gate Bridge is located in")])
    with lm.lock, torch.no_grad():
        out = lm.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False
        )
    assert "San Francisco" in lm.tokenizer.decode(out[0])
    said = describe_model(DescribeModelConfig(model=SMOLLM2, dtype=dtype), RecordingContext())
    taken = sum(p.numel() * p.element_size() for p in lm.model.parameters())
    assert taken <= said.memory_bytes < 1.05 * taken
    assert said.memory_bytes < 4 * said.parameters
