"""A toy model's graph, and what a test asks the model itself beside it."""

from __future__ import annotations

from pathlib import Path

from made_sets import save_random_set
from toy_models import save_toy_model

from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

PROMPT, OTHER = "In xyz the", "In xqz the"


def traced_toy(folder: Path, kind: str = "llama", **changes: object) -> Project:
    """Make a project with the set “set” and the graph “g” of a model of two layers."""
    save_toy_model(folder / "toy", kind, num_hidden_layers=2)
    project = Project.open_or_create(folder / "p")
    save_random_set(project, "set", str(folder / "toy"))
    settings = {"most_features": 0, "keep_edges": 1.0, "most_logits": 5} | changes
    config = TraceConfig(
        project=str(project.path), name="g", set="set", prompt=PROMPT, device="cpu",
        **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    trace(config, SilentContext())
    return project
