"""The comparison with other libraries measures what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from held_out import HeldOut, RowTopK, at_threshold, fit, from_saelens
from safetensors.torch import save_file

from sae_desktop.dictionary import Dictionary


@pytest.fixture
def rows() -> HeldOut:
    return HeldOut(torch.randn(5000, 8, generator=torch.Generator().manual_seed(0)), 0)


@pytest.fixture
def dictionary() -> Dictionary:
    generator = torch.Generator().manual_seed(1)
    W_dec = torch.nn.functional.normalize(torch.randn(32, 8, generator=generator), dim=1)
    return Dictionary(W_dec.T.contiguous(), torch.zeros(32), W_dec, torch.zeros(8))


def test_threshold__gives_the_wanted_l0_over_all_rows(
    dictionary: Dictionary, rows: HeldOut
) -> None:
    assert fit(at_threshold(dictionary, rows, 4), rows)["l0"] == pytest.approx(4, abs=1e-3)


def test_row_top_k__keeps_the_k_strongest_of_each_row(
    dictionary: Dictionary, rows: HeldOut
) -> None:
    every, kept = (d.encode(rows.x_TD) for d in (dictionary, RowTopK.of(dictionary, 4)))
    assert ((kept > 0).sum(dim=1) == 4).all()
    strongest = every.topk(4, dim=1).values.sum(dim=1)
    torch.testing.assert_close(kept.sum(dim=1), strongest)


def test_folder_of_saelens__reads_as_its_formula(tmp_path: Path, rows: HeldOut) -> None:
    generator = torch.Generator().manual_seed(2)
    t = {
        "W_enc": torch.randn(8, 32, generator=generator),
        "b_enc": torch.randn(32, generator=generator),
        "W_dec": 3 * torch.randn(32, 8, generator=generator),
        "b_dec": torch.randn(8, generator=generator),
        "threshold": torch.full((32,), 0.7),
    }
    save_file(t, tmp_path / "sae_weights.safetensors")
    cfg = {"architecture": "jumprelu", "apply_b_dec_to_input": True}
    (tmp_path / "cfg.json").write_text(json.dumps(cfg))

    pre = (rows.x_TD - t["b_dec"]) @ t["W_enc"] + t["b_enc"]
    expected = (pre * (pre > t["threshold"])).relu() @ t["W_dec"] + t["b_dec"]

    read = from_saelens(tmp_path)
    torch.testing.assert_close(read.decode(read.encode(rows.x_TD)), expected, rtol=1e-4, atol=1e-3)
