"""Steering changes what it says it changes, streams what it returns, and leaves plain plain."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from steered_project import OTHER, PROMPT, act, hooked, ids_of, plain_logits, positions_of, run

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    PLAIN,
    DecoderRow,
    Intervention,
    MeanDifference,
    RandomDirection,
    Variant,
    clamped,
)
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Change, Positions, SteeredSite
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer

CLOSE = {"rtol": 0, "atol": 1e-4}


def logits_with(
    project: Project, opened: OpenedIndex, variants: list[Variant], prompts: list[list[int]]
) -> torch.Tensor:
    """Return the logits (B, S, V) of prompts under their variants, in one batch."""
    preparer = Preparer(str(project.path), opened)
    plans = [preparer.plan(v.interventions) for v in variants]
    positions = positions_of(opened, prompts)
    transforms = Steering(preparer, plans).transforms(positions)
    return forward(opened.lm, PaddedTokens.of(prompts), transforms, positions)[0]


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
