"""Facts 9 and 10: what a dictionary does not explain is left alone, and where all is linear,
attribution is ablation. Clamping in a model is in tests/steering/test_steer.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy_features import ToyData, train_toy
from toy_models import WIDTH

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.features.asking.attribution import attributions
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import list_sites, parse_site, site_width
from sae_desktop.steering.interventions import Change, Positions, SteeredSite

IDS = torch.tensor([[0, 7, 30, 250, 9, 11, 12, 40]])


@pytest.fixture
def lm(toy_model_folder: Path) -> LanguageModel:
    return load_model(str(toy_model_folder), "cpu")


def _dictionary(name: str, width: int = WIDTH) -> Dictionary:
    return train_toy(ToyData.make(n=48, d=width), name, features=64, steps=60, rows=256)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_reconstruction_plus_error__is_the_identity_at_every_site(
    lm: LanguageModel, name: str
) -> None:
    sites = [parse_site(site) for site in list_sites(lm.model)]
    widths = {site: site_width(lm.model, site) for site in sites}
    dictionaries = {width: _dictionary(name, width) for width in set(widths.values())}
    assert len(dictionaries) > 1

    with torch.no_grad():
        plain = lm.model(IDS).logits
        for site in sites:
            dictionary = dictionaries[widths[site]]

            def splice(x: Tensor, dictionary: Dictionary = dictionary) -> Tensor:
                reconstruction = dictionary.apply(x)
                return reconstruction + (x - reconstruction)

            with intervention(lm, site, splice):
                spliced = lm.model(IDS).logits
            torch.testing.assert_close(spliced, plain, rtol=0, atol=1e-4, msg=str(site))
            with intervention(lm, site, dictionary.apply):
                alone = lm.model(IDS).logits
            assert float((alone - plain).abs().max()) > 0.01, site


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_attribution__equals_ablation_with_a_linear_downstream(name: str) -> None:
    data = ToyData.make(n=48, d=WIDTH)
    dictionary = _dictionary(name)
    x = data.batch(40, torch.Generator().manual_seed(3)).requires_grad_(True)
    downstream = torch.nn.Linear(WIDTH, 9)
    torch.nn.init.normal_(downstream.weight, generator=torch.Generator().manual_seed(4))
    # What is told of a feature, against the change when it is set to 0.
    logits = downstream(x)
    (gradient,) = torch.autograd.grad((logits[:, 2] - logits[:, 5]).sum(), x)
    checked = 0
    with torch.no_grad():
        acts = dictionary.encode(x)
        attribution = attributions(acts, gradient, dictionary, x)
        for feature in torch.nonzero(acts.sum(dim=0)).flatten().tolist():
            change = Change("ablate", 0.0, dictionary.W_dec[feature], feature)
            steered = SteeredSite([[change]], dictionary, x.device)
            ablated = downstream(steered.transform(Positions([0], 0, [len(x)]))(x[None])[0])
            lost = (logits - ablated)[:, 2] - (logits - ablated)[:, 5]
            torch.testing.assert_close(attribution[:, feature], lost, rtol=1e-5, atol=1e-4)
            checked += 1
    assert checked > 5
