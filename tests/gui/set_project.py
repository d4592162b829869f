"""Sets of dictionaries as their jobs leave them on disk, made without torch."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from frame_project import add_run
from sample_index import write_sample_index

from sae_desktop.dictionary.set_info import SetInfo, SetMember, SetOrigin, write_set_info
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import SET_TRAIN, TrainSetConfig

FEATURES = 16
"""Of each layer, as `add_run` makes them."""


def add_set(
    project: Project,
    name: str,
    layers: int = 3,
    *,
    finished: bool = True,
    indexed: Collection[int] = (),
) -> TrainSetConfig:
    """Write a set of transcoders: layer n has an FVU of n / 10, and an index if it is `indexed`."""
    folder = project.set_path(name)
    train = TrainConfig(
        project=str(project.path), name="", activations="acts", features=FEATURES, tokens=10_000
    )
    config = TrainSetConfig(project=str(project.path), name=name, train=train)
    members = []
    for layer in range(layers):
        member = f"L{layer:02d}"
        (folder / member).mkdir(parents=True)
        add_run(project, f"{name}.{member}", finished=finished, fvu=layer / 10)
        reads, writes = f"blocks.{layer}.mlp.hook_in", f"blocks.{layer}.hook_mlp_out"
        members.append(
            SetMember(
                name=member, layer=layer, reads=reads, writes=writes, features=FEATURES, digest="d"
            )
        )
        if layer in indexed:
            path = project.index_path(f"{name}.{member}")
            path.parent.mkdir(exist_ok=True)
            write_sample_index(path, dictionary=f"{name}.{member}", repeats=2, seed=layer)
    (folder / SET_TRAIN).write_bytes(msgspec.json.encode(config))
    if finished:
        write_set_info(
            folder,
            SetInfo(
                name=name,
                kind="transcoders",
                model="builtin",
                members=tuple(members),
                skip=True,
                features=layers * FEATURES,
                origin=SetOrigin(),
            ),
        )
    return config
