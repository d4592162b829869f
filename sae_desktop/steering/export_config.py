"""Steering for use elsewhere: what is asked for. Free of torch and Qt."""

from __future__ import annotations

import msgspec

from sae_desktop.steering.config import Sampling, Variant

SUFFIXES = (".safetensors", ".json", ".py")


class ExportSteeringConfig(msgspec.Struct, frozen=True, kw_only=True, tag="export_steering"):
    """Write what one variant does to a file."""

    project: str
    index: str
    path: str
    """.safetensors: a vector; .json: a vector as Neuronpedia takes it; .py: a script."""
    variant: Variant
    prompt: str = ""
    """What the script continues."""
    sampling: Sampling = Sampling()
    chat: bool = False
    pictures: list[str] = []
    """Files before the prompt; a script names them and is told where they are."""
    device: str = "auto"


class ExportSteeringResult(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    bytes: int
