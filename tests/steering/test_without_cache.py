"""Models that keep no cache of what they read are steered all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy_models import CACHELESS_SIZES, save_toy_model
from transformers import XLNetConfig

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.resolve import list_sites, parse_site
from sae_desktop.language_model.text.text_reader import context_size
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import PaddedTokens, Transforms, continuations
from sae_desktop.steering.interventions import Positions

TOKENS = 5


def greedy(lm: LanguageModel, prompts: list[list[int]], transforms: Transforms) -> list[list[int]]:
    own = Positions(PaddedTokens.of(prompts).pads, 0, [len(p) for p in prompts])
    sampling = Sampling(max_new_tokens=TOKENS, temperature=0, repetition_penalty=1.0)
    steps = list(continuations(lm, prompts, transforms, own, sampling))
    return [[step.ids[row] or 0 for step in steps] for row in range(len(prompts))]


def by_hand(lm: LanguageModel, prompt: list[int]) -> list[int]:
    """The likeliest tokens by whole passes of the bare model."""
    ids = list(prompt)
    for _ in range(TOKENS):
        with torch.no_grad():
            ids.append(int(lm.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


@pytest.mark.parametrize("model_type", list(CACHELESS_SIZES))
def test_steering__does_without_a_cache(model_type: str, tmp_path: Path) -> None:
    changes = {"eos_token_id": None}
    lm = load_model(str(save_toy_model(tmp_path / model_type, model_type, **changes)), "cpu")
    prompt = [5, 9, 30, 44]
    assert greedy(lm, [prompt], {}) == [by_hand(lm, prompt)]
    site = parse_site(next(s for s in list_sites(lm.model) if s.endswith("hook_resid_post")))
    seen: list[tuple[int, ...]] = []

    def second_row_changed(x_BSD: Tensor) -> Tensor:
        seen.append(tuple(x_BSD.shape[:2]))
        return torch.cat([x_BSD[:1], x_BSD[1:] + 20 * torch.eye(x_BSD.shape[-1])[0]])

    plain, steered = greedy(lm, [prompt, prompt], {site: second_row_changed})
    assert plain == by_hand(lm, prompt)
    assert steered != plain
    assert seen == [(2, len(prompt) + n) for n in range(TOKENS)]
    # Prompts of different lengths: each as if it were alone, or refused.
    other = [7, 8]
    if model_type in ("rwkv", "recurrent_gemma"):  # whose states take padding in
        with pytest.raises(UserError, match="different lengths"):
            greedy(lm, [prompt, other], {})
    else:
        found = greedy(lm, [prompt, other], {})
        assert found == [by_hand(lm, prompt), by_hand(lm, other)]


def test_model_without_a_limit_of_positions__is_read_as_any(tmp_path: Path) -> None:
    config = XLNetConfig(d_model=16, n_layer=1, n_head=2, d_inner=16, vocab_size=64)
    assert context_size(config, torch.nn.Module()) == 2048  # it raises when asked, or says −1
