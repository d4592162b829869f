"""Classes of plug-ins as architectures: what is looked at before one is offered, and a trial.

The class is a subclass of `Architecture`, usually of `LinearArchitecture`, with `plugin_api = 1`;
`base.Architecture` says what each method takes and returns.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

from sae_desktop.dictionary.architectures.base import Architecture, Batch, Setup, StepState
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.errors import UserError

_WIDTH, _FEATURES, _ROWS = 6, 16, 32


def problem_of(found: Any) -> str:
    """Return what is wrong with the object of an entry point; "": nothing."""
    if not inspect.isclass(found) or not issubclass(found, Architecture):
        return "is not a subclass of sae_desktop.dictionary.architectures.Architecture"
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        return f"lacks the methods {', '.join(missing)}"
    for name in ("title", "summary"):
        if not isinstance(getattr(found, name, None), str):
            return f"has no “{name}”, a text"
    if not all(isinstance(name, str) for name in found.settings):
        return "has “settings” that are not names of settings"
    return ""


def trial(found: type[Architecture]) -> None:
    """Take one step of a small dictionary and fold it, as a training does.

    Raises UserError for shapes and numbers that a training could not use, and whatever the class
    raises.
    """
    setup = Setup(width=_WIDTH, features=_FEATURES, steps=2, k=2)
    generator = torch.Generator().manual_seed(0)
    made = found(setup, generator)
    batch = Batch.of(torch.randn(_ROWS, _WIDTH, generator=generator))
    made.initialise_from(batch)
    made.to(torch.device("cpu"))  # from here on its parameters are learnt
    state = StepState(found.default_sparsity, torch.zeros(_FEATURES, dtype=torch.bool))
    loss = made.gradients(batch, state)
    same = Affine.scaling(1.0, _WIDTH)
    folded = made.folded(same, same)
    rate = found.default_lr(_FEATURES, 2)
    without = [name for name, tensor in made.parameters.items() if tensor.grad is None]
    for holds, what in (
        (bool(torch.isfinite(loss.total)), "its loss is not a finite number"),
        (tuple(loss.fired_F.shape) == (_FEATURES,), "its “fired_F” is not one count per feature"),
        (not without, f"its parameters have no gradients: {', '.join(without)}"),
        (folded.features == _FEATURES, "its finished dictionary has another number of features"),
        (folded.width == folded.out_width == _WIDTH, "its finished dictionary has another width"),
        (rate > 0, "its learning rate is not above 0"),
    ):
        if not holds:
            raise UserError(
                f"It failed when it was tried: {what}.", next_step="Tell its author, or update it."
            )
