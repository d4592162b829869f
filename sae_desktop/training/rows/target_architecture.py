"""Which class is trained for a target and an architecture."""

from __future__ import annotations

from sae_desktop.dictionary.architectures import ARCHITECTURES, Architecture
from sae_desktop.dictionary.architectures._cross_layer import CrossLayerTranscoder
from sae_desktop.training.config import TrainConfig


def architecture_of(config: TrainConfig) -> type[Architecture]:
    """Return the class to train, for a config whose target and architecture were checked."""
    if config.target == "cross_layer_transcoder":
        return CrossLayerTranscoder
    return ARCHITECTURES[config.architecture]
