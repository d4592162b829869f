"""Steering changes what it says it changes, streams what it returns, and leaves plain plain."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.dictionary import Dictionary
from sae_desktop.engine.explain import explain
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.language_model.load import held_model, release_models
from sae_desktop.language_model.sites.intervene import intervention
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
    SteerResult,
    SweepStrengthsConfig,
    Variant,
    clamped,
)
from sae_desktop.steering.generate import PaddedTokens, continuations, forward
from sae_desktop.steering.interventions import Change, Positions, SteeredSite
from sae_desktop.steering.job import steer, sweep_strengths
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.token_stream import TokenStream

PROMPT = "In the beginning God created"
OTHER = "def add(first"
CLOSE = {"rtol": 0, "atol": 1e-4}


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
    project: Project,
    variants: list[Variant],
    context: RecordingContext | None = None,
    **rest: Any,
) -> SteerResult:
    own = {k: rest.pop(k) for k in ("prompt", "chat", "compare") if k in rest}
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


def logits_with(
    project: Project, opened: OpenedIndex, variants: list[Variant], prompts: list[list[int]]
) -> torch.Tensor:
    """Return the logits (B, S, V) of prompts under their variants, in one batch."""
    preparer = Preparer(str(project.path), opened)
    plans = [preparer.plan(v.interventions) for v in variants]
    positions = positions_of(opened, prompts)
    transforms = Steering(preparer, plans).transforms(positions)
    return forward(opened.lm, PaddedTokens.of(prompts), transforms, positions)[0]


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


# ---------------------------------------------------------------- the formulas
def test_clamp_to_its_own_value_and_reconstruction_with_error__leave_the_logits(
    opened: OpenedIndex,
) -> None:
    dictionary, ids = opened.dictionary, ids_of(opened)
    plain = plain_logits(opened, ids)
    chosen = torch.arange(dictionary.features)

    def to_itself(x: torch.Tensor) -> torch.Tensor:
        acts = dictionary.encode_features(x, chosen)
        return x + (acts - acts) @ dictionary.W_dec

    def spliced(x: torch.Tensor) -> torch.Tensor:
        acts = dictionary.encode(x)
        error = x - dictionary.decode(acts)
        return dictionary.decode(acts) + error

    for change in (to_itself, spliced):
        with torch.no_grad(), intervention(opened.lm, opened.site, change):
            changed = opened.lm.model(torch.tensor([ids])).logits[0]
        torch.testing.assert_close(changed, plain, **CLOSE)


def test_multiply_by_one__leaves_the_logits(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    same = act(feature=feature, mode="multiply", strength=1.0)
    found = logits_with(project, opened, [same], [ids_of(opened)])[0]
    torch.testing.assert_close(found, plain_logits(opened, ids_of(opened)), **CLOSE)


@pytest.mark.parametrize("unit", ["maximum", "norm"])
@pytest.mark.parametrize("mode", ["clamp", "add", "multiply", "ablate"])
def test_every_mode__equals_a_hook_written_by_hand(
    project: Project, opened: OpenedIndex, feature: int, mode: Any, unit: Any
) -> None:
    ids, dictionary = ids_of(opened), opened.dictionary
    specials, direction = len(opened.bos), dictionary.W_dec[feature]
    size = float(opened.index.columns["max_activation"][feature])
    if unit == "norm":
        size = Preparer(str(project.path), opened).typical_norm

    def by_hand(x: torch.Tensor) -> torch.Tensor:
        a = dictionary.encode(x)[..., feature, None]
        c = {
            "clamp": 3.0 * size - a,
            "add": torch.full_like(a, 3.0 * size),
            "multiply": (3.0 - 1) * a,
            "ablate": -a,
        }[mode]
        c[:, :specials] = 0
        return x + c * direction

    asked = act(feature=feature, mode=mode, strength=3.0, unit=unit)
    found = logits_with(project, opened, [asked], [ids])[0]
    torch.testing.assert_close(found, hooked(opened, ids, by_hand), **CLOSE)


def test_direction_alone__is_added_clamped_and_taken_out(
    project: Project, opened: OpenedIndex
) -> None:
    ids, specials = ids_of(opened), len(opened.bos)
    size = 0.5 * Preparer(str(project.path), opened).typical_norm
    random = torch.randn(32, generator=torch.Generator().manual_seed(4))
    d = random / random.norm()
    cases = {
        "add": lambda x: torch.full_like(x[..., :1], size),
        "clamp": lambda x: size - (x @ d)[..., None],
        "ablate": lambda x: -(x @ d)[..., None],
        "multiply": lambda x: (0.5 - 1) * (x @ d)[..., None],
    }
    for mode, coefficient in cases.items():

        def by_hand(x: torch.Tensor, coefficient: Any = coefficient) -> torch.Tensor:
            c = coefficient(x)
            c[:, :specials] = 0
            return x + c * d

        asked = act(direction=RandomDirection(seed=4), mode=mode, strength=0.5, unit="norm")
        found = logits_with(project, opened, [asked], [ids])[0]
        torch.testing.assert_close(found, hooked(opened, ids, by_hand), **CLOSE)


def test_direction_beside_a_feature__takes_its_place_at_the_same_size(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    preparer = Preparer(str(project.path), opened)
    x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0)) * 3
    lengths = []
    for direction in (None, RandomDirection(seed=1), DecoderRow(dictionary="d", feature=3)):
        asked = Intervention(feature=feature, direction=direction, strength=4.0)
        ((_, changes),) = preparer.plan([asked]).items()
        positions = Positions([0], 0, [5])
        steered = SteeredSite([changes], opened.dictionary, torch.device("cpu"))
        added = steered.transform(positions)(x) - x
        lengths.append(added.norm(dim=-1))
        if direction is not None:
            wanted = opened.dictionary.W_dec[3]
            if isinstance(direction, RandomDirection):
                wanted = torch.randn(32, generator=torch.Generator().manual_seed(1))
            cosine = torch.nn.functional.cosine_similarity(added[0, 0], wanted, dim=0)
            assert abs(float(cosine)) == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(lengths[0], lengths[1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(lengths[0], lengths[2], rtol=1e-4, atol=1e-4)


def test_mean_difference__is_that_of_the_sites_values(
    project: Project, opened: OpenedIndex
) -> None:
    from sae_desktop.features.asking.probe import activations_of_ids

    on, off = ["def add(first, second)", "return"], ["In the beginning"]
    asked = Intervention(direction=MeanDifference(on=on, off=off), mode="add", unit="norm")
    ((_, (change,)),) = Preparer(str(project.path), opened).plan([asked]).items()
    means = []
    for texts in (on, off):
        rows = [acts for t in texts for _, acts in activations_of_ids(opened, opened.lm.encode(t))]
        means.append(torch.cat(rows).mean(dim=0))
    difference = means[0] - means[1]
    torch.testing.assert_close(change.direction_D, difference / difference.norm())


def test_several__add_up_and_all_read_what_comes_in(project: Project, opened: OpenedIndex) -> None:
    alive = [int(f) for f in opened.index.columns["max_activation"].argsort()[-2:]]
    preparer = Preparer(str(project.path), opened)
    x = torch.randn(1, 6, 32, generator=torch.Generator().manual_seed(2)) * 3
    parts = [Intervention(feature=f, strength=s) for f, s in zip(alive, (2.0, -1.0), strict=True)]

    def added(asked: list[Intervention]) -> torch.Tensor:
        ((_, changes),) = preparer.plan(asked).items()
        steered = SteeredSite([changes], opened.dictionary, torch.device("cpu"))
        return steered.transform(Positions([0], 0, [6]))(x) - x

    apart = added(parts[:1]) + added(parts[1:])
    torch.testing.assert_close(added(parts), apart, rtol=1e-4, atol=1e-4)


def test_other_sites__get_the_same_direction_added(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    asked = act(feature=feature, mode="add", strength=2.0, sites=["blocks.2.hook_resid_post"])
    ids, direction = ids_of(opened), opened.dictionary.W_dec[feature]
    size = 2.0 * float(opened.index.columns["max_activation"][feature])

    def add(x: torch.Tensor) -> torch.Tensor:
        out = x.clone()
        out[:, len(opened.bos) :] += size * direction
        return out

    later = opened.lm.model.model.layers[2].register_forward_hook(
        lambda m, a, o: (add(o[0]), *o[1:]) if isinstance(o, tuple) else add(o)
    )
    try:
        expected = hooked(opened, ids, add)
    finally:
        later.remove()
    torch.testing.assert_close(logits_with(project, opened, [asked], [ids])[0], expected, **CLOSE)


# ---------------------------------------------------------------- positions
@pytest.mark.parametrize(
    ("where", "start", "tokens", "expected"),
    [
        ("all", 0, (), [2, 3, 4, 5, 6, 7]),
        ("prompt", 0, (), [2, 3, 4, 5]),
        ("output", 0, (), [6, 7]),
        ("all", 2, (), [4, 5, 6, 7]),
        ("prompt", 3, (), [5]),
        ("all", 0, (0, 3), [2, 5]),
    ],
)
def test_positions__are_counted_from_the_prompts_first_token(
    where: Any, start: int, tokens: tuple[int, ...], expected: list[int]
) -> None:
    # One pad, one special token, four of the prompt, two of the output.
    positions = Positions([1], 1, [4])
    change = Change("add", 1.0, torch.ones(2), None, where, start, tokens)
    assert positions.mask(change, 0, 8).nonzero()[:, 0].tolist() == expected
    found = []
    for column in range(8):  # the same token by token, as with a cache
        positions.begin(column)
        if positions.mask(change, 0, 1).any():
            found.append(column)
    assert found == expected


def test_special_tokens__are_left_alone(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    preparer = Preparer(str(project.path), opened)
    ((_, changes),) = preparer.plan([Intervention(feature=feature, strength=5.0)]).items()
    steered = SteeredSite([[], changes], opened.dictionary, torch.device("cpu"))
    x = torch.randn(2, 6, 32) * 3
    out = steered.transform(Positions([0, 0], 1, [5, 5]))(x)
    assert torch.equal(out[0], x[0])
    assert torch.equal(out[1, 0], x[1, 0])
    assert (out[1, 1:] != x[1, 1:]).any(-1).all()


def test_a_row_padded_on_the_left__is_what_it_is_alone(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    long, short = ids_of(opened, PROMPT + " the heaven"), ids_of(opened, OTHER)
    asked = [act(feature=feature, strength=6.0), act(feature=feature, strength=-2.0, start=2)]
    together = logits_with(project, opened, asked, [long, short])
    for row, (variant, ids) in enumerate(zip(asked, (long, short), strict=True)):
        alone = logits_with(project, opened, [variant], [ids])[0]
        torch.testing.assert_close(together[row, -len(ids) :], alone, rtol=1e-3, atol=1e-3)


def test_chat_template__is_steered_from_its_first_token(
    project: Project, opened: OpenedIndex, feature: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "{{ bos_token }}{% for m in messages %}Q: {{ m.content }}{% endfor %} A:"
    monkeypatch.setattr(opened.lm.tokenizer, "chat_template", template)
    chat = run(project, [PLAIN, clamped({feature: 5.0})], chat=True, prompt="God")
    bos = opened.lm.tokenizer.bos_token or ""
    written = run(project, [PLAIN, clamped({feature: 5.0})], prompt="Q: God A:")
    if not bos or opened.bos:
        assert [v.text for v in chat.variants] == [v.text for v in written.variants]
    assert chat.next_tokens[0].probabilities == pytest.approx(
        written.next_tokens[0].probabilities, rel=1e-3
    )


# ---------------------------------------------------------------- generating
def test_plain__equals_an_unhooked_generation(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    result = run(project, [PLAIN, clamped({feature: 8.0})])
    ids = torch.tensor([ids_of(opened)])
    out = opened.lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
    )
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
