"""What is known of the architectures there are. Free of torch."""

from __future__ import annotations

import msgspec


class DescribeArchitecturesConfig(
    msgspec.Struct, frozen=True, kw_only=True, tag="describe_architectures"
):
    """List the architectures there are."""


class ArchitectureInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """As `TrainConfig.architecture` has it."""
    title: str
    summary: str
    settings: list[str]
    """Fields of TrainConfig that matter to it and not to every other."""
    default_sparsity: float
    sparsity_warm_up: float
    aims_at_k: bool = False
    """Whether λ, where none is chosen, is led so that k features are active."""


class ArchitecturesDescription(msgspec.Struct, frozen=True, kw_only=True):
    architectures: list[ArchitectureInfo]
    """The one offered first comes first."""
