"""A small project that is steered, and the model's own answers."""

from __future__ import annotations

from typing import Any

import torch
from job_contexts import RecordingContext

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    Intervention,
    Sampling,
    SteerConfig,
    SteerResult,
    Variant,
)
from sae_desktop.steering.generate import PaddedTokens
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.job import steer

PROMPT = "In the beginning God created"
OTHER = "def add(first"


def run(
    project: Project,
    variants: list[Variant],
    context: RecordingContext | None = None,
    **rest: Any,
) -> SteerResult:
    own = {k: rest.pop(k) for k in ("prompt", "chat", "compare", "monitors") if k in rest}
    sampling = Sampling(**{"max_new_tokens": 12} | rest)
    config = SteerConfig(
        project=str(project.path), index="i", variants=variants, sampling=sampling,
        **{"prompt": PROMPT} | own,
    )  # fmt: skip
    return steer(config, context or RecordingContext())


def act(**settings: Any) -> Variant:
    return Variant(name="steered", interventions=[Intervention(**settings)])


def ids_of(opened: OpenedIndex, text: str = PROMPT) -> list[int]:
    return opened.bos + opened.lm.encode(text)


def positions_of(opened: OpenedIndex, prompts: list[list[int]]) -> Positions:
    specials = len(opened.bos)
    return Positions(PaddedTokens.of(prompts).pads, specials, [len(p) - specials for p in prompts])


def plain_logits(opened: OpenedIndex, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = opened.lm.model(torch.tensor([ids])).logits[0]
    return logits


def hooked(opened: OpenedIndex, ids: list[int], change: Any) -> torch.Tensor:
    """Return the logits (S, V) with the site changed by a hook written by hand."""
    layer = opened.lm.model.model.layers[1]

    def hook(module: Any, args: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        new = change(first)
        return (new, *output[1:]) if isinstance(output, tuple) else new

    handle = layer.register_forward_hook(hook)
    try:
        return plain_logits(opened, ids)
    finally:
        handle.remove()
