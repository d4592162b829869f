"""Rows of an encoder are trained on and measured without a loss, which it does not have."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from imported_rows import STORE, import_rows, run_config, toy_rows
from job_contexts import RecordingContext

from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring import evaluate as evaluating
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.training.rows import source as sources

ENCODER: Any = SimpleNamespace(
    name="an encoder", causal=False, bos_id=None, token_bytes=lambda: defaultdict(lambda: b"x")
)


@pytest.fixture(autouse=True)
def _encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the rows as an encoder's."""
    for module in (sources, evaluating):
        monkeypatch.setattr(module, "model_of", lambda store, device: ENCODER)


def test_training__leaves_the_loss_out_and_still_shows_text(project: Project) -> None:
    import_rows(project, toy_rows(3000))
    context = RecordingContext()
    result = train(run_config(project), context)
    assert result.rows == 40 * 256
    assert not any("loss_recovered" in values for _, values in context.metrics)
    assert not any("not measured" in line for line in context.lines)


def test_evaluation__says_why_there_is_no_loss(project: Project) -> None:
    import_rows(project, toy_rows(3000))
    train(run_config(project), RecordingContext())
    context = RecordingContext()
    config = EvaluateConfig(
        project=str(project.path), dictionary="d", activations=STORE, rows=500, device="cpu"
    )
    result = evaluate(config, context)
    assert result.loss_recovered is None
    assert result.fvu < 1
    assert any("an encoder does not predict a next token" in line for line in context.lines)
