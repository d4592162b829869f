"""The architectures, one a file, by the name a person chooses."""

from sae_desktop.dictionary.architectures.base import Architecture, Loss, Setup, StepState
from sae_desktop.dictionary.architectures.batchtopk import BatchTopK
from sae_desktop.dictionary.architectures.standard import Standard

ARCHITECTURES: dict[str, type[Architecture]] = {"standard": Standard, "batchtopk": BatchTopK}

__all__ = ["ARCHITECTURES", "Architecture", "BatchTopK", "Loss", "Setup", "Standard", "StepState"]
