"""Sets of dictionaries, opened and saved: one for each layer, or one cross-layer transcoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.files import load, save
from sae_desktop.dictionary.set_info import (
    ALL,
    SetInfo,
    SetMember,
    SetOrigin,
    describe_set,
    member_name,
    read_member_cfg,
    read_set_info,
    require_alike,
    weights_digest,
    write_set_info,
)
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing_folder


class DictionarySet:
    """The dictionaries of a set on one device, each read when it is asked for."""

    def __init__(self, folder: Path, info: SetInfo, device: torch.device) -> None:
        self.folder = folder
        self.info = info
        self.device = device
        self._loaded: dict[str, Dictionary] = {}

    @property
    def layers(self) -> list[int]:
        """The layers it has dictionaries of, in order."""
        return list(self.info.layers)

    @property
    def cross_layer(self) -> CrossLayerDictionary | None:
        """The cross-layer transcoder; None of a set of transcoders."""
        if self.info.kind != "cross_layer":
            return None
        found = self._member(self.info.members[0])
        assert isinstance(found, CrossLayerDictionary)
        return found

    def dictionary(self, layer: int) -> Dictionary:
        """Return a layer's transcoder; of a cross-layer transcoder its block, b_dec zero.

        Raises UserError for a layer that is not in the set, damaged, or another than it was.
        """
        member = self.info.member(layer)
        across = self.cross_layer
        if across is not None:
            return across.blocks[self.layers.index(layer)]
        return self._member(member)

    def _member(self, member: SetMember) -> Dictionary:
        if member.name not in self._loaded:
            self._loaded[member.name] = self._read(member)
        return self._loaded[member.name]

    def _read(self, member: SetMember) -> Dictionary:
        folder = self.folder / member.name
        if weights_digest(folder) != member.digest:
            raise UserError(
                f"The weights of “{member.name}” in the set “{self.info.name}” are not the ones "
                "that the set was made with.",
                kept="The other layers are unchanged.",
                next_step="Restore the layer from a copy, or make the set again.",
            )
        found = load(folder, self.device)
        if found.features != self._features(member):
            raise UserError(
                f"“{member.name}” of the set “{self.info.name}” has {found.features:,} features, "
                f"not {self._features(member):,}.",
                next_step="Restore the layer from a copy, or make the set again.",
            )
        return found

    def _features(self, member: SetMember) -> int:
        return self.info.features if self.info.kind == "cross_layer" else member.features


def load_set(folder: Path, device: str | torch.device = "cpu") -> DictionarySet:
    """Open a set; its weights are read layer by layer as they are asked for.

    Raises UserError where `set.json` or a layer is missing or damaged, and for a layer of another
    model, tokenizer or width than the first.
    """
    info = read_set_info(folder)
    cfgs = {name: read_member_cfg(folder / name) for name in info.folders}
    first = cfgs[info.folders[0]]
    for member in info.members:
        cfg = cfgs[member.name]
        require_alike(info.name, member.layer, cfg, first)
        if info.kind == "transcoders" and cfg["metadata"].get("hook_name") != member.reads:
            raise UserError(
                f"Layer {member.layer} of the set “{info.name}” reads "
                f"“{cfg['metadata'].get('hook_name')}”, but the set says “{member.reads}”.",
                next_step="Restore the layer from a copy, or make the set again.",
            )
        if not any((folder / member.name).glob("*.safetensors")):
            raise UserError(
                f"“{member.name}” of the set “{info.name}” has no weights.",
                kept="Its other layers are unchanged.",
                next_step="Restore it from a copy, or make the set again.",
            )
    return DictionarySet(folder, info, torch.device(device))


def save_set(
    dictionaries: Mapping[int, Dictionary] | CrossLayerDictionary,
    folder: Path,
    origin: SetOrigin,
    *,
    dtype: torch.dtype = torch.float32,
) -> SetInfo:
    """Write the transcoders of some layers, or a cross-layer transcoder, as a set; return its info.

    The folder is there whole or not at all. `dtype` is that of the weights on disk. Raises
    UserError for layers that do not fit together, and when the disk is full.
    """
    with replacing_folder(folder) as part:
        layers: list[int] | None = None
        if isinstance(dictionaries, CrossLayerDictionary):
            save(dictionaries, part / ALL, dtype=dtype)
        else:
            layers = sorted(dictionaries)
            for layer in layers:
                save(dictionaries[layer], part / member_name(layer), dtype=dtype)
        info = describe_set(part, layers, origin, folder.name)
        write_set_info(part, info)
    return info
