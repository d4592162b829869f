"""Attribution is what ablation would take away: exactly so where all that follows is linear."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from dictionary_kinds import KINDS, random_dictionary
from job_contexts import RecordingContext
from torch import Tensor, nn
from toy_encoder import save_toy_bert
from toy_index import make_toy_index

from sae_desktop.errors import UserError
from sae_desktop.features.asking.attribution import attributions, check_attributable, logit_gradient
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.places import Place
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.config import Against, ProbeConfig, ProbeResult
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.project import Project

TEXT = "def add(first, second):\n    return first"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("attribution"), toy_model_folder)


@pytest.fixture
def opened(project: Project) -> OpenedIndex:
    return open_index(str(project.path), "i", "cpu")


def logits_after(opened: OpenedIndex, ids: list[int], changed: Tensor) -> Tensor:
    """Return the logits (V,) after the last token with the site's value set to `changed`."""
    with intervention(opened.lm, opened.site, lambda _x: changed[None]), torch.no_grad():
        out = opened.lm.model(input_ids=torch.tensor([opened.bos + ids]))
    return out.logits[0, -1].float()


def effects(
    opened: OpenedIndex, ids: list[int], following: int, against: Against, share: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (attribution, ablation, activation) of all features that fire, token by token.

    Below 1, `share` is how much of a feature is taken, and given, of which the slope is made.
    """
    x = capture(opened.lm, torch.tensor([opened.bos + ids]), None, opened.site)[0]
    skipped = len(opened.bos)
    acts = opened.dictionary.encode(x[skipped:])
    gradient, told = logit_gradient(opened, ids, len(ids) - 1, following, against)
    attributed = attributions(acts, gradient, opened.dictionary, x[skipped:])
    plain = logits_after(opened, ids, x)
    other = int(next(t for t in plain.topk(2).indices if int(t) != following))

    def difference(logits: Tensor) -> float:
        return float(logits[following] - (logits[other] if against == "second" else logits.mean()))

    assert told.value == pytest.approx(difference(plain), abs=1e-5)
    found = []
    for token, feature in acts.nonzero().tolist():
        part = torch.zeros_like(x)
        part[skipped + token] = share * acts[token, feature] * opened.dictionary.W_dec[feature]
        more = plain if share == 1.0 else logits_after(opened, ids, x + part)
        taken = difference(more) - difference(logits_after(opened, ids, x - part))
        taken /= 1.0 if share == 1.0 else 2 * share
        found.append((float(attributed[token, feature]), taken, float(acts[token, feature])))
    attribution, ablation, activation = np.array(found).T
    return attribution, ablation, activation


@pytest.mark.parametrize("against", ["second", "mean"])
def test_attribution__equals_ablation_where_all_that_follows_is_linear(
    opened: OpenedIndex, monkeypatch: pytest.MonkeyPatch, against: Against
) -> None:
    last = replace(opened, site=parse_site(f"blocks.{opened.lm.layers - 1}.hook_resid_post"))
    monkeypatch.setitem(opened.lm.model.model._modules, "norm", nn.Identity())
    ids = opened.lm.encode(TEXT)
    attribution, ablation, _ = effects(last, ids[:-1], ids[-1], against)
    assert np.count_nonzero(attribution) > 2
    np.testing.assert_allclose(attribution, ablation, atol=1e-5 * np.abs(ablation).max())


def test_attribution__is_the_slope_of_removing_a_feature(opened: OpenedIndex) -> None:
    ids = opened.lm.encode(TEXT)
    attribution, slope, _ = effects(opened, ids[:-1], ids[-1], "second", share=0.01)
    assert np.count_nonzero(attribution) > 20
    np.testing.assert_allclose(attribution, slope, atol=0.01 * np.abs(attribution).max())


# ---------------------------------------------------------------- through the probe
def asked(project: Project, text: str = TEXT, **settings: object) -> ProbeResult:
    config = ProbeConfig(project=str(project.path), index="i", text=text, **settings)  # type: ignore[arg-type]
    return probe(config, RecordingContext())


def test_probe__attributes_to_the_next_token_of_the_text(
    project: Project, opened: OpenedIndex
) -> None:
    ids = opened.lm.encode(TEXT)
    result = asked(project, per_token=0, attribute_at=5)
    assert result.difference is not None
    assert (result.difference.position, result.difference.target) == (5, result.tokens[6])
    gradient, _ = logit_gradient(opened, ids[:6], 5, ids[6], "second")
    x = capture(opened.lm, torch.tensor([opened.bos + ids]), None, opened.site)[0]
    acts = opened.dictionary.encode(x[len(opened.bos) :])
    x_own = x[len(opened.bos) :]
    expected = attributions(acts[:6], gradient, opened.dictionary, x_own[:6])
    for (position, feature, _), value in zip(result.entries(), result.attributions, strict=True):
        right = float(expected[position, feature]) if position <= 5 else 0.0
        assert value == pytest.approx(right, rel=1e-3, abs=1e-6)


def test_probe__explains_the_likeliest_token_after_the_last(
    project: Project, opened: OpenedIndex
) -> None:
    ids = opened.lm.encode(TEXT)
    with torch.no_grad():
        logits = opened.lm.model(input_ids=torch.tensor([opened.bos + ids])).logits[0, -1]
    best = logits.topk(2)
    for settings in ({"attribute_at": -1}, {"rank": "attribution"}):
        found = asked(project, **settings).difference
        assert found is not None
        assert found.position == len(ids) - 1
        assert found.value == pytest.approx(float(best.values[0] - best.values[1]), abs=1e-4)
    mean = asked(project, attribute_at=-1, against="mean").difference
    assert mean is not None
    assert mean.against == ""
    assert mean.value == pytest.approx(float(best.values[0] - logits.mean()), abs=1e-4)


def test_probe__ranks_a_token_by_absolute_attribution(project: Project) -> None:
    whole = asked(project, per_token=0, rank="attribution")
    at = int(np.diff(whole.offsets).argmax())
    here = slice(whole.offsets[at], whole.offsets[at + 1])
    sizes = [abs(value) for value in whole.attributions[here]]
    assert len(sizes) > 1
    assert sizes == sorted(sizes, reverse=True)
    one = asked(project, per_token=1, rank="attribution")
    assert one.features[one.offsets[at]] == whole.features[here][0]


def test_attribution__beyond_its_window_is_zero(project: Project, opened: OpenedIndex) -> None:
    text = "first second " * 60
    room = opened.lm.context_size - len(opened.bos)
    result = asked(project, text, attribute_at=room + 3)
    assert len(result.tokens) > 2 * room
    positions = {
        position
        for (position, _, _), value in zip(result.entries(), result.attributions, strict=True)
        if value
    }
    assert positions
    assert positions <= set(range(room, room + 4))


def test_attribution__where_there_is_none_is_refused(
    project: Project, opened: OpenedIndex, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no token 999"):
        asked(project, attribute_at=999)
    encoder = replace(opened, lm=load_model(str(save_toy_bert(tmp_path / "bert"))))
    with pytest.raises(UserError, match="encoder"):
        check_attributable(encoder)


@pytest.mark.parametrize("name", ["crosscoder of sites", "cross-layer transcoder"])
def test_attribution__is_what_ablation_at_every_output_begins_to_take(
    opened: OpenedIndex, name: str
) -> None:
    dictionary = random_dictionary(KINDS[name], [opened.lm], 48)
    several, share = replace(opened, dictionary=dictionary), 1e-3
    ids = opened.lm.encode(TEXT)
    _, acts = several.encode_text(TEXT)
    gradient, _ = logit_gradient(several, ids, len(ids) - 1, 7, "mean")
    found = attributions(acts, gradient, dictionary, torch.zeros(len(ids), dictionary.width))
    strongest = found.abs().amax(0).topk(3).indices.tolist()
    for feature in strongest:
        at = int(found[:, feature].abs().argmax())
        less = share * acts[at, feature] * dictionary.decoder_rows(torch.tensor([feature]))[0]
        after = []
        for sign in (-1, 1):
            with ExitStack() as stack, torch.no_grad():
                for place in several.writes:
                    stack.enter_context(
                        intervention(
                            opened.lm, place.site, partial(_added, at + 1, sign * less, place)
                        )
                    )
                out = opened.lm.model(input_ids=torch.tensor([opened.bos + ids]))
            logits = out.logits[0, -1].double()
            after.append(float(logits[7] - logits.mean()))
        slope = (after[1] - after[0]) / (2 * share)
        assert float(found[at, feature]) == pytest.approx(slope, rel=0.02, abs=1e-3)


def _added(at: int, more: Tensor, place: Place, x_BSD: Tensor) -> Tensor:
    x_BSD[:, at] += more[place.columns]
    return x_BSD
