"""Dictionaries that read and write several sites, or models, steer wherever they write."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from dictionary_kinds import KINDS, random_dictionary, save_tuned_model
from safetensors.torch import load_file
from torch import Tensor
from warm_program import run_script

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.places import Place
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.project import Project
from sae_desktop.steering import export
from sae_desktop.steering.config import Intervention, RandomDirection, Sampling, Variant
from sae_desktop.steering.controls import random_control
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.generate import PaddedTokens, continuations, forward
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.passes import Steering
from sae_desktop.steering.prepare import Preparer
from sae_desktop.steering.trials import Trials

PROMPT = "In the beginning God created"
SEVERAL = ["crosscoder of sites", "crosscoder of models", "cross-layer transcoder"]
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
FEATURES = 48


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, project: Project) -> LanguageModel:
    lm = open_index(str(project.path), "i", "cpu").lm
    folder = save_tuned_model(tmp_path_factory.mktemp("tuned") / "toy-tuned")
    return load_model(str(folder), "cpu", beside=[lm])


@pytest.fixture(scope="module", params=SEVERAL)
def several(request: pytest.FixtureRequest, project: Project, tuned: LanguageModel) -> OpenedIndex:
    return _of_kind(project, tuned, request.param)


def _of_kind(project: Project, tuned: LanguageModel, name: str) -> OpenedIndex:
    plain = open_index(str(project.path), "i", "cpu")
    dictionary = random_dictionary(KINDS[name], [plain.lm, tuned], FEATURES)
    others = (tuned,) if name.endswith("models") else ()
    return replace(plain, dictionary=dictionary, others=others)


def _ids(opened: OpenedIndex) -> list[int]:
    return opened.bos + opened.lm.encode(PROMPT)


def _acts(opened: OpenedIndex) -> Tensor:
    """(S, F) as the plain models read the prompt, the special token too."""
    return opened.dictionary.encode(read_inputs(opened, torch.tensor([_ids(opened)]))[0])


def _strongest(opened: OpenedIndex, count: int) -> list[int]:
    acts = _acts(opened)[len(opened.bos) :].clone()
    acts[:, torch.from_numpy(np.asarray(opened.index.columns["max_activation"]) <= 0)] = 0
    return [int(f) for f in acts.amax(0).topk(count).indices]


def _by_program(project: Project, opened: OpenedIndex, acts: list[Intervention]) -> Tensor:
    preparer = Preparer(str(project.path), opened)
    steering = Steering(preparer, [preparer.plan(acts)])
    ids, specials = _ids(opened), len(opened.bos)
    positions = Positions([0], specials, [len(ids) - specials])
    transforms = steering.transforms(positions)
    return forward(opened.lm, PaddedTokens.of([ids]), transforms, positions)[0][0]


def _by_hand(opened: OpenedIndex, added_SO: Tensor) -> Tensor:
    """(S, V) with what is added at every output, (S, O), put in by plain hooks."""

    def put(place: Place, x_BSD: Tensor) -> Tensor:
        return x_BSD + added_SO[None, :, place.columns]

    with ExitStack() as stack, torch.no_grad():
        for place in opened.writes:
            if place.lm is opened.lm:
                stack.enter_context(intervention(opened.lm, place.site, partial(put, place)))
        logits: Tensor = opened.lm.model(torch.tensor([_ids(opened)])).logits[0]
    return logits


@pytest.mark.parametrize("mode", ["clamp", "add", "multiply", "ablate"])
def test_feature_of_several_outputs__is_written_at_each(
    project: Project, several: OpenedIndex, mode: Any
) -> None:
    (feature,) = _strongest(several, 1)
    acts_S = _acts(several)[:, feature]
    value = 3.0 * float(several.index.columns["max_activation"][feature])
    c_S = {
        "clamp": value - acts_S, "add": torch.full_like(acts_S, value),
        "multiply": 2.0 * acts_S, "ablate": -acts_S,
    }[mode]  # fmt: skip
    c_S[: len(several.bos)] = 0
    row_O = several.dictionary.W_dec[feature]
    found = _by_program(project, several, [Intervention(feature=feature, mode=mode, strength=3.0)])
    torch.testing.assert_close(found, _by_hand(several, c_S[:, None] * row_O), **CLOSE)
    plain = _by_hand(several, torch.zeros(len(acts_S), len(row_O)))
    assert (found - plain).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["crosscoder of sites", "cross-layer transcoder"])
def test_one_output_alone__gets_its_part_and_the_others_none(
    project: Project, tuned: LanguageModel, name: str
) -> None:
    several = _of_kind(project, tuned, name)
    # The first that fires: of the first layer, whose features write at all of them.
    feature = int(np.flatnonzero(several.index.columns["max_activation"])[0])
    chosen = several.writes[-1]
    act = Intervention(feature=feature, mode="add", strength=3.0, output=str(chosen.site))
    value = 3.0 * float(several.index.columns["max_activation"][feature])
    row_O = torch.zeros_like(several.dictionary.W_dec[feature])
    row_O[chosen.columns] = several.dictionary.W_dec[feature][chosen.columns]
    c_S = torch.full((len(_ids(several)), 1), value)
    c_S[: len(several.bos)] = 0
    found = _by_program(project, several, [act])
    torch.testing.assert_close(found, _by_hand(several, c_S * row_O), **CLOSE)
    everywhere = _by_program(project, several, [msgspec.structs.replace(act, output="")])
    assert (found - everywhere).abs().max() > 1e-3
    with pytest.raises(UserError, match="Nothing is written at"):
        _by_program(
            project, several, [msgspec.structs.replace(act, output="blocks.0.hook_resid_pre")]
        )


def test_later_feature_of_a_cross_layer_transcoder__reads_what_an_earlier_one_wrote(
    project: Project, tuned: LanguageModel
) -> None:
    opened = _of_kind(project, tuned, "cross-layer transcoder")
    size, top = FEATURES // 3, opened.index.columns["max_activation"]
    fires = [int(f) for f in np.flatnonzero(np.asarray(top) > 0)]
    early, late = next(f for f in fires if f < size), next(f for f in fires if f >= 2 * size)
    asked = [Intervention(feature=f, strength=8.0) for f in (early, late)]
    found = _by_program(project, opened, asked)
    own, acts, dictionary = slice(len(opened.bos), None), _acts(opened), opened.dictionary
    c_early = torch.zeros(len(acts))
    c_early[own] = 8.0 * float(top[early]) - acts[own, early]
    changed: list[Tensor] = []

    def look(x: Tensor) -> Tensor:
        changed[:] = [x[0]]
        return x

    with intervention(opened.lm, opened.reads[2].site, look):
        _by_hand(opened, c_early[:, None] * dictionary.W_dec[early])
    late_acts = dictionary.blocks[2].encode(changed[0])[:, late - 2 * size]  # type: ignore[attr-defined]
    c_late = torch.zeros(len(acts))
    c_late[own] = 8.0 * float(top[late]) - late_acts[own]
    both = c_early[:, None] * dictionary.W_dec[early] + c_late[:, None] * dictionary.W_dec[late]
    torch.testing.assert_close(found, _by_hand(opened, both), **CLOSE)


def test_direction_alone__is_ablated_at_each_site(project: Project, several: OpenedIndex) -> None:
    direction = RandomDirection(seed=3)
    found = _by_program(project, several, [Intervention(direction=direction, mode="ablate")])
    width = sum(place.width for place in several.writes if place.lm is several.lm)
    raw = torch.randn(width, generator=torch.Generator().manual_seed(3))
    own = slice(len(several.bos), None)

    def without(d: Tensor, x_BSD: Tensor) -> Tensor:
        x_BSD[:, own] -= (x_BSD[:, own] @ d)[..., None] * d
        return x_BSD

    with ExitStack() as stack, torch.no_grad():
        for place in several.writes:
            if place.lm is several.lm:
                d = torch.nn.functional.normalize(raw[place.columns], dim=0)
                act = partial(without, d)
                stack.enter_context(intervention(several.lm, place.site, act))
        expected = several.lm.model(torch.tensor([_ids(several)])).logits[0]
    torch.testing.assert_close(found, expected, **CLOSE)


def test_random_control__is_as_long_at_every_output(project: Project, several: OpenedIndex) -> None:
    (feature,) = _strongest(several, 1)
    preparer = Preparer(str(project.path), several)
    asked = [Intervention(feature=feature, strength=2.0)]
    lengths = []
    for acts in (asked, random_control(asked).interventions):
        ((target, (change,)),) = preparer.plan(acts).items()
        lengths.append([part.norm() for part in change.direction_D.split(list(target.widths))])
    torch.testing.assert_close(torch.tensor(lengths[0]), torch.tensor(lengths[1]))


def test_generation__is_the_same_with_and_without_a_cache(
    project: Project, several: OpenedIndex
) -> None:
    features = _strongest(several, 2)
    preparer = Preparer(str(project.path), several)
    plans = [{}, preparer.plan([Intervention(feature=f, strength=2.0) for f in features])]
    prompts = [_ids(several)[:6], _ids(several)]
    specials = len(several.bos)
    logits = []
    for use_cache in (True, False):
        positions = Positions(
            PaddedTokens.of(prompts).pads, specials, [len(p) - specials for p in prompts]
        )
        transforms = Steering(preparer, plans).transforms(positions)
        steps = continuations(
            several.lm, prompts, transforms, positions, Sampling(max_new_tokens=4),
            use_cache=use_cache,
        )  # fmt: skip
        logits.append(torch.stack([step.logits_BV for step in steps]))
    torch.testing.assert_close(logits[0], logits[1], **CLOSE)


def test_trials__clamp_as_steering_does(project: Project, several: OpenedIndex) -> None:
    (feature,) = _strongest(several, 1)
    sampling, ids = Sampling(max_new_tokens=4), _ids(several)
    trials = Trials(several, [ids], sampling)
    texts: list[list[int]] = []
    written: Callable[..., list[list[int]]] = trials._written

    def noted(*args: Any) -> list[list[int]]:
        texts[:] = written(*args)
        return texts

    trials._written = noted  # type: ignore[method-assign]
    trials.tried(np.array([feature]), [3.0])
    preparer = Preparer(str(project.path), several)
    plan = preparer.plan([Intervention(feature=feature, strength=3.0)])
    positions = trials._positions(ids, 1)
    steered = Steering(preparer, [plan]).transforms(positions)
    steps = continuations(several.lm, [ids], steered, positions, sampling)
    assert texts[0] == [step.ids[0] for step in steps]


# ---------------------------------------------------------------- used elsewhere
def _exported(
    project: Project, opened: OpenedIndex, path: Path, variant: Variant, monkeypatch: Any
) -> None:
    monkeypatch.setattr(export, "open_index", lambda *_: opened)
    config = ExportSteeringConfig(
        project=str(project.path), index="i", path=str(path), variant=variant, prompt=PROMPT,
        sampling=Sampling(max_new_tokens=6),
    )  # fmt: skip
    export.export_steering(config, SilentContext())


def test_vectors__are_one_for_each_site(
    project: Project, tuned: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _of_kind(project, tuned, "cross-layer transcoder")
    top = np.asarray(opened.index.columns["max_activation"])
    feature = int(np.flatnonzero(top[20:32])[0]) + 20  # of the second layer
    variant = Variant(name="v", interventions=[Intervention(feature=feature, strength=2.0)])
    _exported(project, opened, tmp_path / "v.safetensors", variant, monkeypatch)
    found = load_file(tmp_path / "v.safetensors")
    row = opened.dictionary.W_dec[feature].split(32)
    assert sorted(found) == [f"steering_vector.blocks.{n}.hook_mlp_out" for n in (1, 2)]
    for layer in (1, 2):
        vector = found[f"steering_vector.blocks.{layer}.hook_mlp_out"]
        torch.testing.assert_close(vector, 2.0 * float(top[feature]) * row[layer])


@pytest.mark.parametrize("name", ["crosscoder of sites", "cross-layer transcoder"])
def test_script__writes_what_the_program_writes(
    project: Project, tuned: LanguageModel, name: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened = _of_kind(project, tuned, name)
    acts = [
        Intervention(feature=f, strength=4.0, mode=mode)
        for f, mode in zip(_strongest(opened, 2), ("clamp", "multiply"), strict=True)
    ]
    path = tmp_path / "steer.py"
    _exported(project, opened, path, Variant(name="v", interventions=acts), monkeypatch)
    status, out, err = run_script(path, opened.lm.files.folder)
    assert status == 0, err.decode()
    ids, specials = _ids(opened), len(opened.bos)
    preparer = Preparer(str(project.path), opened)
    positions = Positions([0], specials, [len(ids) - specials])
    transforms = Steering(preparer, [preparer.plan(acts)]).transforms(positions)
    steps = continuations(opened.lm, [ids], transforms, positions, Sampling(max_new_tokens=6))
    written = [step.ids[0] for step in steps]
    expected = opened.lm.tokenizer.decode(ids + [i for i in written if i not in opened.lm.eos_ids])
    assert out.decode().strip() == expected.strip()
