"""A lens reads a layer as the model reads its last one; the averaged Jacobian is the true one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from torch import Tensor
from toy_models import TEXT, save_toy_model

from sae_desktop.circuits.jacobians import (
    LEFT_OUT,
    _rows,
    fit_lens,
    jacobian_path,
    read_jacobians,
)
from sae_desktop.circuits.lens import lens
from sae_desktop.circuits.lens_config import FitLensConfig, LensConfig, LensResult
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.sites.capture import capture, watch
from sae_desktop.language_model.sites.intervene import intervention
from sae_desktop.language_model.sites.resolve import Site, decoder_layers, hook_point
from sae_desktop.language_model.sites.tail import tail
from sae_desktop.project import Project

PROMPT = "In the beginning God"


def _truncated(lm: LanguageModel, layers: int, ids: list[int]) -> Tensor:
    """Return the logits (T, V) of a copy of the model that ends after `layers` layers."""
    network = copy.deepcopy(lm.model)
    del decoder_layers(network)[layers:]
    with torch.no_grad():
        return network(torch.tensor([ids]), use_cache=False).logits[0].float()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("gemma2", {"final_logit_softcapping": 2.0}),
        ("granite", {}),
        ("gpt_neox", {}),
        ("opt", {"word_embed_proj_dim": 16}),
    ],
)
def test_tail__is_what_the_model_makes_of_any_stream(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    lm = load_model(str(save_toy_model(tmp_path, kind, **changes)), "cpu")
    ids = torch.tensor([lm.encode(PROMPT)])
    last = capture(lm, ids, None, Site(lm.layers - 1, "hook_resid_post"))
    read = tail(lm, ids, last, lm.model(ids).logits.detach())
    assert read.func.__name__ == "_by_modules"  # type: ignore[attr-defined]
    early = capture(lm, ids, None, Site(1, "hook_resid_post"))
    torch.testing.assert_close(read(early)[0], _truncated(lm, 2, ids[0].tolist()))


def test_tail__runs_the_model_where_its_head_is_not_the_whole_of_it(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder), "cpu")

    def doubled(module: Any, args: Any, output: Any) -> Any:
        output.logits = output.logits * 2
        return output

    hook = lm.model.register_forward_hook(doubled)
    try:
        ids = torch.tensor([lm.encode(PROMPT)])
        last = capture(lm, ids, None, Site(lm.layers - 1, "hook_resid_post"))
        read = tail(lm, ids, last, lm.model(ids).logits.detach())
        early = capture(lm, ids, None, Site(1, "hook_resid_post"))
        plain = _truncated(lm, 2, ids[0].tolist())  # whose copy has the hook, too
        torch.testing.assert_close(read(early)[0], plain)
    finally:
        hook.remove()


def asked(folder: Path, **settings: Any) -> LensResult:
    config = LensConfig(model=str(folder), prompt=PROMPT, device="cpu", **settings)
    return lens(config, RecordingContext())


def test_lens__tells_tokens_ranks_and_distances_by_layer(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder), "cpu")
    result = asked(toy_model_folder, top=3, tokens=("G",))
    ids = [lm.bos_id, *lm.encode(PROMPT)]
    assert result.tokens[0] == "<|bos|>"
    assert result.specials == 1
    assert result.rows == ["embedding", *(f"layer {n}" for n in range(lm.layers))]
    own = _truncated(lm, lm.layers, ids).log_softmax(-1)
    early = _truncated(lm, 2, ids).log_softmax(-1)
    followed = lm.encode("G")[0]
    position = len(ids) - 1
    best = early[position].topk(3)
    assert result.top_probabilities[2][position] == pytest.approx(best.values.exp().tolist(), 1e-4)
    assert result.rank[2][position] == [
        int((early[position] > early[position, followed]).sum()) + 1
    ]
    kl = float((own[position].exp() * (own[position] - early[position])).sum())
    assert result.kl[2][position] == pytest.approx(kl, rel=1e-3)
    assert max(result.kl[-1]) < 1e-6
    chance = float(own[position, followed].exp())
    assert result.probability[-1][position][0] == pytest.approx(chance, rel=1e-4)


def _brute_row(lm: LanguageModel, ids: list[int], site: Site, coordinate: int) -> Tensor:
    """Return the mean over positions of Σ over later ones of ∂last[coordinate]/∂site, (D,)."""
    input_ids, seen = torch.tensor([ids]), []
    x_SD = capture(lm, input_ids, None, site)[0].requires_grad_()
    point = hook_point(lm.model, Site(lm.layers - 1, "hook_resid_post"))
    handle = watch(point, seen.append)
    with intervention(lm, site, lambda _: x_SD[None]):
        lm.model.base_model(input_ids=input_ids, use_cache=False)
    handle.remove()
    later = range(LEFT_OUT, len(ids))
    found = [
        torch.autograd.grad(seen[0][0, p, coordinate], x_SD, retain_graph=True)[0] for p in later
    ]
    return torch.stack([sum(found[p - LEFT_OUT][q] for p in later) for q in later]).mean(0)


def test_jacobian__is_the_mean_over_positions_of_the_sum_over_later_ones(
    toy_model_folder: Path,
) -> None:
    lm = load_model(str(toy_model_folder), "cpu")
    ids = lm.encode("In the beginning God created the heaven and the earth.")[: LEFT_OUT + 4]
    rows = torch.cat(list(_rows(lm, ids)), dim=1)
    assert rows.shape == (lm.layers, lm.width, lm.width)
    for number, site in ((0, Site(0, "hook_resid_pre")), (2, Site(1, "hook_resid_post"))):
        for coordinate in (0, 21):
            wanted = _brute_row(lm, ids, site, coordinate)
            torch.testing.assert_close(rows[number, coordinate], wanted, atol=1e-4, rtol=1e-4)


def test_jacobian_lens__is_measured_once_and_then_read(
    toy_model_folder: Path, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 3)
    lm = load_model(str(toy_model_folder), "cpu")
    with pytest.raises(UserError, match="have not been measured"):
        asked(toy_model_folder, kind="jacobian", project=str(project.path))
    context = RecordingContext()
    fitted = fit_lens(
        FitLensConfig(
            project=str(project.path), model=str(toy_model_folder), texts=2, context_size=24,
            corpus=str(tmp_path / "text.txt"), device="cpu",
        ),
        context,
    )  # fmt: skip
    assert (fitted.texts, fitted.positions, len(fitted.agreement)) == (2, 16, lm.layers)
    assert context.steps[-1][0] == context.steps[-1][1]
    result = asked(toy_model_folder, kind="jacobian", project=str(project.path))
    assert result.fitted_on == f"16 tokens in 2 texts of “{tmp_path / 'text.txt'}”"
    plain = asked(toy_model_folder)
    assert result.top_probabilities[0] != plain.top_probabilities[0]
    assert result.top_probabilities[-1] == plain.top_probabilities[-1]
    ids = torch.tensor([[lm.bos_id, *lm.encode(PROMPT)]])
    stream = capture(lm, ids, None, Site(0, "hook_resid_pre"))[0]
    matrix = read_jacobians(project, lm).matrices_LDD[0]
    carried = torch.einsum("oi,ti->to", matrix, stream)  # ∂last/∂stream, of every stream
    with torch.no_grad():
        chances = lm.model.lm_head(lm.model.model.norm(carried)).softmax(-1)
    for told, row in zip(result.top_probabilities[0], chances, strict=True):
        assert told == pytest.approx(row.topk(len(told)).values.tolist(), rel=1e-3)
    path = jacobian_path(project, lm)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="is damaged"):
        asked(toy_model_folder, kind="jacobian", project=str(project.path))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"tokens": ("beginning God",)}, "is not one token"), ({"tokens": ("",)}, "it is empty")],
)
def test_lens__refuses_what_is_not_one_token(
    toy_model_folder: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        asked(toy_model_folder, **settings)


def test_lens__refuses_a_prompt_beyond_the_context(toy_model_folder: Path) -> None:
    config = LensConfig(model=str(toy_model_folder), prompt="word " * 200, device="cpu")
    with pytest.raises(UserError, match="reads 64"):
        lens(config, RecordingContext())
