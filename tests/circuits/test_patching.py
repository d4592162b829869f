"""Patching puts in what the other prompt has at one place, and tells what that does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from torch import nn

from sae_desktop.circuits.lens_config import PatchConfig, PatchResult
from sae_desktop.circuits.patching import patch
from sae_desktop.circuits.prompt import read_prompt
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import load_model

PROMPT, OTHER = "In the beginning xyz", "In the beginning xqz"


def asked(folder: Path, **settings: Any) -> PatchResult:
    config = PatchConfig(
        model=str(folder), device="cpu", **({"prompt": PROMPT, "other": OTHER} | settings)
    )
    return patch(config, RecordingContext())


def test_patch__of_the_stream_after_the_last_layer_is_the_other_answer(
    toy_model_folder: Path,
) -> None:
    result = asked(toy_model_folder)
    assert result.by == "token"
    assert result.grid[-1][-1] == pytest.approx(result.other_difference, abs=1e-4)
    assert result.grid[-1][:-1] == pytest.approx([result.difference] * (len(result.tokens) - 1))
    assert result.restored[-1][-1] == pytest.approx(1, abs=1e-4)
    same = [a == b for a, b in zip(result.tokens, result.other_tokens, strict=True)]
    first_other = same.index(False)
    assert result.grid[0][:first_other] == pytest.approx([result.difference] * first_other)


def test_patch__of_a_head_changes_that_head_alone(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder), "cpu")
    prompt, other = (read_prompt(lm, text).ids for text in (PROMPT, OTHER))
    layer, head, width = 1, 2, lm.width // 4
    projection: nn.Module = lm.model.model.layers[layer].self_attn.o_proj
    seen: list[torch.Tensor] = []
    with torch.no_grad():
        handle = projection.register_forward_pre_hook(lambda m, args: seen.append(args[0].clone()))
        lm.model(torch.tensor([other]))
        handle.remove()

        def put(module: nn.Module, args: Any) -> Any:
            z = args[0].clone()
            z[..., head * width : (head + 1) * width] = seen[0][
                ..., head * width : (head + 1) * width
            ]
            return (z,)

        handle = projection.register_forward_pre_hook(put)
        logits = lm.model(torch.tensor([prompt])).logits[0, -1]
        handle.remove()
    result = asked(toy_model_folder, hook="attn.hook_z", target="G", against="t")
    assert (result.by, len(result.grid), len(result.grid[0])) == ("head", lm.layers, 4)
    tokens = [lm.encode(text)[0] for text in ("G", "t")]
    wanted = float(logits[tokens[0]] - logits[tokens[1]])
    assert result.grid[layer][head] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"other": "In the"}, "tokens, so the values of one have no place"),
        ({"other": PROMPT}, "are the same"),
        ({"target": "G", "against": "G"}, "the same token"),
    ],
)
def test_patch__refuses_prompts_that_cannot_be_laid_side_by_side(
    toy_model_folder: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        asked(toy_model_folder, **settings)
