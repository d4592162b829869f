"""What the model still predicts with a dictionary in place of a site, against plain formulas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy_models import LAYERS, WIDTH

from sae_desktop.dictionary import Dictionary
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.training.measuring.splice import SpliceText, measure_losses, spliced_loss
from sae_desktop.training.rows.dictionary_sites import dictionary_sites

SITE = "blocks.1.hook_resid_post"
WINDOWS = [[0, 7, 30, 250, 9, 11, 12], [0, 5, 6], [0, 99, 100, 101, 102, 103]]


@pytest.fixture
def lm(toy_model_folder: Path) -> LanguageModel:
    return load_model(str(toy_model_folder), "cpu")


def _text(
    lm: LanguageModel,
    inputs: Sequence[str] = (SITE,),
    outputs: Sequence[str] = (),
    windows: Sequence[list[int]] = WINDOWS,
    typical: float = 1e9,
) -> SpliceText:
    outputs = outputs or inputs
    return SpliceText(
        lm=lm,
        inputs=[parse_site(name) for name in inputs],
        outputs=[parse_site(name) for name in outputs],
        windows=windows,
        typical_norms=[typical] * len(inputs),
        means=[torch.linspace(-1, 1, WIDTH)] * len(outputs),
    )


def _identity(width: int = WIDTH) -> Dictionary:
    both = torch.cat([torch.eye(width), -torch.eye(width)])
    return Dictionary(both.T.contiguous(), torch.zeros(2 * width), both, torch.zeros(width))


def _constant(value: Tensor, width: int = WIDTH) -> Dictionary:
    out = len(value)
    W_dec = torch.nn.functional.normalize(torch.ones(3, out))
    return Dictionary(torch.zeros(width, 3), torch.zeros(3), W_dec, value)


def _map(width: int, out: int) -> Dictionary:
    generator = torch.Generator().manual_seed(5)
    W_dec = torch.nn.functional.normalize(torch.randn(48, out, generator=generator))
    W_enc = 0.2 * torch.randn(width, 48, generator=generator)
    return Dictionary(W_enc, torch.zeros(48), W_dec, torch.zeros(out))


def test_perfect_dictionary__recovers_the_whole_loss(lm: LanguageModel) -> None:
    losses = measure_losses(_text(lm), _identity())
    assert losses.spliced == pytest.approx(losses.clean, abs=1e-4)
    assert losses.kl == pytest.approx(0, abs=1e-5)
    assert losses.recovered == pytest.approx(1, abs=1e-3)
    assert losses.recovered_mean == pytest.approx(1, abs=1e-3)
    assert losses.zero != pytest.approx(losses.mean, abs=1e-3)
    assert losses.kl_zero > 0.01
    assert losses.kl_mean > 0.01


def test_constant_dictionaries__are_the_ablations(lm: LanguageModel) -> None:
    text = _text(lm)
    zero = measure_losses(text, _constant(torch.zeros(WIDTH)))
    assert zero.spliced == pytest.approx(zero.zero, rel=1e-6)
    assert zero.kl == pytest.approx(zero.kl_zero, rel=1e-6)
    assert zero.recovered == pytest.approx(0, abs=1e-6)
    mean = spliced_loss(text, _constant(text.means[0]), zero)
    assert mean.spliced == pytest.approx(zero.mean, rel=1e-6)
    assert mean.kl == pytest.approx(zero.kl_mean, rel=1e-6)
    assert mean.recovered_mean == pytest.approx(0, abs=1e-6)
    assert (mean.clean, mean.zero) == (zero.clean, zero.zero)


def test_loss_and_kl__equal_the_plain_formulas_over_windows_of_any_length(
    lm: LanguageModel,
) -> None:
    dictionary, site = _map(WIDTH, WIDTH), parse_site(SITE)
    clean, spliced, kl, count = 0.0, 0.0, 0.0, 0

    def change(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], dictionary.apply(x)[:, 1:]], dim=1)

    for window in WINDOWS:
        ids = torch.tensor([window])
        with torch.no_grad():
            plain = lm.model(ids).logits[0, :-1].log_softmax(-1)
            with intervention(lm, site, change):
                other = lm.model(ids).logits[0, :-1].log_softmax(-1)
        targets = ids[0, 1:, None]
        clean -= float(plain.gather(1, targets).sum())
        spliced -= float(other.gather(1, targets).sum())
        kl += float((plain.exp() * (plain - other)).sum())
        count += len(targets)
    losses = measure_losses(_text(lm), dictionary)
    assert losses.clean == pytest.approx(clean / count, rel=1e-4)
    assert losses.spliced == pytest.approx(spliced / count, rel=1e-4)
    assert losses.kl == pytest.approx(kl / count, rel=1e-3)


def test_transcoder__reads_one_site_and_replaces_another(lm: LanguageModel) -> None:
    read, written = "blocks.1.hook_resid_mid", "blocks.2.hook_mlp_out"
    window = WINDOWS[0]
    dictionary = _map(WIDTH, WIDTH)
    losses = measure_losses(_text(lm, [read], [written], [window]), dictionary)
    ids = torch.tensor([window])
    y = dictionary.apply(capture(lm, ids, None, parse_site(read)))

    def change(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], y[:, 1:]], dim=1)

    with torch.no_grad(), intervention(lm, parse_site(written), change):
        logits = lm.model(ids).logits[0, :-1]
    wanted = torch.nn.functional.cross_entropy(logits, ids[0, 1:])
    assert losses.spliced == pytest.approx(float(wanted), rel=1e-5)
    assert losses.spliced != pytest.approx(losses.clean, rel=1e-3)


@pytest.mark.parametrize("hook", ["hook_resid_post", "hook_mlp_out"])
def test_crosscoder__replaces_every_site_by_its_own_part(lm: LanguageModel, hook: str) -> None:
    sites = [f"blocks.{layer}.{hook}" for layer in range(LAYERS)]
    losses = measure_losses(_text(lm, sites), _identity(LAYERS * WIDTH))
    assert losses.spliced == pytest.approx(losses.clean, abs=1e-4)
    assert losses.zero != pytest.approx(losses.clean, abs=1e-2)


def test_first_tokens_and_massive_rows__are_left_as_they_are(lm: LanguageModel) -> None:
    # Rows of norm ~1 are all more than ten times a typical norm of 0.001.
    losses = measure_losses(_text(lm, typical=1e-3), _constant(torch.ones(WIDTH)))
    assert losses.spliced == losses.zero == losses.clean
    assert losses.kl == 0
    one = [[0, 7]]  # what follows the first token is predicted from the first token alone
    losses = measure_losses(_text(lm, windows=one), _constant(torch.ones(WIDTH)))
    assert losses.spliced == pytest.approx(losses.clean, rel=1e-6)


def test_sites_of_a_dictionary__are_those_its_metadata_name() -> None:
    assert dictionary_sites({"hook_name": SITE}) == ((SITE,), (SITE,))
    assert dictionary_sites({"hook_name": "a", "hook_name_out": "b"}) == (("a",), ("b",))
    two = {"input_sites": ["a", "b"], "hook_name": "a"}
    assert dictionary_sites(two) == (("a", "b"), ("a", "b"))
    other = {"input_sites": ["a"], "output_sites": ["b", "c"]}
    assert dictionary_sites(other) == (("a",), ("b", "c"))
    assert dictionary_sites({}) == ((), ())
