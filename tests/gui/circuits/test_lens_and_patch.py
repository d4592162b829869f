"""The lens, patching and attribution: what is asked, and what their grids and tables show."""

from __future__ import annotations

import pytest
from frame_client import FakeClient, Heard
from PySide6.QtCore import Qt

from sae_desktop.circuits.lens_config import LensConfig, LensResult, PatchResult
from sae_desktop.gui.circuits.circuits import CircuitsPanel
from sae_desktop.words.lens_text import lens_cells, lens_text, patch_cells


@pytest.fixture
def result() -> LensResult:
    """Two tokens, two layers; the answer “ is” comes up in layer 0 at the last token."""
    words = [[["A", "B"], ["the", "a"]], [["A", "B"], [" is", "a"]], [["B", "A"], [" is", "b"]]]
    chances = [[[0.5, 0.25], [0.3, 0.2]], [[0.6, 0.2], [0.4, 0.1]], [[0.7, 0.1], [0.9, 0.05]]]
    return LensResult(
        kind="logit", tokens=["<bos>", " sun"], specials=1,
        rows=["embedding", "layer 0", "layer 1"], top_tokens=words, top_probabilities=chances,
        entropy=[[1.0, 1.0]] * 3, kl=[[1.0, 1.0]] * 3, followed=[" is"],
        probability=[[[0.01], [0.02]], [[0.1], [0.4]], [[0.2], [0.9]]],
        rank=[[[90], [40]], [[3], [1]], [[2], [1]]],
    )  # fmt: skip


def test_lens__says_from_which_layer_on_the_answer_is_there(result: LensResult) -> None:
    cells = lens_cells(result)
    assert cells.rows == ["Layer 1", "Layer 0", "Embedding"]
    assert cells.texts == [["B", "is"], ["A", "is"], ["A", "the"]]
    assert cells.shades[0][1] > cells.shades[1][1] > cells.shades[2][1]
    assert "“is” is the likeliest from layer 0 on" in lens_text(result)
    followed = lens_cells(result, 0)
    assert followed.texts[0] == ["20%", "90%"]
    assert "in place 40" in followed.tips[2][1]


def test_lens__asks_for_the_model_of_the_graph_and_fills_the_grid(
    circuits: CircuitsPanel, client: FakeClient, result: LensResult, heard: Heard
) -> None:
    lens = circuits.lens
    assert lens.prompt.text() == circuits.opened.graph.info.prompt  # type: ignore[union-attr]
    lens.read_button.click()
    job = client.last(LensConfig)
    assert (job.config.model, job.config.kind) == ("builtin", "logit")
    client.finish(job, result)
    model = lens.grid.model()
    assert model.index(0, 1).data() == "is"
    lens.follow.setCurrentIndex(1)
    assert model.index(0, 1).data() == "90%"
    assert "Layer 1" in model.index(0, 1).data(Qt.ItemDataRole.AccessibleTextRole)
    lens.kind.setCurrentIndex(lens.kind.findData("jacobian"))
    again = client.last(LensConfig)
    assert again.config.kind == "jacobian"
    assert lens.fit_button.isHidden()
    client.fail(again, "No averages of this model.")
    assert not lens.fit_button.isHidden()
    assert heard.errors[-1].what == "No averages of this model."


def test_patch__shows_shares_of_the_way_to_the_other_answer() -> None:
    result = PatchResult(
        tokens=["a", " France"], other_tokens=["a", " Italy"], specials=0, hook="hook_resid_post",
        target=" Paris", against=" Rome", difference=2.0, other_difference=-2.0, by="token",
        grid=[[2.0, -2.0], [2.004, -1.0]], restored=[[0.0, 1.0], [-0.001, 0.75]],
    )  # fmt: skip
    cells = patch_cells(result)
    assert cells.rows == ["Layer 1", "Layer 0"]
    assert cells.columns == ["a", "France|Italy"]
    assert cells.texts == [["0%", "75%"], ["0%", "100%"]]
