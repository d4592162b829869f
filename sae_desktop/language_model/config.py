"""What jobs on models are asked to do, and what they answer. Free of torch."""

from __future__ import annotations

import msgspec


class DescribeModelConfig(msgspec.Struct, frozen=True, kw_only=True, tag="describe_model"):
    """Read a model's shape without loading its weights."""

    model: str = "builtin"


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    architecture: str
    layers: int
    width: int
    vocabulary: int
    context_size: int
    parameters: int
    """0 where the files do not say."""
    sites: list[str]
    """Site names this model has, in the order of the forward pass."""
    default_site: str
    cached: bool
    """Whether the weights are on this machine."""


class GetModelConfig(msgspec.Struct, frozen=True, kw_only=True, tag="get_model"):
    """Bring a known model into the user's cache."""

    name: str = "smollm2"


class GetModelResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    source: str
    bytes: int
    sha256: str
