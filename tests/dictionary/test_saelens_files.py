"""What is saved is what SAELens reads: checked with SAELens where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_dictionaries import SAELENS, D

from sae_desktop.dictionary import load, save

saelens = pytest.importorskip("sae_lens", reason="of the extra “benchmark”")


@pytest.mark.parametrize("architecture", SAELENS)
def test_saelens__computes_the_same_from_our_files(tmp_path: Path, architecture: str) -> None:
    ours = SAELENS[architecture]
    save(ours, tmp_path)
    theirs = saelens.SAE.load_from_disk(tmp_path)
    assert theirs.cfg.architecture() == architecture
    assert theirs.cfg.metadata["hook_name"] == ours.metadata["hook_name"]
    x = torch.randn(200, D, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        acts = theirs.encode(x)
        assert float((acts > 0).sum()) > 0
        torch.testing.assert_close(acts, ours.encode(x))
        torch.testing.assert_close(theirs(x), ours.apply(x))


@pytest.mark.parametrize("architecture", SAELENS)
def test_we__compute_the_same_from_saelens_files(tmp_path: Path, architecture: str) -> None:
    save(SAELENS[architecture], tmp_path / "ours")
    theirs = saelens.SAE.load_from_disk(tmp_path / "ours")
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            # Free decoder norms, which we fold; TopK chooses before them, and keeps its units.
            if name != "W_dec" or architecture == "topk":
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
            else:
                parameter.mul_(torch.linspace(0.5, 2, len(parameter))[:, None])
            if architecture == "topk" and name == "W_dec":
                parameter.div_(parameter.norm(dim=1, keepdim=True))
    theirs.save_model(tmp_path / "theirs")
    ours = load(tmp_path / "theirs")
    x = torch.randn(200, D, generator=generator)
    with torch.no_grad():
        norms = theirs.W_dec.norm(dim=1)
        torch.testing.assert_close(ours.encode(x), theirs.encode(x) * norms, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.apply(x), theirs(x), rtol=1e-4, atol=1e-5)
