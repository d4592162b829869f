"""The options that describe a harvest, for every command that runs one."""

from __future__ import annotations

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.cli.config_options import Choice
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.described import settings

STREAM_PANEL = "Training while harvesting"
READING_CHOICES = tuple(Choice(field) for field in settings(CorpusSettings) if field != "corpus")
"""How a corpus is read, whatever it is."""
_OF_MODEL = ("model", "model_dtype", "device", "sites")
_SITES = Choice("sites", name="--site", fitted="the model’s middle layer")
HARVEST_CHOICES = tuple(
    _SITES if field == "sites" else Choice(field)
    for field in dict.fromkeys((*_OF_MODEL, *settings(HarvestConfig)))
    if field != "name"
)
_NOT_OF_STREAM = (
    "device", "sites", "tokens", "seed", "dtype", "commit_seconds", "pictures", "picture_tokens",
    "keep_pictures",
)  # fmt: skip
"""Of a harvest that a training consumes: these are the training's, or of no use."""
STREAM_CHOICES = tuple(
    choice._replace(panel=STREAM_PANEL)
    for choice in HARVEST_CHOICES
    if choice.field not in _NOT_OF_STREAM
)
