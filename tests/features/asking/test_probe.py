"""A probe says what the dictionary says of the model's own activations, token by token."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_index import SITE, make_toy_index

from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.features.asking import probe as probe_module
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.config import ChatTurn, ProbeConfig, ProbeResult
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.project import Project

SENTENCE = "In the beginning: 人 🌉 def add(x)"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("probe"), toy_model_folder)


def asked(project: Project, text: str = SENTENCE, **settings: object) -> ProbeResult:
    config = ProbeConfig(project=str(project.path), index="i", text=text, **settings)
    return probe(config, RecordingContext())


def expected(project: Project, model: Path, text: str) -> torch.Tensor:
    lm = load_model(str(model))
    ids = torch.tensor([[lm.bos_id, *lm.encode(text)]])
    acts = capture(lm, ids, None, parse_site(SITE))[0, 1:]
    return load(project.dictionary_path("d")).encode(acts)


def test_probe__reports_every_active_feature(project: Project, toy_model_folder: Path) -> None:
    result = asked(project, per_token=0)
    features_TF = expected(project, toy_model_folder, SENTENCE)
    assert len(result.tokens) == len(features_TF)
    assert len(result.features) == int((features_TF > 0).sum()) > 0
    for position, feature, activation in result.entries():
        there = float(features_TF[position, feature])
        assert activation == pytest.approx(there, rel=1e-4)


def test_probe__per_token_keeps_the_strongest_and_the_asked_for(
    project: Project, toy_model_folder: Path
) -> None:
    features_TF = expected(project, toy_model_folder, SENTENCE)
    weakest = int(torch.where(features_TF > 0, features_TF, torch.inf).amin(0).argmin())
    result = asked(project, per_token=1, features=[weakest])
    for position, row in enumerate(features_TF):
        found = [feature for place, feature, _ in result.entries() if place == position]
        wanted = {int(row.argmax())} if row.max() > 0 else set()
        wanted |= {weakest} if row[weakest] > 0 else set()
        assert set(found) == wanted
        assert sorted(found, key=lambda f: -float(row[f])) == found


def test_probe__tokens_are_the_text_without_the_bos(project: Project) -> None:
    assert "".join(asked(project, "def add(x): return").tokens) == "def add(x): return"
    assert "⟨0x" in "".join(asked(project, "🌉").tokens)


def test_long_text__is_read_in_windows_of_the_models_context(
    project: Project, toy_model_folder: Path
) -> None:
    lm = load_model(str(toy_model_folder))
    text = "first second " * 60
    ids = lm.encode(text)
    assert len(ids) > 2 * lm.context_size
    result = asked(project, text, per_token=0)
    assert len(result.tokens) == len(ids)
    room = lm.context_size - 1
    dictionary = load(project.dictionary_path("d"))
    for number, first in enumerate(range(0, len(ids), room)):
        window = torch.tensor([[lm.bos_id, *ids[first : first + room]]])
        features_TF = dictionary.encode(capture(lm, window, None, parse_site(SITE))[0, 1:])
        here = result.offsets[min(first + room, len(ids))] - result.offsets[first]
        assert here == int((features_TF > 0).sum()), number


def test_empty_and_endless_texts__are_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no text"):
        asked(project, "")
    monkeypatch.setattr(probe_module, "MOST_TOKENS", 10)
    with pytest.raises(UserError, match="at most 10"):
        asked(project, SENTENCE)


def test_what_is_not_there__is_named(project: Project) -> None:
    with pytest.raises(UserError, match="no index “other”"):
        probe(ProbeConfig(project=str(project.path), index="other", text="a"), RecordingContext())
    with pytest.raises(UserError, match="no feature 99"):
        asked(project, features=[99])


# ---------------------------------------------------------------- ranks and what is hidden
def test_probe__ranks_by_the_share_of_the_maximum(project: Project, toy_model_folder: Path) -> None:
    maxima = open_index(str(project.path), "i").index.columns["max_activation"]
    acts_TF = expected(project, toy_model_folder, SENTENCE)
    result = asked(project, per_token=1, rank="share")
    for position, feature, activation in result.entries():
        top = np.where(maxima > 0, maxima, acts_TF[position].numpy())
        shares = np.where(acts_TF[position] > 0, acts_TF[position].numpy() / (top + 1e-20), -1)
        assert activation / top[feature] == pytest.approx(float(shares.max()), rel=1e-3)


def test_probe__hides_dense_features_but_those_asked_for(project: Project) -> None:
    density = open_index(str(project.path), "i").index.columns["density"]
    whole = asked(project, per_token=0)
    limit = float(np.median(density[sorted(set(whole.features))]))
    dense = [f for f in set(whole.features) if density[f] > limit]
    found = asked(project, per_token=0, most_density=limit)
    assert dense
    assert set(found.features) == set(whole.features) - set(dense)
    kept = asked(project, per_token=1, most_density=limit, features=[dense[0]])
    assert dense[0] in kept.features
    assert not set(dense[1:]) & set(kept.features)


# ---------------------------------------------------------------- long texts
def test_long_answer__goes_through_a_file_where_there_is_a_folder(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline = asked(project, spill=str(tmp_path))
    assert not inline.file
    monkeypatch.setattr(probe_module, "SPILLED", 3)
    spilled = asked(project, spill=str(tmp_path))
    assert spilled.tokens == inline.tokens
    assert not spilled.features
    with np.load(spilled.file) as file:
        assert file["offsets"].tolist() == inline.offsets
        assert file["features"].tolist() == inline.features
        np.testing.assert_allclose(file["activations"], inline.activations, rtol=1e-5)
    assert asked(project).features == inline.features
    with pytest.raises(UserError):
        asked(project, spill=str(tmp_path / "gone"))


# ---------------------------------------------------------------- chats
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_chat__goes_through_the_models_template(
    project: Project, toy_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = [ChatTurn(role="user", content="Hi"), ChatTurn(role="assistant", content="Yes")]
    with pytest.raises(UserError, match="has no chat template"):
        asked(project, "", chat=chat)
    tokenizer = open_index(str(project.path), "i").lm.tokenizer
    monkeypatch.setattr(tokenizer, "chat_template", TEMPLATE)
    assert "".join(asked(project, "", chat=chat).tokens) == "<user>Hi\n<assistant>Yes\n"
    assert "".join(asked(project, "", chat=chat[:1]).tokens) == "<user>Hi\n<assistant>"
    with pytest.raises(UserError, match="refuses the chat"):
        asked(project, "", chat=[ChatTurn(role="system", content="Be kind")])
