"""The job `describe_architectures`: what can be chosen, for processes without torch."""

from __future__ import annotations

from sae_desktop.dictionary.architectures import ARCHITECTURES, DEFAULT
from sae_desktop.jobs import JobContext
from sae_desktop.training.architecture_info import (
    ArchitectureInfo,
    ArchitecturesDescription,
    DescribeArchitecturesConfig,
)


def describe_architectures(
    config: DescribeArchitecturesConfig, context: JobContext
) -> ArchitecturesDescription:
    """Return every architecture of the registry, the default first."""
    del config, context
    names = sorted(ARCHITECTURES, key=lambda name: (name != DEFAULT, name))
    return ArchitecturesDescription(
        architectures=[
            ArchitectureInfo(
                name=name,
                title=ARCHITECTURES[name].title,
                summary=ARCHITECTURES[name].summary,
                settings=list(ARCHITECTURES[name].settings),
                default_sparsity=ARCHITECTURES[name].default_sparsity,
                sparsity_warm_up=ARCHITECTURES[name].sparsity_warm_up,
                aims_at_k=ARCHITECTURES[name].aims,
            )
            for name in names
        ]
    )
