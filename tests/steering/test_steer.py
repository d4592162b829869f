"""Steering changes what it says it changes, streams what it returns, and leaves plain plain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.opened import OpenedIndex, open_index
from sae_desktop.language_model.capture import capture
from sae_desktop.language_model.intervene import intervention
from sae_desktop.project import Project
from sae_desktop.steering.config import Clamp, SteerConfig, SteeredToken, SteerResult
from sae_desktop.steering.generate import continuations, steer_row
from sae_desktop.steering.interventions import clamp
from sae_desktop.steering.job import clamp_transform, steer
from sae_desktop.steering.token_stream import TokenStream

PROMPT = "In the beginning God created"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("steer"), toy_model_folder)


@pytest.fixture
def opened(project: Project) -> OpenedIndex:
    return open_index(str(project.path), "i", "cpu")


@pytest.fixture
def feature(opened: OpenedIndex) -> int:
    return int(opened.index.columns["density"].argmax())


def run(
    project: Project, clamps: list[Clamp], context: RecordingContext | None = None, **rest: Any
) -> SteerResult:
    settings = {"prompt": PROMPT, "max_new_tokens": 12} | rest
    config = SteerConfig(project=str(project.path), index="i", clamps=clamps, **settings)
    return steer(config, context or RecordingContext())


def prompt_ids(opened: OpenedIndex) -> list[int]:
    return opened.bos + opened.lm.encode(PROMPT)


def test_clamp__to_its_own_value_leaves_the_logits(opened: OpenedIndex, feature: int) -> None:
    lm, dictionary = opened.lm, opened.dictionary
    ids, chosen = torch.tensor([prompt_ids(opened)]), torch.tensor([feature, 3])

    def to_itself(x: torch.Tensor) -> torch.Tensor:
        acts = dictionary.encode_features(x, chosen)
        return clamp(x, acts, acts, dictionary.W_dec[chosen])

    with torch.no_grad():
        plain = lm.model(ids).logits
        with intervention(lm, opened.site, to_itself):
            clamped = lm.model(ids).logits
    torch.testing.assert_close(clamped, plain, rtol=0, atol=1e-4)


def test_clamp__is_the_reconstruction_with_the_value_set_plus_the_error(
    opened: OpenedIndex, feature: int
) -> None:
    dictionary = opened.dictionary
    x = capture(opened.lm, torch.tensor([prompt_ids(opened)]), None, opened.site)
    acts = dictionary.encode(x)
    error = x - dictionary.decode(acts)
    changed = acts.clone()
    changed[..., feature] = 2.5
    chosen = torch.tensor([feature])
    out = clamp(x, acts[..., chosen], torch.tensor([2.5]), dictionary.W_dec[chosen])
    torch.testing.assert_close(out, dictionary.decode(changed) + error, rtol=1e-4, atol=1e-4)


def test_clamp__to_nothing_is_ablation(opened: OpenedIndex, feature: int) -> None:
    ids = torch.tensor([prompt_ids(opened)] * 2)
    x = capture(opened.lm, ids, None, opened.site)
    out = clamp_transform(opened, [Clamp(feature=feature, clamp=0.0)])(x)
    acts = opened.dictionary.encode(x)[1, 1:, feature, None]
    expected = x[1, 1:] - acts * opened.dictionary.W_dec[feature]
    torch.testing.assert_close(out[1, 1:], expected, rtol=1e-5, atol=1e-5)


def test_transform__leaves_the_plain_row_and_the_bos_alone(
    opened: OpenedIndex, feature: int
) -> None:
    x = capture(opened.lm, torch.tensor([prompt_ids(opened)] * 2), None, opened.site)
    transform = clamp_transform(opened, [Clamp(feature=feature, clamp=5.0)])
    out = transform(x)
    assert torch.equal(out[0], x[0])
    assert torch.equal(out[1, 0], x[1, 0])
    assert (out[1, 1:] != x[1, 1:]).any(-1).all()
    later = transform(x[:, 3:4])  # a step with a cache: its only token is no BOS
    assert (later[1] != x[1, 3:4]).any()
    every = steer_row(lambda y: y + 1, skip_first=False)(x)
    assert torch.equal(every[1], x[1] + 1)


def test_several_clamps__add_up(opened: OpenedIndex) -> None:
    alive = opened.index.columns["max_activation"].argsort()[-2:]
    both = [Clamp(feature=int(f), clamp=c) for f, c in zip(alive, (2.0, -1.0), strict=True)]
    x = capture(opened.lm, torch.tensor([prompt_ids(opened)] * 2), None, opened.site)
    apart = [clamp_transform(opened, [item])(x) - x for item in both]
    together = clamp_transform(opened, both)(x) - x
    torch.testing.assert_close(together, apart[0] + apart[1], rtol=1e-4, atol=1e-4)


def test_plain__equals_an_unhooked_generation(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    result = run(project, [Clamp(feature=feature, clamp=8.0)])
    ids = torch.tensor([prompt_ids(opened)])
    out = opened.lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
    )
    new = [int(i) for i in out[0, ids.shape[1] :] if int(i) not in opened.lm.eos_ids]
    names = opened.lm.token_bytes()
    assert result.plain == b"".join(names[i] for i in new).decode(errors="replace")


def test_steered__with_a_cache_equals_the_whole_forward_each_time(
    opened: OpenedIndex, feature: int
) -> None:
    clamps = [Clamp(feature=feature, clamp=6.0)]
    steps = list(
        continuations(
            opened.lm, prompt_ids(opened), opened.site, clamp_transform(opened, clamps),
            max_new_tokens=6, temperature=0, seed=0,
        )
    )  # fmt: skip
    ids = prompt_ids(opened)
    for step in steps:
        whole = torch.tensor([ids, ids])
        with torch.no_grad(), intervention(opened.lm, opened.site, clamp_transform(opened, clamps)):
            logits = opened.lm.model(whole).logits[1, -1]
        torch.testing.assert_close(step.logits_2V[1], logits, rtol=1e-3, atol=1e-3)
        assert step.ids[1] is not None
        ids = [*ids, step.ids[1]]


def test_next_tokens__hold_both_probabilities_and_move_with_the_clamp(
    project: Project, feature: int
) -> None:
    still = run(project, [])
    moved = run(project, [Clamp(feature=feature, clamp=8.0)])
    assert still.plain == still.steered
    for token in still.next_tokens:  # two rows of a batch differ in their last bits
        assert token.plain == pytest.approx(token.steered, rel=1e-5)
    assert len(moved.next_tokens) == 10
    change = max(abs(token.plain - token.steered) for token in moved.next_tokens)
    assert change > 0.01
    best = [max(token.plain, token.steered) for token in moved.next_tokens]
    assert best == sorted(best, reverse=True)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_stream__adds_up_to_the_result(project: Project, feature: int, temperature: float) -> None:
    context = RecordingContext()
    clamps = [Clamp(feature=feature, clamp=4.0)]
    result = run(project, clamps, context, temperature=temperature, seed=3, max_new_tokens=30)
    pieces = [item for item in context.outputs if isinstance(item, SteeredToken)]
    assert "".join(piece.plain for piece in pieces) == result.plain
    assert "".join(piece.steered for piece in pieces) == result.steered
    assert [piece.position for piece in pieces] == list(range(len(pieces)))
    assert pieces[0].next_tokens == result.next_tokens
    assert not any(piece.next_tokens for piece in pieces[1:])


def test_sampling__is_the_seeds_and_the_same_for_both_sides(project: Project) -> None:
    same = [run(project, [], temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert same[0].plain == same[0].steered == same[1].plain
    assert same[0].plain != same[2].plain


def test_a_side_that_ended__hands_nothing_more(
    project: Project, opened: OpenedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(project, [], temperature=1.0, seed=5, max_new_tokens=20)
    steps = list(
        continuations(
            opened.lm, prompt_ids(opened), opened.site, None,
            max_new_tokens=20, temperature=1.0, seed=5,
        )
    )  # fmt: skip
    fifth = steps[4].ids[0]
    assert fifth is not None
    monkeypatch.setitem(opened.lm.__dict__, "eos_ids", frozenset({fifth}))
    ended = run(project, [], temperature=1.0, seed=5, max_new_tokens=20)
    first = next(n for n, step in enumerate(steps) if step.ids[0] == fifth)
    names = opened.lm.token_bytes()
    expected = b"".join(names[s.ids[0] or 0] for s in steps[:first]).decode(errors="replace")
    assert ended.plain == expected
    assert len(ended.plain) < len(whole.plain)


def test_token_stream__holds_a_character_until_it_is_whole() -> None:
    bridge = "🌉".encode()
    stream = TokenStream([bridge[:1], bridge[1:3], bridge[3:], b" a", b"\xff"])
    assert [stream.push(i) for i in (3, 0, 1, 2, 3)] == [" a", "", "", "🌉", " a"]
    assert [stream.push(0), stream.push(4), stream.push(None, last=True)] == ["", "��", ""]
    assert stream.push(0, last=True) == "�"
    assert stream.text == " a🌉 a���"


def test_cancel__comes_between_tokens(project: Project) -> None:
    context = RecordingContext(cancel_after=3)
    with pytest.raises(JobCancelledError):
        run(project, [], context)
    assert len(context.outputs) == 3


def test_requests_that_cannot_be__are_refused(
    project: Project, opened: OpenedIndex, feature: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    maxima = opened.index.columns["max_activation"].copy()
    for clamps, rest, message in (
        ([Clamp(feature=99, clamp=1.0)], {}, "no feature 99"),
        ([Clamp(feature=feature, clamp=1.0)] * 2, {}, "clamped twice"),
        ([], {"prompt": "first second " * 40}, "reads at most 64"),
        ([], {"max_new_tokens": 0}, "0 tokens"),
        ([], {"temperature": -1.0}, "temperature"),
        ([], {"chat": True}, "no chat template"),
    ):
        with pytest.raises(UserError, match=message):
            run(project, clamps, **rest)
    maxima[feature] = 0
    monkeypatch.setitem(opened.index.columns, "max_activation", maxima)
    with pytest.raises(UserError, match="never fired"):
        clamp_transform(opened, [Clamp(feature=feature, clamp=1.0)])


def test_generation__ends_with_the_models_context(project: Project, opened: OpenedIndex) -> None:
    context = RecordingContext()
    run(project, [], context, max_new_tokens=500, temperature=1.0)
    assert "leaves room for" in context.lines[0]
    assert len(context.outputs) <= opened.lm.context_size - len(prompt_ids(opened))
