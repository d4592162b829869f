"""Toy checkpoints compared: what was planted is found, what cannot be compared is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_toys import save_base, save_checkpoint, save_text
from toy_models import WIDTH, save_toy_model, toy_network, toy_tokenizer

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.files import save
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.resolve import parse_site
from sae_desktop.project import Project
from sae_desktop.safety.change import measured
from sae_desktop.safety.change.change_file import Change, read_change
from sae_desktop.safety.change.config import CompareCheckpointsConfig
from sae_desktop.safety.change.features import effects, on_checkpoint, spliced_loss
from sae_desktop.safety.change.job import compare_checkpoints
from sae_desktop.safety.change.measured import KnownFirst
from sae_desktop.safety.change.reading import Reading, read_checkpoint, read_texts

SITE = "blocks.1.hook_resid_post"
MOVED = 3
PROMPTS = ("In the", "God created the heaven and")


def both_signs() -> Dictionary:
    """Return a dictionary that leaves nothing out: every coordinate, up and down."""
    eye = torch.eye(WIDTH)
    W_dec = torch.cat([eye, -eye])
    return Dictionary(W_dec.T.contiguous(), torch.zeros(2 * WIDTH), W_dec, torch.zeros(WIDTH))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("checkpoints")
    project = Project.open_or_create(folder / "p")
    base = save_base(folder / "base")
    save_checkpoint(folder / "step-1", noise=0.01)
    save_checkpoint(folder / "step-2", noise=0.01, moved=3.0)
    save_text(folder / "text.jsonl")
    dictionary = both_signs()
    lm = load_model(str(base), "cpu")
    dictionary.metadata.update(
        hook_name=SITE, model_name=lm.name, model_revision=lm.revision,
        tokenizer_hash=lm.tokenizer_hash,
    )  # fmt: skip
    save(dictionary, project.dictionary_path("d"))
    return folder


def config(place: Path, *checkpoints: str, **rest: object) -> CompareCheckpointsConfig:
    return CompareCheckpointsConfig(
        project=str(place / "p"), name="c", corpus=str(place / "text.jsonl"), texts=24,
        checkpoints=tuple(str(place / one) for one in checkpoints), context_size=16,
        device="cpu", **rest,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture(scope="module")
def change(place: Path) -> Change:
    asked = config(
        place, "base", "step-1", "step-2", dictionary="d", crosscoder_features=24,
        crosscoder_steps=20, crosscoder_seeds=1, prompts=PROMPTS,
    )  # fmt: skip
    result = compare_checkpoints(asked, SilentContext())
    assert result.site == SITE
    return read_change(place / "p" / "changes" / "c.h5")


def test_compare__ranks_the_planted_feature_first_and_only_where_it_came_in(change: Change) -> None:
    assert int(change.ranked_features(-1)[0]) == MOVED
    assert MOVED in change.changed(-1)
    size = change.arrays["features/size"]
    assert abs(size[2, MOVED]) > abs(size[1]).max()
    assert np.all(size[0] == 0)
    assert np.all(change.arrays["features/q"][0] == 1)
    assert int(np.argmax(change.arrays["features/cosine"][2])) == MOVED


def test_compare__scores_rise_between_the_two_checkpoints_it_came_in(change: Change) -> None:
    before, after = (one.scores for one in change.info.checkpoints[1:])
    assert change.info.checkpoints[0].scores == {}
    for name in ("outputs", "first tokens", "features"):
        assert after[name] > 2 * before[name] > 0, name
    assert after["one feature"] > before["one feature"]
    moved = change.info.checkpoints[2]
    assert moved.difference_p == pytest.approx(1 / 200)
    assert moved.difference_agreement > 0.99


def test_compare__tells_what_the_dictionary_explains_and_random_directions_do_not(
    change: Change,
) -> None:
    for one in change.info.checkpoints:
        assert one.fvu == pytest.approx(0, abs=1e-6)
        assert one.random_fvu is not None
        assert one.random_fvu > 0.1
        assert one.spliced_loss == pytest.approx(one.loss, abs=1e-4)


def test_fvu__is_the_share_of_the_variance_that_is_left() -> None:
    x = torch.randn(40, 6, WIDTH)
    dictionary = both_signs()
    dictionary.W_enc[:, [0, WIDTH]] = 0
    left = float((x[..., 0] ** 2).sum() / (x - x.mean(dim=(0, 1))).square().sum())
    assert on_checkpoint(dictionary, x).fvu == pytest.approx(left, rel=1e-4)


def test_effects__are_what_the_loss_rises_by_when_a_feature_is_left_out(place: Path) -> None:
    lm = load_model(str(place / "base"), "cpu")
    texts = read_texts(lm, str(place / "text.jsonl"), 16, 16)
    dictionary, site = both_signs(), parse_site(SITE)
    told = effects(lm, dictionary, texts, site)
    plain = spliced_loss(lm, dictionary, texts, site)
    # To first order: a hundredth of the feature is left out.
    dictionary.W_dec[MOVED] *= 0.99
    dictionary.W_dec[MOVED + WIDTH] *= 0.99
    change = 100 * (spliced_loss(lm, dictionary, texts, site) - plain)
    assert told[MOVED] + told[MOVED + WIDTH] == pytest.approx(change, rel=0.05, abs=1e-4)


def test_compare__keeps_what_can_be_shown_without_the_model(change: Change) -> None:
    info = change.info
    assert info.steered is not None
    assert len(info.steered.prompts) == len(info.steered.random) == 6
    assert info.steered.plain != info.steered.steered
    told = {(context.feature, context.checkpoint) for context in info.contexts}
    assert (MOVED, 2) in told
    scores = [one.score for one in info.lens_tokens[2]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 50
    assert sum((change.arrays["crosscoder/kind"] == k).sum() for k in range(6)) == 24


def test_compare__puts_side_by_side_what_each_checkpoint_writes(
    place: Path, change: Change
) -> None:
    info = change.info
    assert info.prompts == list(PROMPTS)
    for name, answers in zip(("base", "step-1", "step-2"), info.answers, strict=True):
        lm = load_model(str(place / name), "cpu")
        prefix, _ = lm.window_tokens
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            ids = [*prefix, *lm.encode(prompt)]
            before, chances = len(ids), []
            for _ in range(32):
                with torch.no_grad():
                    last = lm.model(input_ids=torch.tensor([ids])).logits[0, -1]
                chances.append(last.softmax(-1))
                ids.append(int(last.argmax()))
                if ids[-1] in lm.eos_ids:
                    break
            assert answer.written == lm.tokenizer.decode(ids[before:])
            best = chances[0].topk(len(answer.next_tokens)).values.tolist()
            assert [one.score for one in answer.next_tokens] == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"n_layer": 3}, "4 layers, the other 3"),
        ({"n_embd": 64}, "32 numbers wide, the other 64"),
    ],
)
def test_compare__refuses_checkpoints_of_another_shape(
    place: Path, tmp_path: Path, changes: dict[str, int], how: str
) -> None:
    other = save_toy_model(tmp_path / "other", "gpt2", **changes)
    with pytest.raises(UserError, match=how):
        compare_checkpoints(config(place, "base", str(other)), SilentContext())


def _other_vocabulary(folder: Path) -> None:
    network = toy_network("gpt2", vocab_size=toy_network("gpt2").config.vocab_size + 8)
    network.save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)


def _other_tokenizer(folder: Path) -> None:
    save_checkpoint(folder, noise=0.01, seed=9)
    file = folder / "tokenizer.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    words = told["model"]["vocab"]
    one, other = list(words)[-2:]
    words[one], words[other] = words[other], words[one]
    file.write_text(json.dumps(told), encoding="utf-8")


@pytest.mark.parametrize(
    ("save_other", "how"),
    [
        (_other_vocabulary, "tokens in its vocabulary, the other"),
        (_other_tokenizer, "their tokenizers differ"),
    ],
)
def test_compare__refuses_another_vocabulary_and_another_tokenizer(
    place: Path, tmp_path: Path, save_other: Callable[[Path], None], how: str
) -> None:
    save_other(tmp_path / "other")
    with pytest.raises(UserError, match=how) as refused:
        compare_checkpoints(config(place, "base", str(tmp_path / "other")), SilentContext())
    assert refused.value.next_step == "Name checkpoints of one model, saved with its tokenizer."


def test_compare__refuses_the_same_checkpoint_twice_and_another_models_dictionary(
    place: Path,
) -> None:
    with pytest.raises(UserError, match="the same checkpoint"):
        compare_checkpoints(config(place, "base", "step-1", "step-1"), SilentContext())
    with pytest.raises(UserError, match="do not belong together"):
        compare_checkpoints(config(place, "step-1", "base", dictionary="d"), SilentContext())
    with pytest.raises(UserError, match="at least two"):
        compare_checkpoints(config(place, "base"), SilentContext())


def test_compare__reads_a_first_checkpoint_that_is_known_only_once(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def reads(lm: LanguageModel, *rest: Any) -> Reading:
        read.append(Path(lm.name).name)
        return read_checkpoint(lm, *rest)

    monkeypatch.setattr(measured, "read_checkpoint", reads)
    known = KnownFirst()
    for other in ("step-1", "step-2"):
        asked = config(place, "base", other, dictionary="d", steer=0.0)
        compare_checkpoints(asked, SilentContext(), known=known)
    assert read == ["base", "step-1", "step-2"]
    with_known = read_change(place / "p" / "changes" / "c.h5")
    compare_checkpoints(asked, SilentContext())
    alone = read_change(place / "p" / "changes" / "c.h5")
    assert with_known.info.checkpoints == alone.info.checkpoints
    for name, array in alone.arrays.items():
        np.testing.assert_array_equal(with_known.arrays[name], array)
