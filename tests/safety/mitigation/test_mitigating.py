"""A mitigation is told beside its rivals, and what wins the behaviour back is reported."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from job_contexts import RecordingContext

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.project import Project
from sae_desktop.safety.mitigation.behaviour import refuses, write
from sae_desktop.safety.mitigation.config import MitigateConfig, MitigateResult
from sae_desktop.safety.mitigation.cost import costs
from sae_desktop.safety.mitigation.job import mitigate
from sae_desktop.safety.mitigation.ways import GATED, RANDOM, UNGATED, Ways, all_ways, matched
from sae_desktop.steering.config import PLAIN, Intervention, Sampling, Variant
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.prepare import Preparer

PROMPTS = ["In the beginning", "def add(first"]


@pytest.fixture(scope="module")
def ways(watched: Project, opened: OpenedIndex) -> Ways:
    return Ways(opened.lm, Preparer(str(watched.path), opened), len(opened.bos))


@pytest.fixture(scope="module")
def gated(opened: OpenedIndex) -> Variant:
    feature = int(opened.index.columns["density"].argmax())
    act = Intervention(feature=feature, strength=4.0, when=Gate(feature=feature))
    return Variant(name="x", interventions=[act])


def run(project: Project, variant: Variant, **settings: Any) -> MitigateResult:
    asked = {"targets": ["e"], "documents": 6, "tries": 0} | settings
    config = MitigateConfig(
        project=str(project.path), index="i", variant=variant, prompts=PROMPTS,
        sampling=Sampling(max_new_tokens=6, repetition_penalty=1.0), context_size=32, **asked,
    )  # fmt: skip
    return mitigate(config, RecordingContext())


def test_outcomes__are_what_is_written_and_what_it_costs_on_the_same_texts(
    watched: Project, ways: Ways, gated: Variant
) -> None:
    result = run(watched, gated, harmless=["In the"])
    assert [one.name for one in result.outcomes] == ["plain", GATED, UNGATED, RANDOM]
    plain, own, always, random = result.outcomes
    assert (plain.loss.value, plain.kl.value, plain.open_share) == (0.0, 0.0, 0.0)
    assert 0 < own.open_share < 1 == always.open_share
    assert random.open_share == own.open_share
    assert own.kl.low <= own.kl.value <= own.kl.high
    assert own.kl.value < always.kl.value
    sampling = Sampling(max_new_tokens=6, repetition_penalty=1.0)
    bos = ways.preparer.opened_of("i").bos
    texts = [write(ways, PLAIN, bos + ways.lm.encode(p), sampling).text for p in PROMPTS]
    assert plain.shown == sum("e" in text.casefold() for text in texts)


def test_random_condition__is_true_as_often_on_the_texts_it_was_matched_on(
    ways: Ways, gated: Variant
) -> None:
    text = ways.lm.encode("In the beginning God created the heaven and the earth. def add")
    bos = ways.preparer.opened_of("i").bos
    texts = [bos + text[start : start + 24] for start in range(0, 40, 4)]
    variants, shares = all_ways(ways, gated, texts, 3)
    gate = variants[-1].interventions[0].when
    assert gate is not None
    assert gate.seed == 3
    _, share = matched(ways, gate, texts, 9)
    assert share == pytest.approx(shares[RANDOM], abs=1.5 / sum(len(t) - len(bos) for t in texts))


def test_cost__is_the_loss_and_the_divergence_of_the_logits(ways: Ways, gated: Variant) -> None:
    bos = ways.preparer.opened_of("i").bos
    ids = bos + ways.lm.encode("In the beginning God created the heaven")
    plain, steered = costs(ways, [PLAIN, gated], [ids], RecordingContext(), 0, 1)
    with torch.no_grad():
        logits = ways.lm.model(torch.tensor([ids])).logits[0, :-1]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]))
    assert plain.loss[0] == pytest.approx(float(loss), rel=1e-5)
    changed = ways.logits(gated, [ids], [0])[0, :-1]
    kl = torch.nn.functional.kl_div(
        logits.log_softmax(-1), changed.log_softmax(-1), log_target=True, reduction="batchmean"
    )
    assert steered.kl[0] == pytest.approx(float(kl), rel=1e-4)


def test_search__tries_what_was_asked_for_and_tells_what_won(
    watched: Project, opened: OpenedIndex, ways: Ways
) -> None:
    """A condition that is always true, and the beginning of the plain text for the behaviour."""
    feature = int(opened.index.columns["density"].argmax())
    act = Intervention(feature=feature, strength=30.0, when=Gate(feature=feature, above=-1.0))
    strong = Variant(name="strong", interventions=[act])
    sampling = Sampling(max_new_tokens=6, repetition_penalty=1.0)

    def written(variant: Variant, prompt: str) -> str:
        return write(ways, variant, opened.bos + ways.lm.encode(prompt), sampling).text

    target = written(PLAIN, PROMPTS[0])[:2]
    assert target.casefold() not in written(strong, PROMPTS[0]).casefold()
    result = run(watched, strong, targets=[target], tries=40, attacked=1)
    assert [one.way for one in result.searched] == [GATED, UNGATED]
    assert [len(one.attacks) for one in result.searched] == [1, 1]
    attack = result.searched[0].attacks[0]
    assert attack.prompt == PROMPTS[0]
    assert 20 <= attack.tries <= 40 or attack.won
    assert attack.won == bool(attack.by)
    assert (result.searched[0].won, attack.gain >= 0) == (int(attack.won), True)
    if attack.by == "another wording":
        assert target.casefold() in written(strong, attack.found).casefold()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"targets": []}, "what the behaviour is"),
        ({"variant": PLAIN}, "has no condition"),
    ],
)
def test_what_cannot_be_tested__is_refused(
    watched: Project, gated: Variant, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        run(watched, settings.pop("variant", gated), **settings)


def test_refusals__are_told_by_how_a_reply_begins() -> None:
    assert refuses("I’m sorry, but that is nothing for me.")
    assert refuses("  As an AI, I have no")
    assert not refuses("Sorrow came over the house, and nobody said a word. " * 3 + "I cannot")
