"""Cross-layer transcoders: the formula, who writes where, folding, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_dictionaries import cross_layer
from toy_targets import train_on

from sae_desktop.dictionary.architectures import Batch, Setup, StepState
from sae_desktop.dictionary.architectures._cross_layer import CrossLayerTranscoder
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.normalisation import Affine, joined

LAYERS, D, EACH, LAMBDA = 3, 4, 5, 0.3
F = LAYERS * EACH


def random_one() -> CrossLayerTranscoder:
    generator = torch.Generator().manual_seed(0)
    setup = Setup(width=LAYERS * D, features=F, steps=10, out_width=LAYERS * D, parts=(D,) * LAYERS)
    architecture = CrossLayerTranscoder(setup, generator)
    for name, tensor in architecture.parameters.items():
        moved = tensor + 0.2 * torch.randn(tensor.shape, generator=generator)
        architecture.parameters[name] = moved.double().requires_grad_()
    return architecture


def batch(rows: int = 30) -> Batch:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(rows, LAYERS * D, generator=generator).double() for _ in range(2))
    return Batch(x, y)


def state() -> StepState:
    return StepState(LAMBDA, torch.zeros(F, dtype=torch.bool))


def test_loss__is_the_formula_over_layers() -> None:
    architecture, (x, y) = random_one(), batch()
    p = architecture.parameters
    acts, pre, norms = [], [], []
    for layer in range(LAYERS):
        mine = slice(layer * EACH, (layer + 1) * EACH)
        read = x[:, layer * D : (layer + 1) * D]
        pre.append(read @ p["W_enc"][mine].T + p["b_enc"][mine])
        acts.append(pre[-1] * (pre[-1] > p["log_threshold"][mine].exp()))
        norms.append(p[f"W_dec_{layer}"].norm(dim=1))
    error = torch.zeros(())
    for layer in range(LAYERS):
        written = p["b_dec"][layer * D : (layer + 1) * D]
        for source in range(layer + 1):
            place = (layer - source) * D
            written = written + acts[source] @ p[f"W_dec_{source}"][:, place : place + D]
        error = error + (y[:, layer * D : (layer + 1) * D] - written).square().sum() / len(x)
    a, w = torch.cat(acts, dim=1), torch.cat(norms)
    paid = LAMBDA * torch.tanh(4.0 * a * w).sum() / len(x)
    short = (p["log_threshold"].exp() - torch.cat(pre, dim=1)).relu() * w
    total = error + paid + 3e-6 * short.sum() / len(x)
    loss = architecture.loss(Batch(x, y), state())
    torch.testing.assert_close(loss.total, total)
    assert torch.equal(loss.fired_F, (a > 0).sum(dim=0))
    assert loss.l0 == pytest.approx(float((a > 0).sum()) / len(x))


def test_active__and_decoder_parts_are_those_of_the_dense_matrices() -> None:
    dictionary, x = cross_layer(), torch.randn(20, 18)
    rows, features = torch.nonzero(dictionary.encode(x) > 0, as_tuple=True)
    found = dictionary.active(x)
    assert torch.equal(found[0], rows)
    assert torch.equal(found[1], features)
    torch.testing.assert_close(found[2], dictionary.encode(x)[rows, features])
    for layer, whole in enumerate(torch.split(dictionary.W_dec, list(dictionary.parts), dim=1)):
        written = dictionary.decoder_part(layer)
        assert len(written) == (layer + 1) * dictionary.blocks[0].features
        assert torch.equal(written, whole[: len(written)])
        assert not whole[len(written) :].any()


def test_gradients__in_blocks_equal_those_of_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sae_desktop.dictionary.architectures._blocks.BLOCK_BYTES", 1)
    monkeypatch.setattr("sae_desktop.dictionary.architectures._blocks.FEWEST_ROWS", 7)
    architecture = random_one()
    whole = architecture.loss(batch(), state())
    expected = torch.autograd.grad(whole.total, list(architecture.parameters.values()))
    found = architecture.gradients(batch(), state())
    torch.testing.assert_close(found.total, whole.total.detach())
    torch.testing.assert_close(found.terms, {k: v.detach() for k, v in whole.terms.items()})
    assert torch.equal(found.fired_F, whole.fired_F)
    assert found.l0 == pytest.approx(whole.l0)
    for parameter, gradient in zip(architecture.parameters.values(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_features__reach_only_their_own_and_later_layers() -> None:
    architecture, (x, _) = random_one(), batch()
    with torch.no_grad():
        before = architecture.decode(architecture.encode(x), x)
        x[:, D : 2 * D] += 3.0
        moved = (architecture.decode(architecture.encode(x), x) - before).abs().sum(dim=0)
    assert float(moved[:D].max()) == 0
    assert bool((moved[D:] > 0).all())


def test_folding__keeps_what_is_read_and_written() -> None:
    architecture, (x, _) = random_one(), batch()
    source, target = (
        joined([Affine(torch.full((D,), 1.0 + i), torch.full((D,), s * (i + 1))) for i in range(3)])
        for s in (0.5, 2.0)
    )
    source, target = (Affine(a.shift.double(), a.scale.double()) for a in (source, target))
    with torch.no_grad():
        acts = architecture.encode(x)
        written = architecture.decode(acts, x) / target.scale + target.shift
        folded = architecture.folded(source, target)
    assert isinstance(folded, CrossLayerDictionary)
    raw = x / source.scale + source.shift
    torch.testing.assert_close(folded.encode(raw) > 0, acts > 0)
    torch.testing.assert_close(folded.apply(raw), written)
    torch.testing.assert_close(folded.W_dec.norm(dim=1), torch.ones(F).double())
    dense = raw @ folded.W_enc + folded.b_enc
    assert folded.threshold is not None
    torch.testing.assert_close(dense * (dense > folded.threshold), folded.encode(raw))
    torch.testing.assert_close(folded.encode(raw) @ folded.W_dec + folded.b_dec, written)
    ids = torch.tensor([13, 0, 6, 5])
    torch.testing.assert_close(folded.encode_features(raw, ids), folded.encode(raw)[:, ids])
    assert float(folded.W_dec[EACH : 2 * EACH, :D].abs().max()) == 0


def test_training__explains_outputs_that_come_from_earlier_layers() -> None:
    """Layer 0's features move all later outputs; a transcoder of a layer alone sees no cause."""
    generator = torch.Generator().manual_seed(2)
    causes, width = 24, 16
    read, write = (
        torch.nn.functional.normalize(torch.randn(causes, width, generator=generator))
        for _ in range(2)
    )

    def make() -> Batch:
        on = torch.rand(512, causes, generator=generator) < 0.05
        acts = on * (0.5 + torch.rand(512, causes, generator=generator))
        scale = (width / (causes * 0.05 * 13 / 12)) ** 0.5
        noise = torch.randn(512, width, generator=generator)
        x, y = acts @ read * scale, acts @ write * scale
        return Batch(torch.cat([x, noise], dim=1), torch.cat([y, y], dim=1))

    setup = Setup(
        width=2 * width, features=96, steps=800, out_width=2 * width, parts=(width, width)
    )
    architecture = CrossLayerTranscoder(setup, generator)
    train_on(architecture, make, steps=800, lr=2e-3, sparsity=0.5)
    x, y = make()
    with torch.no_grad():
        acts = architecture.encode(x)
        error = (architecture.decode(acts, x) - y).square().sum(dim=0)
    fvu: Tensor = error / (y - y.mean(dim=0)).square().sum(dim=0)
    assert float(fvu[:width].mean()) < 0.2
    assert float(fvu[width:].mean()) < 0.2
    assert float((acts > 0).double().sum(dim=1).mean()) < 20
