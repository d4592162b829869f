"""What steered models write: streamed, cached, in batches, swept, and interrupted."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from steered_project import OTHER, PROMPT, act, hooked, ids_of, plain_logits, positions_of, run

from sae_desktop.dictionary import Dictionary
from sae_desktop.engine.explain import explain
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.language_model.load import held_model, release_models
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    PLAIN,
    DecoderRow,
    Intervention,
    MeanDifference,
    RandomDirection,
    Sampling,
    SteerConfig,
    SteeredToken,
    SweepStrengthsConfig,
    Variant,
    clamped,
)
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Change, Positions, SteeredSite
from sae_desktop.steering.job import sweep_strengths
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.token_stream import TokenStream


# ---------------------------------------------------------------- generating
@pytest.mark.parametrize("penalty", [Sampling().repetition_penalty, 1.0])
def test_plain__equals_an_unhooked_generation(
    project: Project, opened: OpenedIndex, feature: int, penalty: float
) -> None:
    result = run(project, [PLAIN, clamped({feature: 8.0})], repetition_penalty=penalty)
    ids = torch.tensor([ids_of(opened)])
    out = opened.lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False,
        repetition_penalty=penalty,
    )  # fmt: skip
    new = [int(i) for i in out[0, ids.shape[1] :] if int(i) not in opened.lm.eos_ids]
    names = opened.lm.token_bytes()
    assert result.variants[0].text == b"".join(names[i] for i in new).decode(errors="replace")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_cached_and_uncached_single_and_batched__give_the_same_tokens(
    project: Project, opened: OpenedIndex, feature: int, temperature: float
) -> None:
    variants = [
        PLAIN,
        act(feature=feature, strength=5.0),
        act(feature=feature, strength=4.0, where="output"),
        act(feature=feature, mode="add", strength=-3.0, where="prompt", start=2),
    ]
    prompts = [ids_of(opened), ids_of(opened, OTHER), ids_of(opened), ids_of(opened, OTHER)]
    sampling = Sampling(max_new_tokens=8, temperature=temperature, seed=2)
    preparer = Preparer(str(project.path), opened)

    def tokens(rows: list[int], use_cache: bool) -> list[list[int | None]]:
        plans = [preparer.plan(variants[r].interventions) for r in rows]
        chosen = [prompts[r] for r in rows]
        positions = positions_of(opened, chosen)
        changes = [plan.get(opened.site, []) for plan in plans]
        steered = SteeredSite(changes, opened.dictionary, opened.lm.device)
        steps = continuations(
            opened.lm, chosen, {opened.site: steered.transform(positions)}, positions, sampling,
            use_cache=use_cache,
        )  # fmt: skip
        return [list(row) for row in zip(*(s.ids for s in steps), strict=True)]

    together = tokens([0, 1, 2, 3], use_cache=True)
    assert tokens([0, 1, 2, 3], use_cache=False) == together
    assert [tokens([row], use_cache=True)[0] for row in range(4)] == together


def test_next_tokens__hold_every_variants_probabilities(project: Project, feature: int) -> None:
    still = run(project, [PLAIN, Variant(name="too")])
    assert still.variants[0].text == still.variants[1].text
    for token in still.next_tokens:  # two rows of a batch differ in their last bits
        assert token.probabilities[0] == pytest.approx(token.probabilities[1], rel=1e-5)
    moved = run(project, [PLAIN, clamped({feature: 8.0}), clamped({feature: -8.0})])
    assert len(moved.next_tokens) == 10
    assert {len(t.probabilities) for t in moved.next_tokens} == {3}
    assert max(abs(t.probabilities[0] - t.probabilities[1]) for t in moved.next_tokens) > 0.01
    best = [max(t.probabilities) for t in moved.next_tokens]
    assert best == sorted(best, reverse=True)


def test_comparison__is_what_both_models_say_of_the_same_tokens(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    result = run(project, [PLAIN, clamped({feature: 6.0})], temperature=1.0, seed=1)
    plain, steered = result.variants
    assert plain.typical_strength is None
    assert all(t.kl < 1e-6 for t in plain.tokens)
    assert all(
        t.log_probability == pytest.approx(t.plain_log_probability, abs=1e-4) for t in plain.tokens
    )
    # The first token of either: the probability that was told when it was chosen.
    ids = ids_of(opened)
    first = plain_logits(opened, ids)[-1].log_softmax(-1)
    texts = {opened.lm.tokenizer.decode([i]): float(p) for i, p in enumerate(first)}
    if steered.tokens[0].text in texts:
        told = steered.tokens[0].plain_log_probability
        assert told == pytest.approx(texts[steered.tokens[0].text], abs=1e-3)
    assert steered.kl > 0.01
    assert steered.typical_strength is not None
    assert steered.typical_strength > 0.1
    assert run(project, [PLAIN], compare=False).variants[0].tokens == []


@pytest.mark.parametrize("where", ["all", "prompt", "output"])
def test_strength_in_typical_norms__is_told_wherever_it_is_steered(
    project: Project, feature: int, where: Any
) -> None:
    added = act(feature=feature, mode="add", strength=1.5, unit="norm", where=where)
    steered = run(project, [PLAIN, added], max_new_tokens=6).variants[1]
    assert steered.typical_strength == pytest.approx(1.5, rel=1e-4)


def test_strength_in_typical_norms__does_not_count_a_text_that_has_ended(
    project: Project, opened: OpenedIndex, feature: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = act(feature=feature, mode="add", strength=1.5, unit="norm", where="output")
    first = int(plain_logits(opened, ids_of(opened))[-1].argmax())
    monkeypatch.setitem(opened.lm.__dict__, "eos_ids", frozenset({first}))
    other = run(project, [added, clamped({feature: 20.0})], max_new_tokens=6).variants
    assert other[1].text  # it goes on where the first has ended
    assert (other[0].text, other[0].typical_strength) == ("", None)


def test_figures__are_those_of_both_models_logits_by_hand(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    ids, dictionary = ids_of(opened), opened.dictionary
    value = 6.0 * float(opened.index.columns["max_activation"][feature])
    changes = [Change("clamp", value, dictionary.W_dec[feature], feature)]
    positions = positions_of(opened, [ids])
    steps = continuations(
        opened.lm,
        [ids],
        {opened.site: SteeredSite([changes], dictionary, opened.lm.device).transform(positions)},
        positions,
        Sampling(max_new_tokens=12, temperature=0.0),
    )
    output = [i for step in steps for i in step.ids if i is not None]

    def by_hand(x: torch.Tensor) -> torch.Tensor:
        a = dictionary.encode(x)[..., feature, None]
        a[:, : len(opened.bos)] = value
        return x + (value - a) * dictionary.W_dec[feature]

    before = slice(len(ids) - 1, -1)
    steered_TV = hooked(opened, ids + output, by_hand)[before].double().softmax(-1)
    plain_TV = plain_logits(opened, ids + output)[before].double().softmax(-1)
    rows = torch.arange(len(output))
    kl = (steered_TV * (steered_TV / plain_TV).log()).sum(-1)
    reversed_kl = (plain_TV * (plain_TV / steered_TV).log()).sum(-1)
    assert float((kl - reversed_kl).abs().max()) > 0.01  # the direction can be told

    result = run(project, [clamped({feature: 6.0})], temperature=0.0).variants[0]
    assert result.text == b"".join(opened.lm.token_bytes()[i] for i in output).decode(
        errors="replace"
    )
    assert [t.kl for t in result.tokens] == pytest.approx(kl.tolist(), rel=1e-3, abs=1e-5)
    assert [t.plain_log_probability for t in result.tokens] == pytest.approx(
        plain_TV[rows, output].log().tolist(), abs=1e-3
    )
    assert [t.log_probability for t in result.tokens] == pytest.approx(
        steered_TV[rows, output].log().tolist(), abs=1e-3
    )
    surprise = -plain_TV[rows, output].log().mean()
    assert result.perplexity == pytest.approx(float(surprise.exp()), rel=1e-3)
    assert result.kl == pytest.approx(float(kl.mean()), rel=1e-3)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_stream__adds_up_to_the_result(project: Project, feature: int, temperature: float) -> None:
    context = RecordingContext()
    variants = [PLAIN, clamped({feature: 4.0}), clamped({feature: -4.0})]
    result = run(project, variants, context, temperature=temperature, seed=3, max_new_tokens=30)
    pieces = [item for item in context.outputs if isinstance(item, SteeredToken)]
    for number, variant in enumerate(result.variants):
        assert "".join(piece.texts[number] for piece in pieces) == variant.text
    assert [piece.position for piece in pieces] == list(range(len(pieces)))
    assert pieces[0].next_tokens == result.next_tokens
    assert not any(piece.next_tokens for piece in pieces[1:])


def test_sampling__is_the_seeds_and_the_same_for_all(project: Project) -> None:
    both = [PLAIN, Variant(name="too")]
    same = [run(project, both, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    texts = [[v.text for v in result.variants] for result in same]
    assert texts[0][0] == texts[0][1] == texts[1][0]
    assert texts[0][0] != texts[2][0]
    greedy = run(project, [PLAIN]).variants[0].text
    assert run(project, [PLAIN], temperature=1.0, top_k=1).variants[0].text == greedy
    assert run(project, [PLAIN], temperature=1.0, top_p=1e-6).variants[0].text == greedy


def test_a_row_that_ended__hands_nothing_more(
    project: Project, opened: OpenedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [ids_of(opened)]
    sampling = Sampling(max_new_tokens=20, temperature=1.0, seed=5)
    steps = list(continuations(opened.lm, prompts, {}, positions_of(opened, prompts), sampling))
    fifth = steps[4].ids[0]
    assert fifth is not None
    whole = run(project, [PLAIN], temperature=1.0, seed=5, max_new_tokens=20)
    monkeypatch.setitem(opened.lm.__dict__, "eos_ids", frozenset({fifth}))
    ended = run(project, [PLAIN], temperature=1.0, seed=5, max_new_tokens=20).variants[0]
    first = next(n for n, step in enumerate(steps) if step.ids[0] == fifth)
    names = opened.lm.token_bytes()
    expected = b"".join(names[s.ids[0] or 0] for s in steps[:first]).decode(errors="replace")
    assert ended.text == expected
    assert len(ended.tokens) == first
    assert len(ended.text) < len(whole.variants[0].text)


def test_a_variants_own_prompt__is_continued_beside_the_others(project: Project) -> None:
    result = run(project, [PLAIN, Variant(name="asked", prompt=OTHER)])
    assert [v.prompt for v in result.variants] == [PROMPT, OTHER]
    assert result.variants[1].text == run(project, [PLAIN], prompt=OTHER).variants[0].text


# ---------------------------------------------------------------- sweeps
def test_sweep__measures_every_strength(project: Project, feature: int) -> None:
    strengths = [-8.0, -2.0, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 20.0]
    config = SweepStrengthsConfig(
        project=str(project.path), index="i", prompt=PROMPT,
        variant=Variant(name="x", interventions=[Intervention(feature=feature)]),
        strengths=strengths, watched=[" the", "d"], sampling=Sampling(max_new_tokens=8),
    )  # fmt: skip
    result = sweep_strengths(config, RecordingContext())
    assert [p.strength for p in result.points] == strengths
    assert result.plain.text == run(project, [PLAIN], max_new_tokens=8).variants[0].text
    for point in (result.points[3], result.points[-1]):
        alone = run(project, [clamped({feature: point.strength})], max_new_tokens=8).variants[0]
        assert point.text == alone.text
        assert point.perplexity == pytest.approx(alone.perplexity, rel=1e-3)
    assert all(len(p.watched) == 2 for p in result.points)
    assert result.points[-1].kl > result.points[2].kl
    for bad, said in (
        ({"strengths": []}, "No strength"),
        ({"watched": [""]}, "text whose probability is followed is empty"),
        ({"strengths": [math.nan]}, "strength of nan"),
    ):
        import msgspec

        with pytest.raises(UserError, match=said):
            sweep_strengths(msgspec.structs.replace(config, **bad), RecordingContext())


# ---------------------------------------------------------------- what cannot be
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
        run(project, [PLAIN], context)
    assert len(context.outputs) == 3


def test_requests_that_cannot_be__are_refused(
    project: Project, opened: OpenedIndex, feature: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Variant(name="x", interventions=[Intervention(feature=feature)] * 2)
    other = "blocks.9.hook_resid_post"
    cases: list[tuple[Variant, dict[str, Any], str]] = [
        (clamped({99: 1.0}), {}, "no feature 99"),
        (twice, {}, "set twice"),
        (clamped({feature: math.nan}), {}, "strength of nan"),
        (clamped({feature: 1e9}), {}, "far too large"),
        (act(), {}, "neither a feature nor a direction"),
        (act(direction=RandomDirection()), {}, "no maximum"),
        (
            act(direction=DecoderRow(dictionary="gone", feature=0), unit="norm"),
            {},
            "no dictionary “gone”",
        ),
        (act(direction=DecoderRow(dictionary="d", feature=99), unit="norm"), {}, "no feature 99"),
        (act(direction=MeanDifference(on=["a"], off=["a"]), unit="norm"), {}, "length zero"),
        (act(direction=MeanDifference(on=[], off=["a"]), unit="norm"), {}, "have no tokens"),
        (act(feature=feature, sites=["blocks.2.hook_resid_post"]), {}, "works at the site"),
        (act(feature=feature, mode="add", sites=[other]), {}, "blocks.9"),
        (PLAIN, {"prompt": "first second " * 40}, "reads at most 64"),
        (PLAIN, {"prompt": "  "}, "prompt is empty"),
        (PLAIN, {"max_new_tokens": 0}, "max_new_tokens = 0"),
        (PLAIN, {"temperature": -1.0}, "temperature = -1"),
        (PLAIN, {"top_p": 0.0}, "top_p = 0"),
        (PLAIN, {"top_k": -1}, "top_k = -1"),
        (PLAIN, {"chat": True}, "no chat template"),
    ]
    for variant, rest, message in cases:
        with pytest.raises(UserError, match=message):
            run(project, [variant], **rest)
    with pytest.raises(UserError, match="9 variants"):
        run(project, [PLAIN] * 9)
    maxima = opened.index.columns["max_activation"].copy()
    maxima[feature] = 0
    monkeypatch.setitem(opened.index.columns, "max_activation", maxima)
    with pytest.raises(UserError, match="never fired"):
        Preparer(str(project.path), opened).plan([Intervention(feature=feature)])


def test_generation__ends_with_the_models_context(project: Project, opened: OpenedIndex) -> None:
    context = RecordingContext()
    run(project, [PLAIN], context, max_new_tokens=500, temperature=1.0)
    assert "leaves room for" in context.lines[0]
    assert len(context.outputs) <= opened.lm.context_size - len(ids_of(opened))


# ---------------------------------------------------------------- what goes wrong on the way
def test_model_unloaded_in_mid_generation__takes_nothing_from_the_text(
    project: Project, feature: int
) -> None:
    whole = run(project, [PLAIN, clamped({feature: 5.0})])

    def unload(number: int) -> None:
        if number == 4:
            release_models()
            assert not held_model()

    again = run(project, [PLAIN, clamped({feature: 5.0})], RecordingContext(on_check=unload))
    assert again == whole
    assert run(project, [PLAIN, clamped({feature: 5.0})]) == whole  # and it loads anew


def test_memory_that_runs_out__is_said_and_leaves_the_model_as_it_was(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    whole = run(project, [PLAIN, clamped({feature: 5.0})])
    passes = 0

    def run_out(*_: object) -> None:
        nonlocal passes
        passes += 1
        if passes == 4:
            raise torch.OutOfMemoryError("Tried to allocate 20.00 GiB")

    handle = opened.lm.model.register_forward_pre_hook(run_out)
    try:
        with pytest.raises(torch.OutOfMemoryError) as raised:
            run(project, [PLAIN, clamped({feature: 5.0})])
    finally:
        handle.remove()
    config = SteerConfig(project="p", index="i", prompt=PROMPT, variants=[PLAIN])
    told = explain(raised.value, config)
    assert told.what == "The machine ran out of memory."
    assert "fewer new tokens or fewer texts side by side" in str(told.next_step)
    assert run(project, [PLAIN, clamped({feature: 5.0})]) == whole


def test_result__says_the_prompts_tokens_as_positions_count_them(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    result = run(project, [PLAIN, act(feature=feature, strength=2.0, tokens=[1])], max_new_tokens=1)
    assert "".join(result.prompt_tokens) == PROMPT
    assert len(result.prompt_tokens) == len(opened.lm.encode(PROMPT))
    assert result.typical_norm == Preparer(str(project.path), opened).typical_norm > 0


@pytest.mark.parametrize("norm", ["constant", "layer"])
@pytest.mark.parametrize("unit", ["maximum", "norm"])
def test_clamp__sets_the_activation_of_a_dictionary_that_normalises_rows(
    opened: OpenedIndex, feature: int, norm: Any, unit: Any
) -> None:
    plain = opened.dictionary
    normed = Dictionary(
        plain.W_enc, plain.b_enc, plain.W_dec, plain.b_dec, plain.threshold, row_norm=norm
    )
    x = torch.randn(7, plain.width, generator=torch.Generator().manual_seed(1)) * 3
    change = Change(
        "clamp", 2.0, plain.W_dec[feature], feature, in_activations=unit == "maximum"
    )  # fmt: skip
    site = SteeredSite([[change]], normed, x.device)
    positions = Positions([0], 0, [7])
    changed = site.transform(positions)(x[None])[0]
    acts = normed.encode(x)
    acts[:, feature] = 2.0 if unit == "maximum" else 2.0 / normed.row_scale(x)[:, 0]
    # The reconstruction with the feature set, and the error as it was.
    expected = normed.decode(acts, x) + (x - normed.apply(x))
    torch.testing.assert_close(changed, expected, rtol=1e-4, atol=1e-4)
