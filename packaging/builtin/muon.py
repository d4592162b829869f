"""Muon: momentum whose every update is orthogonalised (Jordan et al. 2024), batched by shape."""

from __future__ import annotations

from collections.abc import Iterable

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, chosen by its authors for the steepest slope at zero."""


def orthogonalise(
    matrices_NAB: torch.Tensor, steps: int = 5, precision: torch.dtype = torch.bfloat16
) -> torch.Tensor:
    """Nearest semi-orthogonal matrix of each in a batch, roughly (singular values 0.7 to 1.2)."""
    a, b, c = NEWTON_SCHULZ
    x: torch.Tensor = matrices_NAB.to(precision)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.mT if tall else x
    return x.to(matrices_NAB.dtype)


class Muon(torch.optim.Optimizer):
    """For the weight matrices of a network; embeddings and norms belong to another optimiser."""

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        precision: torch.dtype = torch.bfloat16,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        self._precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for parameter in group["params"]:
                by_shape.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in by_shape.items():
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                updates = orthogonalise(
                    self._momenta(parameters, group["momentum"]), precision=self._precision
                )
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)

    def _momenta(self, parameters: list[torch.nn.Parameter], momentum: float) -> torch.Tensor:
        """Nesterov momentum of each parameter, stacked."""
        looked_ahead = []
        for parameter in parameters:
            assert parameter.grad is not None
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - momentum)
            looked_ahead.append(parameter.grad.lerp(state["momentum"], momentum))
        return torch.stack(looked_ahead)
