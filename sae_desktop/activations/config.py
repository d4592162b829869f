"""What a harvest is asked to do, and what it answers. Free of torch: the window uses it too."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.corpus.config import CorpusSettings, decode_made
from sae_desktop.described import said
from sae_desktop.file_kinds import takes
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.limits import AtLeast0, Count, CountOrNone

StoreDtype = Literal["float16", "bfloat16", "float32", "int8"]

MODEL, PICTURES, STORE, RUN = "Model", "Pictures", "Store", "Run"
"""Headings of the settings of a harvest, beside that of its corpus."""


class HarvestConfig(CorpusSettings, frozen=True, kw_only=True, tag="harvest"):
    """Run a corpus through a model and keep the activations of one site, or of several.

    `tokens` counts the rows kept. A store of that name with the same settings is resumed; one
    that is complete is extended where more tokens are asked for than it holds.
    """

    project: str
    name: Annotated[str, said("Name", "The store’s name in the project.", STORE)]
    model: Annotated[
        str,
        said("Model", "builtin, smollm2, a folder, a .gguf file, or a name on the hub.", MODEL),
        takes("model"),
    ] = "builtin"
    model_dtype: Annotated[
        ModelDtype, said("Precision", "Precision in which the model computes.", MODEL)
    ] = "auto"
    device: Annotated[
        str, said("Device", "auto, cpu, cuda, cuda:1, mps, or split (over several GPUs).", MODEL)
    ] = "auto"
    site: str = "blocks.3.hook_resid_post"
    sites: Annotated[
        tuple[str, ...],
        said("Sites", "Where to read, all in the same pass.", MODEL),
    ] = ()
    """Besides `site`."""
    tokens: Annotated[
        Count,
        said(
            "Tokens",
            "Rows to keep, one per token. Asking for more than a store has extends it.",
            STORE,
        ),
    ] = 500_000
    keep_first: Annotated[
        bool,
        said(
            "Keep each window’s first token",
            "In most models it is an attention sink, unlike the other tokens.",
            STORE,
        ),
    ] = False
    dtype: Annotated[
        StoreDtype,
        said(
            "Stored as",
            "Fewer bits take less space but round more; int8 has one scale per row.",
            STORE,
        ),
    ] = "float16"
    pictures: Annotated[
        str,
        said(
            "Pictures",
            "A folder, a .zip or .tar archive, a table with a column of pictures, or a dataset’s "
            "name on the hub. They are read instead of a text, with the words beside them, by a "
            "model that reads pictures.",
            PICTURES,
        ),
        takes("pictures", "corpus"),
    ] = ""
    picture_tokens: Annotated[
        CountOrNone,
        said(
            "Image tokens at most",
            "For each picture: one that the model makes more tokens of is given to it smaller. "
            "0: as many as the model makes.",
            PICTURES,
        ),
    ] = 0
    keep_pictures: Annotated[
        bool,
        said(
            "Keep the pictures",
            "Copy each picture’s file into the store. Otherwise it has a thumbnail, the name and "
            "the digest of each.",
            PICTURES,
        ),
    ] = False
    batch_tokens: Annotated[
        CountOrNone,
        said(
            "Tokens per pass",
            "In one forward pass, padding included; 0 finds the fastest that fits.",
            RUN,
        ),
    ] = 0
    commit_seconds: Annotated[
        AtLeast0,
        said("Commit every", "In seconds: how often the rows written are made safe.", RUN),
    ] = 2.0


FREE_SETTINGS = frozenset(
    {"project", "name", "device", "batch_tokens", "commit_seconds", "tokens", "skip_limit"}
)
"""Where, how fast and how long a harvest runs does not change what its rows are."""


def made_harvest(record: str) -> HarvestConfig:
    """Return the harvest whose config a store's file holds as JSON.

    Raises msgspec.DecodeError where it is none.
    """
    return decode_made(record, HarvestConfig)


def differing_settings(made: HarvestConfig, asked: HarvestConfig) -> list[str]:
    """Return the fields in which two harvests would not give the same rows."""
    return [
        name
        for name in HarvestConfig.__struct_fields__
        if name not in FREE_SETTINGS and getattr(made, name) != getattr(asked, name)
    ]


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
    file: Annotated[str, takes("activations")]
    dataset: str = ""
    """Which tensor or dataset of the file; may be empty when it holds just one matrix."""
    site: str = "imported"
    dtype: StoreDtype = "float32"


class EstimateHarvestConfig(msgspec.Struct, frozen=True, kw_only=True, tag="estimate_harvest"):
    """Time a short real run of the truncated forward pass, and size the store."""

    harvest: HarvestConfig


class PictureEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a corpus of pictures amounts to, by the headers of its first documents."""

    documents: int
    pictures: int
    tokens: int
    """Of texts and pictures, special ones aside; no more than a window takes of each document."""
    fewest: int
    typical: int
    most: int
    """Image tokens of a picture: the smallest, the median and the largest number."""
    refused: list[str]
    """Names of the first that cannot be read."""
    refusals: int
    too_long: int
    """Documents with more tokens than a window."""
    complete: bool
    """Whether all documents were looked at."""


class HarvestEstimate(msgspec.Struct, frozen=True, kw_only=True):
    bytes: int
    free_bytes: int
    seconds: float
    tokens_per_second: float
    memory_bytes: int
    """The model and a batch."""
    free_memory_bytes: int
    batch_tokens: int
    """Tokens in one forward pass, as given or as found."""
    pictures: PictureEstimate | None = None
    """None for a corpus of texts."""


class DescribeStoreConfig(msgspec.Struct, frozen=True, kw_only=True, tag="describe_store"):
    """Read what a store says of its rows; also while a harvest is filling it."""

    project: str
    name: str
    tokens: int = 24
    """How many of the most frequent tokens are named."""


class OutlierDimension(msgspec.Struct, frozen=True, kw_only=True):
    """A dimension that stands out from the others of a site."""

    dimension: int
    variance_share: float
    """Of the summed variance of all dimensions."""
    mean: float


class SiteFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over all committed rows of a site, gathered while harvesting."""

    site: str
    width: int
    rows: int
    mean_square: float
    """E‖x‖²."""
    scalar: float | None
    """Rows × scalar have E‖x‖² = width (Scaling Monosemanticity, Methods); none without rows: a
    NaN is none once it has been JSON."""
    mean_norm: float
    """‖E x‖."""
    median_norm: float
    norm_edges: list[float]
    """Logarithmic; one more than there are counts."""
    norm_counts: list[int]
    massive_rows: int
    """Rows of over ten times the median norm, as far as the bins tell."""
    massive_first_rows: int
    """Massive ones among the first rows of windows, whether they are stored or not."""
    first_rows: int
    first_norm: float | None
    """Mean norm of the first rows of windows, stored or not; none where there were none."""
    outliers: list[OutlierDimension]
    storage_fvu: float
    """Σ‖x − stored‖² / Σ‖x − x̄‖²: what rounding to the store's dtype costs."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows fall to a token, a language, a source, or windows of a length."""

    name: str
    rows: int


class StoreDescription(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    rows: int
    rows_wanted: int
    windows: int
    documents: int
    segments: int
    bytes: int
    dtype: str
    model: str
    model_origin: str = ""
    """In words, where its weights come from and what they went through."""
    corpus: str
    policy: str
    """BOS and special tokens, in words."""
    sites: list[SiteFigures]
    tokens: list[Share]
    """The most frequent ones, as text."""
    distinct_tokens: int
    window_lengths: list[Share]
    """Windows by how many rows they have: named “1–8” and so on, shortest first."""
    languages: list[Share]
    sources: list[Share]
    pictures: int = 0
    picture_rows: int = 0
    """Rows that are of pictures; the others are of texts."""


class VerifyStoreConfig(msgspec.Struct, frozen=True, kw_only=True, tag="verify_store"):
    """Read every committed row of a store and compare it with its checksums."""

    project: str
    name: str


class VerifyResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    blocks: int
    bytes: int
    damaged: list[str]
    """Blocks whose bytes are not those that were written, in words."""
