"""Steering under a condition equals a hook written by hand, with cache, batch and padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from steered_project import OTHER, act, ids_of, positions_of, run

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, Intervention, RandomDirection, Sampling, Variant
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.generate import cache_name, continuations
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer

TOKENS = 8
GREEDY = Sampling(max_new_tokens=TOKENS, repetition_penalty=1.0)


def steered_logits(
    project: Project, opened: OpenedIndex, variants: list[Variant], prompts: list[list[int]]
) -> torch.Tensor:
    """Return the logits (T, B, V) of each step of a greedy generation."""
    preparer, positions = Preparer(str(project.path), opened), positions_of(opened, prompts)
    steering = Steering(preparer, [preparer.plan(v.interventions) for v in variants])
    transforms = steering.transforms(positions)
    steps = continuations(opened.lm, prompts, transforms, positions, GREEDY)
    return torch.stack([step.logits_BV for step in steps])


class ByHand:
    """The same generation with a module's hook: its own mask, cache and running state."""

    def __init__(self, opened: OpenedIndex, prompts: list[list[int]], changed: set[int]) -> None:
        self.opened, self.prompts, self.changed = opened, prompts, changed
        self.fired = [False] * len(prompts)
        self.gate: Any = None
        self.since = False
        self.change: Any = None

    def hook(self, module: Any, args: Any, output: Any) -> Any:
        x = output[0] if isinstance(output, tuple) else output
        out, specials = x.clone(), len(self.opened.bos)
        for row in range(len(x)):
            for column in range(x.shape[1]):
                own = self.column + column - self.pads[row] - specials
                if own < 0:
                    continue
                fires = bool(self.gate(x[row, column]) > self.above)
                self.fired[row] = self.fired[row] or fires
                works = self.fired[row] if self.since else fires
                if works and row in self.changed:
                    out[row, column] = self.change(x[row, column])
        return (out, *output[1:]) if isinstance(output, tuple) else out

    def logits(self, above: float) -> torch.Tensor:
        lm, width = self.opened.lm, max(map(len, self.prompts))
        self.above = above
        self.pads = [width - len(p) for p in self.prompts]
        ids = torch.tensor([[0] * n + p for n, p in zip(self.pads, self.prompts, strict=True)])
        mask = torch.tensor([[0] * n + [1] * (width - n) for n in self.pads])
        handle = lm.model.model.layers[1].register_forward_hook(self.hook)
        found, cache, done, kept = [], None, 0, cache_name(lm)
        assert kept is not None
        try:
            for _ in range(TOKENS):
                self.column = done
                places = (mask.cumsum(1) - 1).clamp_min(0)[:, done:]
                with torch.no_grad():
                    out = lm.model(
                        input_ids=ids[:, done:], attention_mask=mask, position_ids=places,
                        use_cache=True, logits_to_keep=1, **{kept: cache},
                    )  # fmt: skip
                cache, done = getattr(out, kept), ids.shape[1]
                found.append(out.logits[:, -1].float())
                ids = torch.cat([ids, found[-1].argmax(-1)[:, None]], dim=1)
                mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=mask.dtype)], dim=1)
        finally:
            handle.remove()
        return torch.stack(found)


@pytest.mark.parametrize("since", [False, True])
@pytest.mark.parametrize("mode", ["clamp", "add", "ablate"])
def test_gated_steering__equals_a_hook_written_by_hand(
    project: Project, opened: OpenedIndex, feature: int, mode: Any, since: bool
) -> None:
    dictionary, prompts = opened.dictionary, [ids_of(opened), ids_of(opened, OTHER)]
    size = float(opened.index.columns["max_activation"][feature])
    gated = int(opened.index.columns["density"].argsort()[-2])
    above = 0.2 * float(opened.index.columns["max_activation"][gated])
    hand = ByHand(opened, prompts, changed={0, 1})
    hand.since = since
    hand.gate = lambda x: dictionary.encode(x[None])[0, gated]

    def change(x: torch.Tensor) -> torch.Tensor:
        a = dictionary.encode(x[None])[0, feature]
        c = {"clamp": 2.0 * size - a, "add": torch.tensor(2.0 * size), "ablate": -a}[mode]
        return x + c * dictionary.W_dec[feature]

    hand.change = change
    asked = act(
        feature=feature, mode=mode, strength=2.0,
        when=Gate(feature=gated, above=above, since=since),
    )  # fmt: skip
    found = steered_logits(project, opened, [asked, asked], prompts)
    wanted = hand.logits(above)
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)
    assert torch.equal(found.argmax(-1), wanted.argmax(-1))
    plain = steered_logits(project, opened, [PLAIN, PLAIN], prompts)
    always = act(feature=feature, mode=mode, strength=2.0)
    ungated = steered_logits(project, opened, [always, always], prompts)
    for other in (plain, ungated) if mode != "ablate" else ():  # what is silent is not missed
        assert float((found - other).abs().max()) > 1e-3


def test_gate_that_never_opens__leaves_the_text_bit_for_bit(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    never = act(feature=feature, strength=9.0, when=Gate(feature=feature, above=1e9))
    prompts = [ids_of(opened), ids_of(opened, OTHER)]
    found = steered_logits(project, opened, [never, PLAIN], prompts)
    assert torch.equal(found, steered_logits(project, opened, [PLAIN, PLAIN], prompts))


def test_gate__says_the_same_of_the_whole_text_as_token_by_token(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    asked = act(feature=feature, strength=2.0, when=Gate(feature=feature, since=True))
    prompt = ids_of(opened)
    preparer, positions = Preparer(str(project.path), opened), positions_of(opened, [prompt])
    steering = Steering(preparer, [preparer.plan(asked.interventions)])
    steps = list(
        continuations(opened.lm, [prompt], steering.transforms(positions), positions, GREEDY)
    )
    without = list(
        continuations(opened.lm, [prompt], steering.transforms(positions), positions, GREEDY,
                      use_cache=False)
    )  # fmt: skip
    for one, other in zip(steps, without, strict=True):
        torch.testing.assert_close(one.logits_BV, other.logits_BV, rtol=0, atol=1e-4)


def test_stop__ends_the_text_where_the_gate_fires(project: Project, opened: OpenedIndex) -> None:
    prompt, positions = ids_of(opened), positions_of(opened, [ids_of(opened)])
    steps = continuations(opened.lm, [prompt], {}, positions, Sampling(max_new_tokens=12))
    written = [int(step.ids[0]) for step in steps if step.ids[0] is not None]
    whole = torch.tensor([prompt + written])
    x_SD = capture(opened.lm, whole, None, opened.site)[0, len(prompt) :]
    acts_SF = opened.dictionary.encode(x_SD)
    rises = int(acts_SF[1:-1].amax(0).argmax())
    above = float(acts_SF[1:-1, rises].max()) - 1e-3
    first = int((acts_SF[:, rises] > above).nonzero()[0])
    gate = Gate(feature=rises, above=above, where="output")
    found = run(project, [PLAIN, Variant(name="stop", stop=[gate])]).variants
    assert (found[0].stopped, found[1].stopped) == (False, True)
    assert (len(found[0].tokens), len(found[1].tokens)) == (len(written), first + 1)
    assert found[0].text.startswith(found[1].text.rstrip("�"))


def test_condition_that_reads_later__is_refused(project: Project, opened: OpenedIndex) -> None:
    late = Intervention(
        direction=RandomDirection(), mode="add", unit="norm", sites=["blocks.0.hook_resid_pre"],
        when=Gate(seed=1),
    )  # fmt: skip
    with pytest.raises(UserError, match="computes after"):
        Preparer(str(project.path), opened).plan([late])
    with pytest.raises(UserError, match="neither a monitor nor a feature"):
        Preparer(str(project.path), opened).gate(Gate())


def test_result__says_on_which_tokens_a_condition_was_open(
    project: Project, opened: OpenedIndex
) -> None:
    acts_SF = opened.encode_text(OTHER)[1]
    fires = int((acts_SF > 0).sum(0).argmax())
    above = float(acts_SF[acts_SF[:, fires] > 0, fires].median()) - 1e-4
    gate = Gate(feature=fires, above=above)
    gated = Variant(
        name="gated", interventions=[Intervention(direction=RandomDirection(), unit="norm",
                                                  mode="add", strength=0.1, when=gate)],
    )  # fmt: skip
    plain, found = run(project, [PLAIN, gated], prompt=OTHER).variants
    assert not plain.prompt_open
    assert not any(token.open for token in plain.tokens)
    # By the reading of the text as it was steered: what comes before decides about each token.
    prompt = ids_of(opened, OTHER)
    steering = Steering(preparer := Preparer(str(project.path), opened),
                        [preparer.plan(gated.interventions)])  # fmt: skip
    positions = positions_of(opened, [prompt])
    seen: list[bool] = []
    steps = continuations(
        opened.lm, [prompt], transforms := steering.transforms(positions), positions,
        Sampling(max_new_tokens=12), stopped=lambda: [False],
    )  # fmt: skip
    assert transforms
    ready = next(c.gate for c in steering._gated[0])
    assert ready is not None
    for _ in steps:
        assert steering.gates is not None
        seen += steering.gates.open(ready, 0).tolist()
    own = seen[len(opened.bos) :]
    count = len(prompt) - len(opened.bos)
    assert any(own)
    assert not all(own)
    told = [n in found.prompt_open for n in range(count)] + [token.open for token in found.tokens]
    assert told[: len(own)] == own
