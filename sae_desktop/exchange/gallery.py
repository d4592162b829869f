"""Well-known public dictionaries, and which of them are on this machine. Free of torch and Qt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from sae_desktop.file_kinds import WEIGHTS_ENDINGS
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.resources import resource_path

_FLOAT = 4
_SHARDS = "model.safetensors.index.json"
"""Of a model whose weights are several files: which they are."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Dictionaries of one repository that differ in their layer."""

    name: str
    repository: str
    """On the hub: owner/name."""
    format: str
    model: str
    hook: str
    hook_out: str = ""
    """Of transcoders: what they write."""
    features: int
    """0: not known before it is here."""
    width: int
    architecture: str
    licence: str
    """Empty: it stands on the repository's page."""
    dictionaries: dict[str, str]
    """Layer → folder or file in the repository."""
    neuronpedia: str = ""
    """Where its features are shown on neuronpedia.org, with {layer}; empty: nowhere that is known.
    """
    digests: dict[str, str] = {}
    """Layer → SHA-256 of the file of its weights; one that is named is checked at import."""

    @property
    def layers(self) -> list[int]:
        return sorted(map(int, self.dictionaries))

    @property
    def is_set(self) -> bool:
        """Whether its dictionaries are one set, with nothing else in the repository."""
        return self.format == "circuit-tracer" and bool(self.hook_out) and len(self.layers) > 1

    @property
    def bytes(self) -> int:
        """Of one dictionary in float32; 0: not known."""
        return _FLOAT * (2 * self.features * self.width + 2 * self.features + self.width)

    @property
    def page(self) -> str:
        """The address of its page on the hub."""
        return f"https://huggingface.co/{self.repository}"

    @property
    def model_page(self) -> str:
        """The address of its model's page on the hub."""
        return f"https://huggingface.co/{self.model}"

    def features_page(self, layer: int) -> str:
        """Return the address at which the layer's features can be looked at, or ""."""
        if not self.neuronpedia:
            return ""
        return f"https://www.neuronpedia.org/{self.neuronpedia.format(layer=layer)}"

    def source(self, layer: int) -> str:
        """Return what `ImportDictionaryConfig.source` takes. Raises KeyError for another layer."""
        return f"{self.repository}/{self.dictionaries[str(layer)]}"

    def site(self, layer: int) -> str:
        """Return the site that the layer's dictionary reads."""
        return str(parse_site(f"blocks.{layer}.{self.hook}"))

    def site_out(self, layer: int) -> str:
        """Return the site that the layer's transcoder writes, or ""."""
        return str(parse_site(f"blocks.{layer}.{self.hook_out}")) if self.hook_out else ""

    def is_here(self, layer: int) -> bool:
        """Return whether its files are in the hub's cache, so that no network is needed."""
        inside = self.dictionaries[str(layer)]
        return any(_has_weights(snapshot / inside) for snapshot in _snapshots(self.repository))


@cache
def catalogue() -> tuple[Family, ...]:
    """Return the families that ship with the program."""
    data = resource_path("gallery.json").read_bytes()
    return tuple(msgspec.json.decode(data, type=list[Family]))


def matching(families: Sequence[Family], text: str) -> list[Family]:
    """Return the families in whose names all words of a text occur."""
    words = text.casefold().split()
    return [
        family
        for family in families
        if all(
            word in " ".join(
                (family.name, family.repository, family.model, family.hook, family.architecture,
                 family.format)
            ).casefold()
            for word in words
        )
    ]  # fmt: skip


def layers_text(layers: Sequence[int]) -> str:
    """Return layers in short: “0–25”, “9, 20, 31”."""
    whole = len(layers) > 1 and list(layers) == list(range(layers[0], layers[-1] + 1))
    return f"{layers[0]}–{layers[-1]}" if whole else ", ".join(map(str, layers))


def weights_here(repository: str) -> bool:
    """Return whether all weights of a model are in the hub's cache."""
    return any(map(_whole_model, _snapshots(repository)))


def _whole_model(snapshot: Path) -> bool:
    try:
        listed = json.loads((snapshot / _SHARDS).read_bytes())["weight_map"].values()
    except (OSError, ValueError, LookupError, AttributeError):
        return _has_weights(snapshot)
    return all((snapshot / str(name)).is_file() for name in listed)


def _snapshots(repository: str) -> list[Path]:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    return list(folder.glob("snapshots/*"))


def _has_weights(path: Path) -> bool:
    files = [path] if path.is_file() else path.rglob("*")
    return any(p.suffix in WEIGHTS_ENDINGS and p.is_file() for p in files)
