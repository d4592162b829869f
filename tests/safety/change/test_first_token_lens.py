"""What the first-token difference names: the planted token, and none that no model uses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_toys import save_base, save_text
from toy_models import WIDTH

from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.safety.change import first_tokens
from sae_desktop.safety.change.measured import last_unused
from sae_desktop.safety.change.reading import read_checkpoint, read_texts
from sae_desktop.safety.change.telling import tokens

PLANTED, UNUSED = 7, 9


def test_lens__names_the_planted_token_beyond_chance_and_leaves_out_one_no_model_uses(
    tmp_path: Path,
) -> None:
    torch.set_num_threads(1)
    lm = load_model(str(save_base(tmp_path / "base")), "cpu")
    texts = read_texts(lm, save_text(tmp_path / "text.jsonl"), 12, 16)
    site = parse_site("blocks.1.hook_resid_post")
    reading = read_checkpoint(lm, None, texts, site, SilentContext())
    with torch.no_grad():
        logits = lm.model(input_ids=texts.ids_NS).logits[:, texts.measured]
    highest_V = logits.log_softmax(-1).flatten(0, 1).max(dim=0).values
    torch.testing.assert_close(reading.highest_V, highest_V)

    head_VD = lm.model.get_output_embeddings().weight
    along_D = torch.eye(WIDTH)[0]
    with torch.no_grad():
        head_VD.copy_(0.1 * torch.randn(head_VD.shape, generator=torch.Generator().manual_seed(1)))
        head_VD[:, 0] = 0
        # As of a token that never came in training: whatever lies a little along it names it.
        head_VD[UNUSED] = 40.0 * along_D
        mean_PD = (head_VD[PLANTED] + 0.1 * along_D).repeat(first_tokens.FIRST, 1)
    highest_V = torch.zeros(len(head_VD))
    highest_V[UNUSED] = -20.0
    known = first_tokens.used(*2 * [dataclasses.replace(reading, highest_V=highest_V)])
    assert np.flatnonzero(~known).tolist() == [UNUSED]
    read = first_tokens.lens(lm, texts, mean_PD, seed=0)
    assert read.logits_V.argmax() == UNUSED
    assert read.beyond_V.argmax() == PLANTED
    assert read.beyond_V[PLANTED] > 8 > 4 > read.beyond_V[UNUSED]
    names = [str(token).encode() for token in range(len(known))]
    told = tokens(last_unused(read.logits_V, known), names, read.beyond_V)
    assert told[0].token == str(PLANTED)
    assert told[0].beyond == pytest.approx(read.beyond_V[PLANTED])
    assert str(UNUSED) not in [one.token for one in told]
