"""Monitors that read along while a model writes say what their own arithmetic says."""

from __future__ import annotations

import msgspec
import pytest
import torch
from steered_project import act, ids_of, plain_logits, run

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, VariantResult, WatchedText
from sae_desktop.steering.gate_config import GateSource, Pool, Readout
from sae_desktop.steering.readers import ReadyGate, feature_reader
from sae_desktop.steering.watching import watched_text


def _monitor(project: Project, opened: OpenedIndex, feature: int, threshold: float) -> None:
    mark = opened.lm.mark
    source = GateSource(
        readout=Readout(index="i", features=[feature], pool="max"), threshold=threshold,
        model=mark.name, revision=mark.revision, tokenizer=mark.tokenizer,
    )  # fmt: skip
    path = project.monitor_path("m")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.encode(source))


def _by_hand(
    opened: OpenedIndex, found: VariantResult, ids: list[int], feature: int
) -> list[float]:
    x_SD = capture(opened.lm, torch.tensor([ids]), None, opened.site)[0, len(opened.bos) :]
    scores: list[float] = opened.dictionary.encode(x_SD)[:, feature].tolist()
    return scores


def test_monitor__reads_prompt_and_text_plain_and_steered(
    project: Project, opened: OpenedIndex, feature: int
) -> None:
    threshold = 0.15 * float(opened.index.columns["max_activation"][feature])
    _monitor(project, opened, feature, threshold)
    steered = act(feature=feature, strength=3.0)
    result = run(project, [PLAIN, steered], monitors=["m"])
    prompt = ids_of(opened)
    count = len(prompt) - len(opened.bos)
    assert result.variants[0].text != result.variants[1].text
    for found in result.variants:
        (watched,) = found.watched
        whole = prompt + [_id(opened, token.text) for token in found.tokens]
        wanted = _by_hand(opened, found, whole, feature)
        assert watched.scores == pytest.approx(wanted, abs=1e-4)
        assert (watched.monitor, watched.prompt) == ("m", count)
        assert watched.threshold == pytest.approx(threshold)
        assert watched.hits == [n for n, score in enumerate(wanted) if score > threshold]
        assert watched.hits
    alone = run(project, [PLAIN, steered], monitors=["m"], compare=False, max_new_tokens=1)
    for found, whole in zip(alone.variants, result.variants, strict=True):
        assert found.watched[0].scores == pytest.approx(whole.watched[0].scores[:count], abs=1e-4)
    assert plain_logits(opened, prompt).isfinite().all()
    with pytest.raises(UserError, match="no monitor"):
        run(project, [PLAIN], monitors=["gone"])


def _id(opened: OpenedIndex, text: str) -> int:
    """Return a token by what is shown of it."""
    from sae_desktop.language_model.text.token_text import token_text

    return [token_text(name) for name in opened.lm.token_bytes()].index(text)


@pytest.mark.parametrize(
    ("pool", "scores", "hits"),
    [
        ("token", [0.0, 3.0, 2.0, 0.0], [1]),
        # 1·max(a) + 1·max(b) rises above 3.5 at the third token, where none is so by itself.
        ("max", [0.0, 3.0, 2.0, 0.0], [2]),
        ("mean", [0.0, 1.5, 5 / 3, 1.25], []),
    ],
)
def test_pools__mark_where_the_score_rises_above(
    opened: OpenedIndex, pool: Pool, scores: list[float], hits: list[int]
) -> None:
    found_SK = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    reader = feature_reader(Readout(features=[0, 1], pool=pool), opened)
    above = 2.5 if pool == "token" else 3.5
    gate = ReadyGate(reader, above, since=False, where="all")
    assert watched_text("m", gate, found_SK, 2) == WatchedText(
        monitor="m", threshold=above, scores=pytest.approx(scores), prompt=2, hits=hits
    )
