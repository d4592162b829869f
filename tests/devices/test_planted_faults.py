"""Faults planted in the program, each of which the pretended card must show."""

from typing import Any

import pytest
import torch
from pretended_device import WrongDeviceError, pretended
from test_training_on_a_card import SETUPS, WAITS_FOR, batch_of, trained

from sae_desktop.dictionary import kernels
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, StepState
from sae_desktop.training import resampling
from sae_desktop.training.measuring.metrics import FiringCounter

SETUP = SETUPS["dictionary"]
READS = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: bool(x.any()),
    "cpu": lambda x: x.cpu(),
    "tolist": lambda x: x.tolist(),
}
"""Ways to read a number, each of which lets the host wait."""


def test_tensor_of_the_cpu_in_a_step__is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_starts", lambda counts: (counts.cumsum(0) - counts).cpu())
    with pretended() as watched, pytest.raises(WrongDeviceError, match="several devices"):
        trained("topk", SETUP, watched.device)


def test_gradient_of_the_cpu__is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    topk = ARCHITECTURES["topk"]
    plain = topk.constrain_parameters

    def left_behind(self: Any) -> None:
        plain(self)
        self.parameters["b_dec"].grad = torch.zeros(len(self.parameters["b_dec"]))

    monkeypatch.setattr(topk, "constrain_parameters", left_behind)
    with pretended() as watched, pytest.raises(WrongDeviceError, match="gradient"):
        trained("topk", SETUP, watched.device)


@pytest.mark.parametrize("read", READS)
def test_number_read_in_the_loop__is_caught(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = FiringCounter.update

    def reading(self: FiringCounter, fired_F: torch.Tensor, rows: int) -> None:
        plain(self, fired_F, rows)
        with torch.no_grad():
            _look_at(fired_F)

    # In a function of the program's, since waits are told by who asked.
    code = compile("def _look_at(x): return read(x)", kernels.__file__, "exec")
    space: dict[str, Any] = {"read": READS[read]}
    exec(code, space)
    _look_at = space["_look_at"]
    monkeypatch.setattr(FiringCounter, "update", reading)
    with pretended() as watched:
        trained("topk", SETUP, watched.device, watched)
    assert watched.functions() - set(WAITS_FOR) == {"dictionary/kernels:_look_at"}


def test_double_precision_on_metal__is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = resampling.row_losses
    monkeypatch.setattr(resampling, "row_losses", lambda *given: plain(*given).double())
    for kind, there in (("cuda:0", True), ("mps:0", False)):
        with pretended(kind) as watched:
            state = trained("topk", SETUP, watched.device)
            state.firing.silent_rows[:8] = 10**6
            if there:
                assert resampling.resample(state, 10**6, batch_of(SETUP, 7), seed=0) == 8
                continue
            with pytest.raises(WrongDeviceError, match="no float64"):
                resampling.resample(state, 10**6, batch_of(SETUP, 7), seed=0)


def test_generator_of_the_cpu__is_caught() -> None:
    with pretended() as watched, pytest.raises(WrongDeviceError, match="generator"):
        torch.randn(3, device=watched.device, generator=torch.Generator())
    with pretended() as watched, pytest.raises(WrongDeviceError, match="generator"):
        torch.zeros(3, device=watched.device).uniform_(generator=torch.Generator())


def test_backward_pass__is_watched_too() -> None:
    """What autograd does by itself passes no function of torch's Python."""
    with pretended() as watched:
        W = torch.ones(3, device=watched.device).requires_grad_()
        left_behind = torch.ones(3)

        class Wrong(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
                return x * 2

            @staticmethod
            def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
                return grads[0] + left_behind

        with pytest.raises(WrongDeviceError, match="several devices"):
            Wrong.apply(W).sum().backward()


def test_step_state_of_a_plain_formula__is_told_apart_from_the_fast_one() -> None:
    """The plain formula, which autograd differentiates, stays on the card as well."""
    for name in ARCHITECTURES:
        with pretended() as watched:
            made = ARCHITECTURES[name](SETUP, torch.Generator().manual_seed(0))
            made.to(watched.device)
            x_TI = batch_of(SETUP, 1).x_TI.to(watched.device)
            dead_F = torch.arange(SETUP.features, device=watched.device) < 9
            made.loss(Batch.of(x_TI), StepState(0.5, dead_F)).total.backward()
            for parameter in made.parameters.values():
                assert parameter.grad is None or parameter.grad.device == watched.device
