"""What models, corpora and their sources are called: “Built-in model” for `builtin`.

Free of Qt and torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it brings h5py
    from sae_desktop.features.reading.layout import IndexInfo

MODELS = {
    "builtin": "Built-in model",
    "builtin-pictures": "Built-in model of pictures",
    "smollm2": "SmolLM2-135M-Instruct",
    "minilm": "Sentence encoder MiniLM",
}
BUILTIN = "builtin"
CORPORA = {BUILTIN: "Built-in corpus"}
BUILTIN_SOURCES = {
    "kjv": "King James Bible",
    "web": "World English Bible",
    "wordnet": "WordNet",
    "jargon": "Jargon File",
    "devil": "The Devil’s Dictionary",
    "udhr": "Universal Declaration of Human Rights",
    "handbook": "Debian Handbook",
    "python": "Python standard library",
    "manual": "Python documentation",
}
"""The works behind the built-in corpus, by the names it gives them."""


def model_title(name: str) -> str:
    """Return how a model is called; of a path or a name on the hub, its last part."""
    return MODELS.get(name, _last(name))


def corpus_title(name: str) -> str:
    """Return how a corpus is called; of a path or a name on the hub, its last part."""
    return CORPORA.get(name, _last(name))


def source_title(name: str, info: IndexInfo | None) -> str:
    """Return how a source of an index's text is called; of other corpora than the built-in, `name`.

    Anybody's corpus may call a source “web”.
    """
    if info is None or {text.corpus for text in info.texts} - {BUILTIN} or info.corpus != BUILTIN:
        return name
    return BUILTIN_SOURCES.get(name, name)


def _last(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1]
