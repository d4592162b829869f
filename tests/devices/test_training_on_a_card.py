"""A training step of every architecture on a pretended card: where its tensors are, what waits."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from pretended_device import KINDS, Watched, pretended
from torch import Tensor

from sae_desktop.dictionary import selection
from sae_desktop.dictionary.architectures import (
    ARCHITECTURES,
    Architecture,
    Batch,
    Setup,
    gated,
    standard,
)
from sae_desktop.dictionary.architectures._cross_layer import CrossLayerTranscoder
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.resampling import can_resample, resample
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

T, D, OUT, F, K, STEPS = 24, 8, 6, 48, 3, 3
ALL: dict[str, type[Architecture]] = {**ARCHITECTURES, "cross-layer": CrossLayerTranscoder}

SETUPS = {
    "dictionary": Setup(D, F, steps=100, k=K),
    "transcoder": Setup(D, F, steps=100, k=K, out_width=OUT),
    "skip": Setup(D, F, steps=100, k=K, out_width=OUT, skip=True),
    "crosscoder": Setup(D, F, steps=100, k=K, parts=(5, 3)),
    "aims at k": Setup(D, F, steps=100, k=K, aims_at_k=True),
    "bfloat16": Setup(D, F, steps=100, k=K, precision=torch.bfloat16),
    "read twice": Setup(D, F, steps=100, k=K, lista_step=0.3, leave_one_out=0.5),
}

WAITS_FOR = {
    "dictionary/selection:true_places": "how many pairs are kept, which the next sizes depend on",
    "dictionary/selection:largest_per_row": "how many of the candidates are kept",
    "dictionary/selection:_best_of_each_row": "the most pairs of a row: the width of a table",
    "dictionary/selection:_largest": "how many ties there are at the smallest that is kept",
    "dictionary/selection:__call__": "the guess where the largest of the next batch begin",
    "dictionary/selection:_guess": "the first guess of a run",
    "dictionary/kernels:counts_F": "the size of a count by feature, as torch counts",
    "dictionary/kernels:row_starts": "the size of a count by row, as torch counts",
    "dictionary/architectures/_k_sparse:_has_auxiliary": "whether a feature is dead",
    "dictionary/architectures/_k_sparse:_auxiliary_gradients": "how many features are dead",
    "dictionary/architectures/standard:gradients": "L0, which λ and the way of the step follow",
    "dictionary/architectures/gated:loss": "L0, as above",
    "dictionary/architectures/gated:_sparse_gradients": "L0, as above",
    "dictionary/architectures/_cross_layer:loss": "L0, which λ follows",
}
"""Where a step may wait for the card, and what for. Any other place is a fault."""


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BLOCK_BYTES", 1)
    monkeypatch.setattr(selection, "FEWEST_ROWS", 16)


def setup_of(name: str, kind: str) -> Setup:
    """Return the setup of a case; skips what the architecture does not know."""
    setup = SETUPS[kind]
    if name == "cross-layer":
        if kind not in ("dictionary", "aims at k"):
            pytest.skip("it is of one kind")
        return replace(setup, out_width=D, parts=(D // 2, D // 2))
    if kind == "aims at k" and not ALL[name].aims:
        pytest.skip("it does not aim at k")
    if kind == "read twice" and not getattr(ALL[name], "reads_twice", False):
        pytest.skip("it reads once")
    return setup


def batch_of(setup: Setup, step: int) -> Batch:
    generator = torch.Generator().manual_seed(step)
    x_TI = torch.randn(T, setup.width, generator=generator)
    if setup.out_width is None:
        return Batch.of(x_TI)
    return Batch(x_TI, torch.randn(T, setup.out_width, generator=generator))


def begun(name: str, setup: Setup, device: torch.device) -> TrainerState:
    architecture = ALL[name](setup, torch.Generator().manual_seed(0))
    architecture.initialise_from(batch_of(setup, 99))
    architecture.to(device)
    counter = FiringCounter(setup.features, device)
    return TrainerState(architecture, make_optimiser(architecture, 1e-3), counter)


def trained(
    name: str, setup: Setup, device: torch.device, watched: Watched | None = None
) -> TrainerState:
    """Return an architecture after a few steps, the third of its features being dead."""
    state = begun(name, setup, device)
    recipe = Recipe(100, 1e-3, 0.5, dead_window=T, aims_at_k=setup.aims_at_k)
    state.firing.silent_rows[: F // 3] = T
    for step in range(STEPS):
        if watched is not None and step == 1:
            watched.waits.clear()  # the first step makes what the others use
        x_TI, y_TO = batch_of(setup, step)
        x = x_TI.to(device, non_blocking=True)
        batch = Batch(x, x if y_TO is x_TI else y_TO.to(device, non_blocking=True))
        report = train_step(state, recipe, batch)
        assert report.loss.device == report.gradient_norm.device == device
    return state


def tensors_of(state: TrainerState) -> Iterator[tuple[str, Tensor]]:
    yield from state.architecture.parameters.items()
    yield "silent rows", state.firing.silent_rows
    yield "counts", state.firing.recent_counts
    for name, parameter in state.architecture.parameters.items():
        for moment, value in state.optimiser.state[parameter].items():
            yield f"{moment} of {name}", value


@pytest.mark.parametrize("kind", SETUPS)
@pytest.mark.parametrize("device", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_step__stays_on_the_card_and_does_what_it_does_on_the_cpu(
    name: str, device: str, kind: str
) -> None:
    setup = setup_of(name, kind)
    expected = dict(tensors_of(trained(name, setup, torch.device("cpu"))))
    with pretended(device) as watched:
        state = trained(name, setup, watched.device, watched)
        for told, tensor in tensors_of(state):
            assert tensor.device == watched.device, told
        found = {told: tensor.detach() for told, tensor in tensors_of(state)}
        waited = watched.functions()
        folded = state.architecture.folded(*_affines(setup, watched.device))
        x = batch_of(setup, 5).x_TI.to(watched.device)
        acts = folded.encode(x)
        assert folded.decode(acts, x).device == acts.device == watched.device
        some = folded.encode_features(x, torch.tensor([1, 4]))
        torch.testing.assert_close(some.cpu(), acts[:, [1, 4]].cpu())
        for part in folded.active(x):
            assert part.device == watched.device
    for told, tensor in found.items():
        torch.testing.assert_close(tensor, expected[told].detach(), rtol=1e-3, atol=5e-5)
    assert waited <= set(WAITS_FOR), sorted(waited - set(WAITS_FOR))


def _affines(setup: Setup, device: torch.device) -> tuple[Affine, Affine]:
    out = setup.width if setup.out_width is None else setup.out_width
    source, target = (Affine(torch.zeros(n), torch.ones(n)).to(device) for n in (setup.width, out))
    return (source, source) if setup.out_width is None else (source, target)


@pytest.mark.parametrize("device", KINDS)
@pytest.mark.parametrize("share", [0.0, 2.0], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", ["standard", "gated"])
def test_both_ways_of_a_step__stay_on_the_card(
    name: str, share: float, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr({"standard": standard, "gated": gated}[name], "SPARSE_SHARE", share)
    setup = SETUPS["crosscoder"]
    with pretended(device) as watched:
        trained(name, setup, watched.device, watched)
        assert watched.functions() <= set(WAITS_FOR)


@pytest.mark.parametrize("device", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_resampling_and_densities__work_on_the_card(name: str, device: str) -> None:
    setup = setup_of(name, "dictionary")
    with pretended(device) as watched:
        state = trained(name, setup, watched.device)
        assert state.firing.take_densities().shape == (F,)
        if not can_resample(state.architecture):
            pytest.skip("it cannot reinitialise features")
        state.firing.silent_rows[: F // 3] = T
        dead = int(state.firing.dead(T).sum())
        assert resample(state, T, batch_of(setup, 7), seed=0) == dead
        for told, tensor in tensors_of(state):
            assert tensor.device == watched.device, told
