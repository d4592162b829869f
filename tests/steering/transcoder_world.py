"""A model with a transcoder, steered by the program and by hooks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from foreign_cases import CASES, Case, W, in_project, input_of, toy_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    Intervention,
)
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer

TRANSCODERS = [name for name, case in CASES.items() if case.written]
SKIP = "circuit-tracer topk with a skip"
PROMPT = "In the beginning God created"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@dataclass(frozen=True)
class World:
    case: Case
    project: Project
    opened: OpenedIndex
    model: Any
    """Loaded by transformers, apart from the one that the program holds."""
    ids: list[int]

    @property
    def features(self) -> list[int]:
        """Three that fire on the prompt, the strongest first."""
        acts = self.acts(self.model)
        return [int(f) for f in acts.amax(0).topk(3).indices]

    def top(self, feature: int) -> float:
        return float(self.opened.index.columns["max_activation"][feature])

    def acts(self, model: Any) -> Tensor:
        """(S, F), of the prompt's own tokens, by plain torch."""
        rows = input_of(self.case.module)(model, torch.tensor([self.ids]))[0]
        return self.case.encode(self.case.read(rows))[len(self.opened.bos) :]

    def double(self) -> World:
        """The same in float64, whose model norms in float64 too."""
        lm, own = copy.copy(self.opened.lm), self.opened.dictionary
        lm.model = copy.deepcopy(lm.model).double()
        assert own.W_skip is not None
        exact = Dictionary(
            own.W_enc.double(), own.b_enc.double(), own.W_dec.double(), own.b_dec.double(),
            k=own.k, W_skip=own.W_skip.double(), metadata=own.metadata,
        )  # fmt: skip
        opened = replace(self.opened, lm=lm, dictionary=exact)
        return replace(self, opened=opened, model=copy.deepcopy(self.model).double())


def make_world(folder: Path, name: str) -> World:
    case = CASES[name]
    path = toy_model(folder, case.model)
    project = in_project(folder, case, path)
    opened = open_index(str(project.path), "i", "cpu")
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    return World(case, project, opened, model, opened.bos + opened.lm.encode(PROMPT))


# ---------------------------------------------------------------- by the program, and by hand
def logits_by_program(world: World, *variants: list[Intervention]) -> Tensor:
    """(B, S, V) of the prompt under each."""
    opened = world.opened
    preparer = Preparer(str(world.project.path), opened)
    steering = Steering(preparer, [preparer.plan(acts) for acts in variants])
    rows, specials = len(variants), len(opened.bos)
    positions = Positions([0] * rows, specials, [len(world.ids) - specials] * rows)
    batch = PaddedTokens.of([world.ids] * rows)
    return forward(opened.lm, batch, steering.transforms(positions), positions)[0]


@dataclass
class ByHand:
    """One change, as the formulas say it; `columns` of the whole sequence are changed."""

    feature: int
    mode: str
    value: float
    columns: slice | list[int]
    direction: Tensor | None = None

    def added(self, acts: Tensor) -> Tensor:
        a = acts[..., self.feature]
        c = {
            "clamp": self.value - a,
            "add": torch.full_like(a, self.value),
            "multiply": (self.value - 1) * a,
            "ablate": -a,
        }[self.mode]
        kept = torch.zeros_like(c)
        kept[:, self.columns] = c[:, self.columns]
        row = W["W_dec"][self.feature] if self.direction is None else self.direction
        return kept[..., None] * row.to(acts)


@contextmanager
def hooked(model: Any, read: str, written: str, case: Case, acts: list[ByHand]) -> Iterator[None]:
    found: list[Tensor] = []

    def before(module: Any, args: Any, kwargs: Any) -> None:
        x = args[0] if args else kwargs["hidden_states"]
        features = case.encode(case.read(x))
        found[:] = [torch.stack([act.added(features) for act in acts]).sum(0)]

    def after(module: Any, args: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (output[0] + found[0], *output[1:])
        return output + found[0]

    handles = [
        model.get_submodule(read).register_forward_pre_hook(before, with_kwargs=True),
        model.get_submodule(written).register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def plain_logits(world: World) -> Tensor:
    with torch.no_grad():
        logits: Tensor = world.model(torch.tensor([world.ids]), use_cache=False).logits[0]
    return logits


def logits_by_hand(world: World, acts: list[ByHand]) -> Tensor:
    case = world.case
    with hooked(world.model, case.module, case.written, case, acts):
        return plain_logits(world)


def own(world: World) -> slice:
    return slice(len(world.opened.bos), None)
