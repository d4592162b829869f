"""What a harvest is asked to do, and what it answers. Free of torch: the window uses it too."""

from __future__ import annotations

from typing import Literal

import msgspec

BosPolicy = Literal["auto", "always", "never"]
StoreDtype = Literal["float16", "float32"]


class HarvestConfig(msgspec.Struct, frozen=True, kw_only=True, tag="harvest"):
    """Run a corpus through a model and keep the activations of one site, or of several.

    `tokens` counts the rows kept. A store of that name with the same settings is resumed.
    """

    project: str
    name: str
    model: str = "builtin"
    site: str = "blocks.3.hook_resid_post"
    sites: tuple[str, ...] = ()
    """Further sites, read in the same pass."""
    corpus: str = "builtin"
    tokens: int = 500_000
    context_size: int = 128
    """Tokens in a window, the beginning-of-sequence token included."""
    batch: int = 32
    """Windows in one forward pass."""
    bos: BosPolicy = "auto"
    """Whether each window begins with the beginning-of-sequence token; auto: if there is one."""
    keep_first: bool = False
    """Whether the row of each window's first token, an attention sink in most models, is kept."""
    dtype: StoreDtype = "float16"
    seed: int = 0
    """Order of the documents."""
    device: str = "auto"
    commit_seconds: float = 2.0
    """How often the rows written are synced and committed."""


class HarvestResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    site: str
    rows: int
    width: int
    windows: int
    documents: int
    bytes: int
    seconds: float
    tokens_per_second: float


class ImportActivationsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="import_activations"):
    """Copy a matrix (rows × width) of a .npy, .safetensors or .h5 file into a store."""

    project: str
    name: str
    file: str
    dataset: str = ""
    """Which tensor or dataset of the file; may be empty when it holds just one matrix."""
    site: str = "imported"
    dtype: StoreDtype = "float32"


class DescribeCorpusConfig(msgspec.Struct, frozen=True, kw_only=True, tag="describe_corpus"):
    """Read the beginning of a corpus: how many documents, of which kinds, and how they look."""

    corpus: str = "builtin"
    model: str = "builtin"
    preview: int = 3


class CorpusPreview(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    source: str
    language: str
    tokens: list[str]


class CorpusDescription(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    documents: int
    """Documents counted, or -1 where counting would mean reading it all."""
    bytes: int
    sources: list[str]
    languages: list[str]
    preview: list[CorpusPreview]


class EstimateHarvestConfig(msgspec.Struct, frozen=True, kw_only=True, tag="estimate_harvest"):
    """Time a short real run of the truncated forward pass, and size the store."""

    harvest: HarvestConfig


class HarvestEstimate(msgspec.Struct, frozen=True, kw_only=True):
    bytes: int
    free_bytes: int
    seconds: float
    tokens_per_second: float
    memory_bytes: int
