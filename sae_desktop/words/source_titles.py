"""What models and corpora are called: “Built-in model” for `builtin`. Free of Qt and torch."""

from __future__ import annotations

MODELS = {"builtin": "Built-in model", "smollm2": "SmolLM2-135M-Instruct"}
CORPORA = {"builtin": "Built-in corpus"}


def model_title(name: str) -> str:
    """Return how a model is called; of a path or a name on the hub, its last part."""
    return MODELS.get(name, _last(name))


def corpus_title(name: str) -> str:
    """Return how a corpus is called; of a path or a name on the hub, its last part."""
    return CORPORA.get(name, _last(name))


def _last(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]
