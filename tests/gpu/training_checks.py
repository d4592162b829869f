"""Training on a card: right gradients, curves of low precision, the time of a step, copies."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from bench import Bench, Figure, apart
from torch import Tensor

from sae_desktop.devices.abilities import has_native_bfloat16
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup, StepState
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.training.rows.batches import Batches
from sae_desktop.training.rows.data import Side, Sides
from sae_desktop.training.trainer import Recipe, train_step

STEPS = 100_000
"""Of the run that timed steps are taken from."""
CURVES = ("matryoshka", "topk", "jumprelu", "standard")
STEP_OVER_PRODUCTS = 1.5
"""Of those that keep k, which are sparse from the start; others begin with half of all active.
On the CPU a step takes .36 to .85 of its five products (`training_step.py`)."""


def gradients(bench: Bench) -> list[Figure]:
    """Hold every architecture's fast gradients to autograd's of its formula, on the device."""
    setup = Setup(width=32, features=256, steps=100, k=8)
    setups = {"": setup, ", skip": replace(setup, out_width=24, skip=True)}
    return [
        Figure(f"gradients of {name}{kind}, from autograd’s", _worst(bench, name, made), most=1e-3)
        for name in ARCHITECTURES
        for kind, made in setups.items()
    ]


def _worst(bench: Bench, name: str, setup: Setup) -> float:
    x_TI = bench.rows(192, 1, setup.width)
    y_TO = x_TI if setup.out_width is None else bench.rows(192, 2, setup.out_width)
    generator = torch.Generator().manual_seed(0)
    architecture = ARCHITECTURES[name](setup, generator)
    architecture.initialise_from(Batch(x_TI.cpu(), x_TI.cpu() if y_TO is x_TI else y_TO.cpu()))
    for bias in ("b_enc", "b_dec"):  # off the thresholds that they were set to
        value = architecture.parameters[bias]
        value += 0.1 * torch.randn(value.shape, generator=generator)
    architecture.to(bench.device)
    dead_F = torch.arange(setup.features, device=bench.device) % 17 == 0
    batch, state = Batch(x_TI, y_TO), StepState(0.7, dead_F)
    parameters = architecture.parameters
    expected = torch.autograd.grad(
        architecture.loss(batch, state).total, list(parameters.values()),
        allow_unused=True, materialize_grads=True,
    )  # fmt: skip
    architecture.gradients(batch, state)
    found = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters.values()]
    return max(
        apart(mine, wanted)
        for mine, wanted in zip(found, expected, strict=True)
        if float(wanted.abs().max()) > 0
    )


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Let products of float32 be made in TF32, or not."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if on else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def curves(bench: Bench) -> list[Figure]:
    """Train in bfloat16 and in TF32 to the loss that float32 reaches."""
    sizes, pool = bench.sizes, bench.rows(16 * bench.sizes.batch)
    low = {"TF32": (torch.float32, True), "bfloat16": (torch.bfloat16, False)}
    found = []
    for name in CURVES:
        whole = _reached(bench, name, pool, torch.float32, high=False)
        for told, (precision, high) in low.items():
            loss = _reached(bench, name, pool, precision, high=high)
            found.append(
                Figure(
                    f"loss of {name} after {sizes.learnt} steps, {told} over float32",
                    loss / whole,
                    least=0.95,
                    most=1.05,
                )
            )
    return found


def _reached(bench: Bench, name: str, pool: Tensor, precision: torch.dtype, *, high: bool) -> float:
    sizes = bench.sizes
    setup = Setup(
        sizes.width, sizes.features // 4, steps=sizes.learnt, k=sizes.k, precision=precision
    )
    lr = ARCHITECTURES[name].default_lr(setup.features, sizes.learnt)
    state = bench.begun(name, setup, pool[: sizes.batch], lr)
    recipe = Recipe(sizes.learnt, lr, ARCHITECTURES[name].default_sparsity, 10**12)
    last: list[Tensor] = []
    with tf32(high):
        for step in range(sizes.learnt):
            first = step * sizes.batch % len(pool)
            report = train_step(state, recipe, Batch.of(pool[first : first + sizes.batch]))
            last = [*last[-max(1, sizes.learnt // 10) :], report.loss]
    return float(torch.stack(last).mean())


def step_time(bench: Bench) -> list[Figure]:
    """Time a step over its five dense products, and count where the host waits for the card."""
    sizes, x_TD = bench.sizes, bench.rows(bench.sizes.batch)
    precision = torch.bfloat16 if has_native_bfloat16(bench.device) else torch.float32
    found = []
    products = bench.seconds(_products(bench, precision))
    for name in ARCHITECTURES:
        setup = Setup(sizes.width, sizes.features, steps=STEPS, k=sizes.k, precision=precision)
        state = bench.begun(name, setup, x_TD, 1e-6)
        recipe = Recipe(STEPS, 1e-6, ARCHITECTURES[name].default_sparsity, 10**12)

        def step(state: Any = state, recipe: Recipe = recipe) -> None:
            train_step(state, recipe, Batch.of(x_TD))

        took = bench.seconds(step)
        found.append(Figure(f"step of {name}", 1000 * took, "ms"))
        found.append(
            Figure(
                f"step of {name} over five products in {str(precision)[6:]}",
                took / products,
                most=bench.limit(99.0 if ARCHITECTURES[name].aims else STEP_OVER_PRODUCTS),
            )
        )
        if bench.timed:
            found.append(Figure(f"waits for the card in a step of {name}", _waits(step)))
        del state
    return found + _peers(bench, x_TD, products)


def _products(bench: Bench, precision: torch.dtype) -> Callable[[], None]:
    T, D, F = bench.sizes.batch, bench.sizes.width, bench.sizes.features

    def made(*shape: int) -> Tensor:
        return torch.randn(shape, device=bench.device).to(precision)

    x_TD, f_TF, W_FD, out = made(T, D), made(T, F), made(F, D), made(T, F)

    def five() -> None:
        torch.mm(x_TD, W_FD.T, out=out)
        f_TF @ W_FD
        torch.mm(x_TD, W_FD.T, out=out)
        f_TF.T @ x_TD
        out.T @ x_TD

    return five


def _waits(step: Callable[[], None]) -> int:
    """Return how often torch says that the host waited, in one step."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in told)


def _peers(bench: Bench, x_TD: Tensor, products: float) -> list[Figure]:
    """Time the steps of SAELens and sparsify in the same run, where they are installed."""
    from step_arms import MissingPeerError, Size, saelens_arm, sparsify_arm

    size = Size(bench.sizes.width, bench.sizes.features, bench.sizes.batch, bench.sizes.k)
    found = []
    for make in (saelens_arm, sparsify_arm):
        try:
            arm = make("topk", size, bench.device)
        except MissingPeerError as error:
            print(f"  left out: {error}")
            continue
        took = bench.seconds(lambda arm=arm: arm.step(x_TD))
        found.append(Figure(f"step of {arm.name} over five products", took / products))
    return found


class _Feed:
    """Rows of the memory, round and round."""

    def __init__(self, rows: np.ndarray[Any, Any]) -> None:
        self._rows = rows

    def take(self, position: int, count: int) -> list[np.ndarray[Any, Any]]:
        return [self._rows[(np.arange(position, position + count)) % len(self._rows)]]

    def close(self) -> None:
        pass


def copies(bench: Bench) -> list[Figure]:
    """Train from the memory as fast as from the card, on the very same rows."""
    sizes = bench.sizes
    stored = bench.rows(8 * sizes.batch).half().cpu()
    affine = Affine(torch.full((sizes.width,), 0.1), torch.full((sizes.width,), 1.5))
    steps = max(8, sizes.timed)
    precision = torch.bfloat16 if has_native_bfloat16(bench.device) else torch.float32
    setup = Setup(sizes.width, sizes.features, steps=STEPS, k=sizes.k, precision=precision)
    resident = affine.apply(stored.float()).to(bench.device)
    state = bench.begun("topk", setup, resident[: sizes.batch], 1e-6)
    recipe = Recipe(STEPS, 1e-6, 0.0, 10**12)

    def batches() -> Batches:
        return Batches(
            _Feed(stored.numpy()), Sides(Side((affine,))), batch=sizes.batch, start=0,
            total=steps * sizes.batch, device=bench.device,
        )  # fmt: skip

    worst = 0.0
    for number, batch in enumerate(batches()):
        first = number * sizes.batch % len(resident)
        worst = max(worst, apart(batch.x_TI, resident[first : first + sizes.batch]))

    def from_memory() -> None:
        for batch in batches():
            train_step(state, recipe, batch)

    def from_card() -> None:
        for number in range(steps):
            first = number * sizes.batch % len(resident)
            train_step(state, recipe, Batch.of(resident[first : first + sizes.batch]))

    there, here = bench.seconds(from_memory, 3), bench.seconds(from_card, 3)
    return [
        Figure("rows that were copied, from those computed at once", worst, most=1e-5),
        Figure(
            f"{steps} steps from the memory over as many from the card",
            there / here,
            most=bench.limit(1.15),
        ),
    ]
