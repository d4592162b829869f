"""What a set of dictionaries is: one for each layer, or one cross-layer transcoder. Free of torch.

A set is a folder of a project, `sets/<name>/`: `set.json` says what it is, and each member is a
dictionary's folder beside it, `L00/`, `L01/` …, or `all/` of a cross-layer transcoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from sae_desktop import __version__
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

SET_FILE = "set.json"
SCHEMA_VERSION = 1
ALL = "all"
"""The member that is a cross-layer transcoder."""
_CFG = "cfg.json"
_CROSS_LAYER = "cross_layer_transcoder"

SetKind = Literal["transcoders", "cross_layer"]


class SetOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a set comes from."""

    kind: Literal["trained", "import", "package"] = "trained"
    source: str = ""
    """Of one that was brought in: a path, or a repository of the hub; of a trained one the
    texts."""
    format: str = ""
    when: str = ""
    """The time in ISO 8601."""


class SetMember(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of a set."""

    name: str
    """Its folder: “L03”; “all” for every layer of a cross-layer transcoder."""
    layer: int
    reads: str
    """A site, such as blocks.3.mlp.hook_in."""
    writes: str
    """A site; a cross-layer transcoder's features write to those of all later layers, too."""
    features: int
    """Of this layer."""
    digest: str
    """Of the weights in its folder."""


class SetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What `set.json` says."""

    schema_version: int = SCHEMA_VERSION
    name: str
    kind: SetKind
    model: str
    model_revision: str = ""
    model_origin: str = ""
    tokenizer_hash: str = ""
    members: tuple[SetMember, ...]
    """From the first layer on."""
    skip: bool = False
    """Whether a linear map leads from what each member reads to what it writes."""
    features: int
    """Of all layers together."""
    origin: SetOrigin = SetOrigin()
    made_with: str = f"SAE Desktop {__version__}"

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(member.layer for member in self.members)

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of its dictionaries within it, each once."""
        return tuple(dict.fromkeys(member.name for member in self.members))

    @property
    def dictionaries(self) -> tuple[str, ...]:
        """The names of its dictionaries in the project: “<set>.L03”."""
        return tuple(f"{self.name}.{folder}" for folder in self.folders)

    @property
    def digest(self) -> str:
        """Of all its weights."""
        told = "".join(member.digest for member in self.members)
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def member(self, layer: int) -> SetMember:
        """Return the member of a layer. Raises UserError where there is none."""
        for member in self.members:
            if member.layer == layer:
                return member
        raise UserError(
            f"The set “{self.name}” has no layer {layer}.",
            next_step=f"Its layers: {', '.join(map(str, self.layers))}.",
        )


def member_name(layer: int) -> str:
    """Return the folder of a layer's dictionary."""
    return f"L{layer:02d}"


def read_set_info(folder: Path) -> SetInfo:
    """Read what a set is, under the name of its folder.

    Raises UserError when `set.json` is missing, damaged, or of a newer version.
    """
    path = folder / SET_FILE
    try:
        data = path.read_bytes()
        told = msgspec.json.decode(data)
        version = told.get("schema_version") if isinstance(told, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UserError(
                f"The set “{folder.name}” was made by a newer SAE Desktop (schema {version}; this "
                f"one reads up to {SCHEMA_VERSION}).",
                next_step="Update SAE Desktop to open it.",
            )
        info = msgspec.json.decode(data, type=SetInfo)
        _check(info)
    except FileNotFoundError:
        raise UserError(
            f"“{folder}” is not a set of dictionaries: it has no {SET_FILE}.",
            next_step="Train the set to its end, or import it again.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The set “{folder.name}” cannot be read: {error}.",
            next_step="Restore its folder from a copy, or make the set again.",
        ) from error
    return msgspec.structs.replace(info, name=folder.name)


def _check(info: SetInfo) -> None:
    """Raise ValueError where what a file says cannot be."""
    layers = list(info.layers)
    if not layers or layers != sorted(set(layers)) or layers[0] < 0:
        raise ValueError("its layers are not in order")
    expected = [ALL if info.kind == "cross_layer" else member_name(layer) for layer in layers]
    if [member.name for member in info.members] != expected:
        raise ValueError("its members are not named after their layers")
    if any(member.features < 1 for member in info.members):
        raise ValueError("a layer has no features")
    if info.features != sum(member.features for member in info.members):
        raise ValueError("the features of its layers do not add up")


def write_set_info(folder: Path, info: SetInfo) -> None:
    """Write `set.json`, which makes a folder of dictionaries a set. Raises UserError."""
    _check(info)
    write_bytes(folder / SET_FILE, msgspec.json.format(msgspec.json.encode(info)))


def weights_digest(folder: Path) -> str:
    """Return a digest of a dictionary's weights, as an index keeps it. Raises UserError."""
    digest = hashlib.sha256()
    with explained(folder):
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def describe_set(
    folder: Path, layers: Sequence[int] | None, origin: SetOrigin, name: str = ""
) -> SetInfo:
    """Return what the dictionaries saved in a folder are as a set, from their configs.

    `layers` are those of the members; None: one cross-layer transcoder. `name` is what it is to be
    called; empty: as the folder is. Raises UserError for a
    layer that is missing or damaged, or that does not fit the others.
    """
    if layers is None:
        members, cfgs = _of_cross_layer(folder)
    else:
        found = [_of_layer(folder, layer) for layer in layers]
        members, cfgs = [member for member, _ in found], [cfg for _, cfg in found]
    first = cfgs[0]["metadata"]
    for member, cfg in zip(members, cfgs, strict=False):
        require_alike(name or folder.name, member.layer, cfg, cfgs[0])
    return SetInfo(
        name=name or folder.name,
        kind="cross_layer" if layers is None else "transcoders",
        model=str(first.get("model_name") or ""),
        model_revision=str(first.get("model_revision") or ""),
        model_origin=str(first.get("model_origin") or ""),
        tokenizer_hash=str(first.get("tokenizer_hash") or ""),
        members=tuple(members),
        skip="skip" in str(cfgs[0].get("architecture")),
        features=sum(member.features for member in members),
        origin=origin,
    )


def require_alike(name: str, layer: int, cfg: dict[str, Any], first: dict[str, Any]) -> None:
    """Raise UserError for a layer that is of another model, width or kind than the first one."""

    def told(one: dict[str, Any], key: str) -> Any:
        return one["metadata"].get(key) or ""

    problem = ""
    if told(cfg, "tokenizer_hash") != told(first, "tokenizer_hash"):
        problem = "is of a model with another tokenizer"
    if any(told(cfg, key) != told(first, key) for key in ("model_name", "model_revision")):
        problem = f"is of another model, “{told(cfg, 'model_name')}”"
    if any(cfg.get(key) != first.get(key) for key in ("d_in", "d_out")):
        problem = f"reads and writes {cfg.get('d_in')} and {cfg.get('d_out')} numbers per row, "
        problem += f"not {first.get('d_in')} and {first.get('d_out')}"
    if ("skip" in str(cfg.get("architecture"))) != ("skip" in str(first.get("architecture"))):
        problem = "has a skip connection and others do not, or the other way round"
    if problem:
        raise UserError(
            f"The layers of the set “{name}” do not fit together: layer {layer} {problem}.",
            next_step="Restore the set from a copy, or make it again.",
        )


def read_member_cfg(folder: Path) -> dict[str, Any]:
    """Return the config of a set's member, its metadata a dict.

    Raises UserError that names the set and the member where it is missing or damaged.
    """
    try:
        cfg = msgspec.json.decode((folder / _CFG).read_bytes())
        if not isinstance(cfg, dict):
            raise ValueError(f"{_CFG} does not hold settings")
    except (OSError, ValueError, RecursionError) as error:
        missing = isinstance(error, FileNotFoundError)
        what = "is missing" if missing else f"cannot be read: {error}"
        raise UserError(
            f"“{folder.name}” of the set “{folder.parent.name}” {what}.",
            kept="Its other layers are unchanged.",
            next_step="Restore it from a copy, or make the set again.",
        ) from error
    told = cfg.get("metadata")
    return {**cfg, "metadata": told if isinstance(told, dict) else {}}


def _of_layer(folder: Path, layer: int) -> tuple[SetMember, dict[str, Any]]:
    name = member_name(layer)
    cfg = read_member_cfg(folder / name)
    site = str(cfg["metadata"].get("hook_name") or "")
    member = SetMember(
        name=name,
        layer=layer,
        reads=site,
        writes=str(cfg["metadata"].get("hook_name_out") or site),
        features=_count(cfg.get("d_sae"), folder / name),
        digest=weights_digest(folder / name),
    )
    return member, cfg


def _of_cross_layer(folder: Path) -> tuple[list[SetMember], list[dict[str, Any]]]:
    cfg = read_member_cfg(folder / ALL)
    reads = [str(site) for site in cfg["metadata"].get("input_sites") or ()]
    writes = [str(site) for site in cfg["metadata"].get("output_sites") or ()]
    if cfg.get("architecture") != _CROSS_LAYER or not reads or len(reads) != len(writes):
        raise UserError(
            f"“{folder / ALL}” is not a cross-layer transcoder that names its layers.",
            next_step="Train or import it again.",
        )
    digest = weights_digest(folder / ALL)
    features = _count(cfg.get("d_sae"), folder / ALL) // len(reads)
    members = [
        SetMember(
            name=ALL, layer=_layer_of(read), reads=read, writes=written, features=features,
            digest=digest,
        )
        for read, written in zip(reads, writes, strict=True)
    ]  # fmt: skip
    return members, [cfg]


def _layer_of(site: str) -> int:
    parts = site.split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


def _count(value: Any, folder: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(
            f"“{folder / _CFG}” does not say how many features the dictionary has.",
            next_step="Restore it from a copy, or make the set again.",
        )
    return value
