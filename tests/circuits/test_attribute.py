"""Every firing of a dictionary is attributed to a logit difference, and ablated beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext

from sae_desktop.circuits.attribute import attribute
from sae_desktop.circuits.lens_config import AttributeConfig, AttributeResult
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.language_model.sites.intervene import intervention

PROMPT = "In the beginning God created"


def asked(project: Path, **settings: Any) -> AttributeResult:
    config = AttributeConfig(
        project=str(project), index="idx", device="cpu", **({"prompt": PROMPT} | settings)
    )
    return attribute(config, RecordingContext())


def logits_without(opened: OpenedIndex, position: int, feature: int, size: float) -> torch.Tensor:
    """Return the logits after the prompt, without what a feature writes at a position."""
    lm = opened.lm
    taken = size * opened.dictionary.decoder_rows(torch.tensor([feature]))[0]

    def without(x: torch.Tensor) -> torch.Tensor:
        out = x.clone()
        out[0, position] -= taken
        return out

    with torch.no_grad(), intervention(lm, opened.writes[0].site, without):
        return lm.model(torch.tensor([[lm.bos_id, *lm.encode(PROMPT)]])).logits[0, -1]


def test_attribution__stands_beside_what_ablation_takes(small_project: Path) -> None:
    result = asked(small_project, target="G", against="t", top=0, ablated=3)
    opened = open_index(str(small_project), "idx", "cpu")
    lm = opened.lm
    tokens = [lm.encode(text)[0] for text in ("G", "t")]
    assert (result.tokens[0], result.specials) == ("<|bos|>", 1)
    assert len(result.features) == result.firings
    sizes = [abs(value) for value in result.attributions]
    assert sizes == sorted(sizes, reverse=True)
    assert result.sampled == min(128, result.firings)
    plain = logits_without(opened, 1, 0, 0.0)
    plain_difference = float(plain[tokens[0]] - plain[tokens[1]])
    assert result.difference == pytest.approx(plain_difference, abs=1e-4)
    assert (result.target, result.against) == ("G", "t")
    for number in range(3):
        logits = logits_without(
            opened, result.positions[number], result.features[number], result.activations[number]
        )
        wanted = plain_difference - float(logits[tokens[0]] - logits[tokens[1]])
        assert result.ablations[number] == pytest.approx(wanted, abs=1e-3)
    assert result.attribution_correlation is not None
    assert result.activation_correlation is not None
    assert result.attribution_correlation > max(0.5, result.activation_correlation)


def test_attribution__is_to_the_likeliest_or_against_the_mean(small_project: Path) -> None:
    likely = asked(small_project, top=5, sampled=0, ablated=0)
    assert (likely.sampled, likely.ablations) == (0, [None] * 5)
    assert likely.attribution_correlation is None
    assert likely.difference > 0
    mean = asked(small_project, against="mean", top=5, sampled=0, ablated=1)
    assert (mean.target, mean.against) == (likely.target, "")
    assert mean.difference > likely.difference
    opened = open_index(str(small_project), "idx", "cpu")
    plain = logits_without(opened, 1, 0, 0.0)
    less = logits_without(opened, mean.positions[0], mean.features[0], mean.activations[0])
    best = int(plain.argmax())
    wanted = (plain[best] - plain.mean()) - (less[best] - less.mean())
    assert abs(float(wanted)) > 1e-3
    assert mean.ablations[0] == pytest.approx(float(wanted), abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompt": ""}, "is empty"),
        ({"prompt": "word " * 99}, "reads"),
        ({"target": "G", "against": "G"}, "the same token"),
        ({"target": "beginning God"}, "is not one token"),
    ],
)
def test_attribution__refuses_what_cannot_be_asked(
    small_project: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        asked(small_project, **settings)
